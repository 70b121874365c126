"""The scenario's working days, by a calendar of its own: when answers to invitations are due."""

from datetime import date, timedelta
from typing import Final

from tests.year.acts import Said

HOLIDAYS: Final = frozenset(
    date(year, month, day)
    for year, month, day in (
        *((2026, 5, 4), (2026, 5, 25), (2026, 8, 31)),
        *((2027, 3, 26), (2027, 3, 29), (2027, 5, 3), (2027, 5, 31), (2027, 8, 30)),
    )
)
"""The bank holidays of England that fall into the scenario, without those between 20 December and 4 January."""
SALT_DECISION: Final = date(2026, 10, 13)
"""Sixty days to prepare a tender for salt and twenty to decide on it, before the first day of its window."""


def last_day(invitation: Said) -> date:
    """The last day to answer: so many working days later, or the day of the salt's decision, which is due before."""
    day = invitation.day
    for _ in range(int(invitation.said.get("reply_days", 20))):
        day = next_working_day(day)
    return min(day, SALT_DECISION) if invitation.plan_id.endswith(":GRIT") else day


def working_days(first: date, last: date) -> list[date]:
    """The working days after a day, up to and with another."""
    found = []
    while (day := next_working_day(found[-1] if found else first)) <= last:
        found.append(day)
    return found


def next_working_day(day: date) -> date:
    """The next day that counts: nobody is asked to answer between 20 December and 4 January."""
    day += timedelta(days=1)
    christmas = (day.month, day.day) >= (12, 20) or (day.month, day.day) <= (1, 4)
    return next_working_day(day) if christmas or day.weekday() > 4 or day in HOLIDAYS else day
