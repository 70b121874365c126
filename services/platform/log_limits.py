"""Limits repeated log lines: with its broker away, a client library logs the same line 75 times a second."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

MAX_LINES: Final = 10
WINDOW_SECONDS: Final = 60.0
MAX_KINDS: Final = 1000
"""The maximum number of kinds remembered; above it, the oldest is dropped."""


class RepeatLimit(logging.Filter):
    """Passes a limited number of warnings and errors of each kind per window. The next window says how many were
    dropped.

    A kind is the logger and the message before formatting. Lines below WARNING always pass.
    """

    def __init__(
        self,
        max_lines: int = MAX_LINES,
        window_seconds: float = WINDOW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._max_lines = max_lines
        self._window = window_seconds
        self._clock = clock
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write the line. Adds `left_out` to the first line of a window."""
        if record.levelno < logging.WARNING:
            return True
        kind = (record.name, _message(record))
        now = self._clock()
        began, lines = self._kinds.get(kind, (now, 0))
        if now - began >= self._window:
            if lines > self._max_lines:
                _add(record, lines - self._max_lines)
            began, lines = now, 0
        self._kinds.pop(kind, None)
        self._kinds[kind] = (began, lines + 1)
        if len(self._kinds) > MAX_KINDS:
            del self._kinds[next(iter(self._kinds))]
        return lines < self._max_lines


def _message(record: logging.LogRecord) -> str:
    said: Any = record.msg
    return str(said.get("event")) if isinstance(said, dict) else str(said)


def _add(record: logging.LogRecord, left_out: int) -> None:
    said: Any = record.msg
    if isinstance(said, dict):
        record.msg = {**said, "left_out": left_out}
    else:
        record.msg = f"{said} ({left_out} like this were left out)"
