"""The sentence on the settings page and in its receipts says what comes, and nothing that a switch denies."""

from datetime import date
from typing import Any

import pytest

from services.application.preferences import EmailsNow

TODAY = date(2026, 12, 1)
ALL: dict[str, Any] = {
    "mailbox": "buying@leeds.example",
    "paused_until": None,
    **dict.fromkeys(("immediate", "digest", "confirmations", "benchmarks", "coalitions"), True),
}
PAUSE = {"paused_until": date(2027, 1, 1)}
NO_PRICES = "You get no emails about prices and extensions."
STOP = {"immediate": False, "digest": False}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "You get all emails: at once, and the weekly digest."),
        (
            {"benchmarks": False},
            f"You get emails about matches at once, and the weekly digest. {NO_PRICES}",
        ),
        ({"digest": False}, "You get emails about matches at once, and no weekly digest."),
        ({"immediate": False}, "You get the weekly digest, and no emails about matches at once."),
        (STOP, "You get no emails about matches any more."),
        (PAUSE, "All emails are paused until 1 January 2027."),
        (PAUSE | STOP, "All emails are paused until 1 January 2027. You get no emails about matches any more."),
        ({"paused_until": TODAY}, "You get all emails: at once, and the weekly digest."),
    ],
)
def test_the_sentence_denies_no_switch(changes: dict[str, Any], sentence: str) -> None:
    assert EmailsNow(**(ALL | changes)).sentence(TODAY) == sentence
