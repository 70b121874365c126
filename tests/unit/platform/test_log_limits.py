"""The same warning again and again is written a few times, and then how often it was not."""

import logging
from typing import Any

import structlog

from services.platform.log_limits import RepeatLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Lines(logging.Handler):
    def __init__(self, limit: RepeatLimit) -> None:
        super().__init__()
        self.addFilter(limit)
        self.lines: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.msg if isinstance(record.msg, dict) else record.getMessage())


def made() -> tuple[logging.Logger, Lines, Clock]:
    clock = Clock()
    lines = Lines(RepeatLimit(max_lines=3, window_seconds=60, clock=clock))
    logger = logging.Logger("aiokafka.consumer")
    logger.addHandler(lines)
    return logger, lines, clock


def test_repeated_library_messages_are_logged_three_times_a_minute() -> None:
    logger, lines, clock = made()
    for number in range(75 * 60):
        clock.now = number / 75
        logger.error("Failed fetch messages from %s: %s", number % 3, "gone")
    assert lines.lines == [f"Failed fetch messages from {node}: gone" for node in range(3)]
    clock.now = 60
    logger.error("Failed fetch messages from %s: %s", 1, "gone")
    assert lines.lines[3:] == ["Failed fetch messages from 1: gone (4497 like this were left out)"]


def test_other_messages_are_not_held_back() -> None:
    logger, lines, _ = made()
    for _ in range(10):
        logger.error("one")
        logger.info("what happened")
    logger.error("two")
    assert lines.lines.count("one") == 3
    assert lines.lines.count("what happened") == 10
    assert lines.lines[-1] == "two"


def test_our_own_lines_are_of_a_kind_by_their_event() -> None:
    logger, lines, clock = made()
    ours = structlog.wrap_logger(
        logger,
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    for number in range(10):
        ours.warning("fault, trying again", attempt=number)
    assert [line["attempt"] for line in lines.lines] == [0, 1, 2]
    clock.now = 61
    ours.warning("fault, trying again", attempt=10)
    assert lines.lines[-1] == {"event": "fault, trying again", "attempt": 10, "left_out": 7}
