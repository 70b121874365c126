"""Which dead letters may be sent again."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from events.dead_letters import DeadLetter, DeadLetterReason, Origin
from services.cli.dead_letters import replay_obstacle
from services.cli.terminal import plain, rendered

VALUE = b'{"plan_id": "E08000035:ICT-1"}'


def letter(**changed: Any) -> DeadLetter:
    topic = changed.pop("topic", "procurement.plans.v1")
    fields: dict[str, Any] = {
        "dead_letter_id": "1",
        "reason": DeadLetterReason.HANDLING_FAILED,
        "detail": "",
        "origin": Origin(topic=topic, partition=0, offset=0),
        "key": b"E08000035:ICT-1",
        "headers": (),
        "value": VALUE,
        "value_length": len(VALUE),
        "value_sha256": hashlib.sha256(VALUE).hexdigest(),
        "complete": True,
        "attempts": 1,
        "at": datetime(2026, 11, 2, tzinfo=UTC),
    }
    return DeadLetter.model_construct(**fields | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"topic": "procurement.plans.v1.E08000035"},
        {"topic": "collaboration.opportunities.v1"},
        {"key": None},
        {"value": None, "value_length": 0, "value_sha256": hashlib.sha256(b"").hexdigest()},
    ],
    ids=str,
)
def test_what_is_whole_may_go_back_to_where_it_came_from(changed: dict[str, Any]) -> None:
    assert replay_obstacle(letter(**changed)) is None


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"complete": False}, "only the start of the event"),
        ({"value": VALUE[:-1]}, "not those that its length and sha256 speak of"),
        ({"value": VALUE.replace(b"1", b"2")}, "not those that its length and sha256 speak of"),
        ({"reason": DeadLetterReason.ASSESSMENT_FAILED}, "the plan log holds the event already"),
        ({"reason": DeadLetterReason.SUPERSEDED_WITHDRAWAL}, "stands at a higher revision"),
        ({"topic": "collaboration.notifications.v1"}, "is not a topic that we read"),
        ({"topic": "dead-letters.plans.v1"}, "is not a topic that we read"),
        ({"topic": "procurement.plans.v1.a.b"}, "is not a topic that we read"),
        ({"topic": "procurement.plans.v1x"}, "is not a topic that we read"),
    ],
    ids=str,
)
def test_what_was_cut_or_changed_or_aims_elsewhere_may_not(changed: dict[str, Any], sentence: str) -> None:
    assert sentence in (replay_obstacle(letter(**changed)) or "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HR\tand\r\npayroll", "HR and payroll"),
        ("\x1b[2Jpayroll\x07", "[2Jpayroll"),
        ("a\u202eb\u2066c\u200bd\ufeff\ue000\ud800\x9b", "abcd"),
        ("Ynys Môn – £5m, ‘draft’", "Ynys Môn – £5m, ‘draft’"),
    ],
)
def test_a_title_is_shown_in_one_line_that_steers_nothing(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_long_title_is_cut() -> None:
    assert plain("x" * 50, 10) == "x" * 9 + "…"


def test_bytes_are_shown_as_text_with_escapes_and_cut() -> None:
    assert rendered(b"a\xff\x1b\n\xe2\x80\xae\xc2\xa3") == "a\\xff\\x1b\\n\\u202e£"
    assert rendered(b"x" * 5000).endswith("x… (904 bytes more)")
