"""Who is asked for an introduction and when two are introduced, as tables."""

from datetime import date, timedelta

import pytest

from events.responses import IntroductionAnswer
from services.domain.introduction import IntroductionSide, ask_on, is_agreed, is_asking, later_day

TODAY = date(2026, 12, 1)
YES, NO, LATER = IntroductionAnswer
HALF_A_YEAR = 182


def side(answer: IntroductionAnswer | None = None, days_ago: int = 0, **fields: date | None) -> IntroductionSide:
    on = TODAY - timedelta(days=days_ago) if answer else None
    return IntroductionSide("E08000035", "E08000035:HR-1", answer, on, **fields)


@pytest.mark.parametrize(
    ("one", "other", "agreed"),
    [
        (side(YES), side(YES), True),
        (side(YES), side(YES, HALF_A_YEAR), True),
        (side(YES), side(YES, HALF_A_YEAR + 1), False),
        (side(YES), side(), False),
        (side(YES), side(NO), False),
        (side(YES), side(LATER), False),
        (side(), side(), False),
    ],
)
def test_both_must_say_yes_within_six_months(one: IntroductionSide, other: IntroductionSide, agreed: bool) -> None:
    assert is_agreed(one, other) is agreed
    assert is_agreed(other, one) is agreed


IN_A_WEEK = TODAY + timedelta(days=7)
YESTERDAY = TODAY - timedelta(days=1)
LONG_AGO = TODAY - timedelta(days=HALF_A_YEAR + 1)


@pytest.mark.parametrize(
    ("one", "other", "day"),
    [
        (side(YES), side(), TODAY),
        (side(YES), side(asked_on=TODAY - timedelta(days=HALF_A_YEAR)), None),
        (side(YES), side(asked_on=TODAY - timedelta(days=HALF_A_YEAR + 1)), TODAY),
        (side(YES), side(NO, HALF_A_YEAR), None),
        (side(YES), side(NO, HALF_A_YEAR + 1), TODAY),
        (side(YES), side(NO, HALF_A_YEAR + 2, asked_on=YESTERDAY), None),
        (side(YES), side(LATER, ask_again_on=IN_A_WEEK), IN_A_WEEK),
        (side(YES), side(LATER, 30, ask_again_on=TODAY - timedelta(days=1)), TODAY),
        (side(YES), side(LATER, 30, ask_again_on=YESTERDAY, asked_on=TODAY - timedelta(days=30)), TODAY),
        (side(YES), side(LATER, 30, ask_again_on=YESTERDAY, asked_on=YESTERDAY), None),
        (side(YES), side(LATER, 5, ask_again_on=IN_A_WEEK, asked_on=IN_A_WEEK), None),
        (side(YES), side(LATER, 300, ask_again_on=LONG_AGO, asked_on=LONG_AGO), TODAY),
        (side(YES), side(YES), None),
        (side(YES, HALF_A_YEAR + 1), side(), None),
        (side(NO), side(), None),
        (side(LATER), side(), None),
        (side(), side(), None),
    ],
)
def test_the_other_is_asked_at_most_once_in_six_months(
    one: IntroductionSide, other: IntroductionSide, day: date | None
) -> None:
    assert ask_on(one, other, TODAY) == day


@pytest.mark.parametrize(
    ("one", "other", "asking"),
    [
        (side(YES), side(), True),
        (side(YES), side(asked_on=TODAY), True),
        (side(YES), side(NO), False),
        (side(YES), side(NO, HALF_A_YEAR + 1), True),
        (side(YES), side(LATER, ask_again_on=IN_A_WEEK), False),
        (side(YES), side(LATER, 7, ask_again_on=TODAY), True),
        (side(YES), side(YES), False),
        (side(), side(), False),
    ],
)
def test_a_request_holds_while_it_is_not_answered(one: IntroductionSide, other: IntroductionSide, asking: bool) -> None:
    assert is_asking(one, other, TODAY) is asking


def test_later_is_the_day_that_was_said_or_a_month() -> None:
    assert later_day(TODAY, IN_A_WEEK) == IN_A_WEEK
    assert later_day(TODAY, TODAY - timedelta(days=1)) == TODAY
    assert later_day(TODAY, None) == date(2026, 12, 31)
