"""Introductions of match_only plans: both authorities see each other's plan once both say yes. Pure.

Before that neither sees anything of the other's plan. A no is final for six months and is never reported: to the
authority that asked it looks like silence.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from events.responses import IntroductionAnswer

FINAL_DAYS: Final = 182
"""Six months: how long a no stands and a yes counts, and how long nobody is asked again."""
LATER_DAYS: Final = 30
"""Days until an authority that answered later, without a date, is asked again."""


@dataclass(frozen=True, slots=True)
class IntroductionSide:
    """One side of an introduction: the authority, its plan, its answer with the day, and the day it was last asked."""

    authority: str
    plan_id: str
    answer: IntroductionAnswer | None = None
    on: date | None = None
    ask_again_on: date | None = None
    asked_on: date | None = None


def is_agreed(one: IntroductionSide, other: IntroductionSide) -> bool:
    """Whether both have said yes, within six months of each other."""
    if one.answer is not IntroductionAnswer.YES or other.answer is not IntroductionAnswer.YES:
        return False
    assert one.on is not None
    assert other.on is not None
    return abs((one.on - other.on).days) <= FINAL_DAYS


def ask_on(one: IntroductionSide, other: IntroductionSide, today: date) -> date | None:
    """The day to ask `other` for an introduction to `one`; None if it is not to be asked.

    It is asked if `one` has said yes: at most once in six months, not while its own no stands, and after a later not
    before the day it gave, and once for that day.
    """
    if one.answer is not IntroductionAnswer.YES or _is_over(one.on, today):
        return None
    match other.answer:
        case IntroductionAnswer.LATER:
            again = other.ask_again_on or today
            asked = other.asked_on is not None and other.asked_on >= again and not _is_over(other.asked_on, today)
            return None if asked else max(today, again)
        case IntroductionAnswer.NO:
            return today if _is_over(other.on, today) and _is_over(other.asked_on, today) else None
        case None:
            return today if _is_over(other.asked_on, today) else None
        case _:
            return None


def is_asking(one: IntroductionSide, other: IntroductionSide, today: date) -> bool:
    """Whether a request to `other` is still true at the moment of sending."""
    if one.answer is not IntroductionAnswer.YES or _is_over(one.on, today):
        return False
    if other.answer is IntroductionAnswer.NO:
        return _is_over(other.on, today)
    later = other.answer is IntroductionAnswer.LATER and (other.ask_again_on or today) <= today
    return other.answer is None or later


def later_day(today: date, remind_on: date | None) -> date:
    """The day on which an authority that answered later is asked again."""
    return max(remind_on, today) if remind_on is not None else today + timedelta(days=LATER_DAYS)


def _is_over(day: date | None, today: date) -> bool:
    return day is None or (today - day).days > FINAL_DAYS
