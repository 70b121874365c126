"""A coalition's reply-by and the days of its reminders. Pure.

The first common day and decide-by are the engine's: see `matching.lead_time`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Final

from matching.calendar import Nation, add_working_days, working_day_on_or_before, working_days_between

DEFAULT_REPLY_DAYS: Final = 20
MIN_REPLY_DAYS: Final = 10
MAX_REPLY_DAYS: Final = 40
"""Working days that an invitation gives for an answer."""

REPLY_PERIODS: Final = (MIN_REPLY_DAYS, 15, DEFAULT_REPLY_DAYS, 30, MAX_REPLY_DAYS)
"""The periods that a page offers."""

DECISION_DAYS: Final = 5
"""Working days from the last answer to the decision: the lead has to take the answers to those who decide."""

LAST_REMINDER_DAYS: Final = 5
MIN_DAYS_BETWEEN_REMINDERS: Final = 3


class DeadlineError(ValueError):
    """A date that is too soon to keep or breaks a rule; the message says which and why."""


@dataclass(frozen=True, slots=True)
class CoalitionDates:
    """The two dates that follow from the plans: the first common day, and the last day for the decision."""

    together_from: date
    decide_by: date


def last_reply_day(dates: CoalitionDates, nations: Collection[Nation]) -> date:
    """The latest possible reply-by: five working days before the decision."""
    return add_working_days(dates.decide_by, -DECISION_DAYS, nations)


def reply_periods(invited_on: date, dates: CoalitionDates, nations: Collection[Nation]) -> tuple[int, ...]:
    """The periods, in working days, that end by the last possible reply-by; the shortest one even if none does."""
    left = working_days_between(invited_on, last_reply_day(dates, nations), nations)
    return tuple(days for days in REPLY_PERIODS if days <= left) or (MIN_REPLY_DAYS,)


def reply_by(
    invited_on: date, dates: CoalitionDates, nations: Collection[Nation], working_days: int = DEFAULT_REPLY_DAYS
) -> date:
    """The day on which answers to an invitation are due.

    Raises DeadlineError if `working_days` is out of bounds, or fewer than ten are left to reply.
    """
    if not MIN_REPLY_DAYS <= working_days <= MAX_REPLY_DAYS:
        raise DeadlineError(
            f"an invitation gives {MIN_REPLY_DAYS} to {MAX_REPLY_DAYS} working days to reply, not {working_days}"
        )
    last = last_reply_day(dates, nations)
    left = working_days_between(invited_on, last, nations)
    if left < MIN_REPLY_DAYS:
        raise DeadlineError(
            f"only {left} working days are left to reply and {MIN_REPLY_DAYS} are the fewest: it is too late to "
            "invite, but you can still share what you learned"
        )
    return min(add_working_days(invited_on, working_days, nations), last)


def check_new_reply_by(current: date, proposed: date, dates: CoalitionDates, nations: Collection[Nation]) -> None:
    """Raise DeadlineError if the new reply-by of an open invitation is earlier, or past the last possible day."""
    if proposed < current:
        raise DeadlineError(f"reply-by can only move later; it is {current} and the others count on that")
    last = last_reply_day(dates, nations)
    if proposed > last:
        raise DeadlineError(
            f"reply-by can't be after {last}: the decision is due by {dates.decide_by}, "
            f"and {DECISION_DAYS} working days are left for it"
        )
    if working_day_on_or_before(proposed, nations) != proposed:
        raise DeadlineError(f"{proposed} is no working day for all members; choose a working day")


def reminder_days(invited_on: date, due: date, nations: Collection[Nation]) -> tuple[date, ...]:
    """The days on which members without an answer are reminded: half way, and five working days before the last day.

    If the two are less than three working days apart, only the later one.
    """
    total = working_days_between(invited_on, due, nations)
    half_time = add_working_days(invited_on, total // 2, nations)
    last = add_working_days(due, -LAST_REMINDER_DAYS, nations)
    first, second = sorted((half_time, last))
    close = working_days_between(first, second, nations) < MIN_DAYS_BETWEEN_REMINDERS
    return tuple(day for day in ((second,) if close else (first, second)) if invited_on < day < due)
