"""Forty councils over eighteen months: what each of them does, and on which day. Invented, and always the same."""

from datetime import timedelta
from typing import Final

from tests.year.acts import COUNCILS, DAYS, FIRST, LEAVES, LEFT_ON, SURREY, VESTING, WEST_SURREY, Signatory
from tests.year.charter import DECISIONS, ENQUIRIES, contracts, extension_plans, notices, routes
from tests.year.drawn import drawn_plans
from tests.year.stories import STORY_ANSWERS, story_plans

REPORTS: Final = tuple(DAYS[number] for number in (5, 12, 18, 25, 31, 38))
"""The days on which the programme office looks at its numbers."""


def _signatory(number: int, code: str) -> Signatory:
    signed = FIRST - timedelta(days=30) + timedelta(days=9 * number)
    return Signatory(code, signed, VESTING if code in SURREY else None, LEFT_ON if code == LEAVES else None)


REGISTER: Final = (*(_signatory(*one) for one in enumerate(COUNCILS)), Signatory(WEST_SURREY, VESTING))
"""The signatories with all the days that come to them; Surrey's councils lapse when their successor signs."""

PLANS: Final = sorted(
    [*story_plans(), *drawn_plans(30), *extension_plans(), *notices()],
    key=lambda one: one.day,
)
CONTRACTS: Final = sorted(contracts(), key=lambda one: one.day)
ANSWERS: Final = sorted([*STORY_ANSWERS, *DECISIONS, *ENQUIRIES, *routes(PLANS)], key=lambda one: one.day)
"""What is sent and said, each in its order."""
