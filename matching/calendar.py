"""Working days in the United Kingdom: weekends, each nation's bank holidays, and the weeks around Christmas.

Also days that lie months apart. Pure.
"""

from calendar import monthrange
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import Final

import holidays

_DAY: Final = timedelta(days=1)


class Nation(StrEnum):
    """A nation with bank holidays of its own; the value is its code in the `holidays` library."""

    ENGLAND = "ENG"
    WALES = "WLS"
    SCOTLAND = "SCT"
    NORTHERN_IRELAND = "NIR"


_BY_GSS_LETTER: Final = {
    "E": Nation.ENGLAND,
    "W": Nation.WALES,
    "S": Nation.SCOTLAND,
    "N": Nation.NORTHERN_IRELAND,
}


def nation_of(authority: str) -> Nation:
    """The nation of an authority by its GSS code. An authority under another code counts as English."""
    is_gss = len(authority) == 9 and authority[1:].isdigit()
    return _BY_GSS_LETTER.get(authority[0], Nation.ENGLAND) if is_gss else Nation.ENGLAND


def nations_of(authorities: Iterable[str]) -> frozenset[Nation]:
    """The nations of several authorities."""
    return frozenset(nation_of(authority) for authority in authorities)


def is_working_day(day: date, nations: Collection[Nation]) -> bool:
    """Whether offices of all these nations work on a day.

    20 December to 4 January counts as closed: nobody gets an answer from a council in those days.
    """
    if day.weekday() >= 5 or is_christmas_closure(day):
        return False
    return not any(day in _bank_holidays(nation, day.year) for nation in nations)


def is_christmas_closure(day: date) -> bool:
    """Whether a day lies between 20 December and 4 January, both included."""
    return (day.month, day.day) >= (12, 20) or (day.month, day.day) <= (1, 4)


def add_working_days(day: date, count: int, nations: Collection[Nation]) -> date:
    """The working day `count` working days after a day, or before it if `count` is negative."""
    step = _DAY if count >= 0 else -_DAY
    for _ in range(abs(count)):
        day += step
        while not is_working_day(day, nations):
            day += step
    return day


def working_day_on_or_before(day: date, nations: Collection[Nation]) -> date:
    """The day itself if it is a working day, otherwise the last working day before it."""
    while not is_working_day(day, nations):
        day -= _DAY
    return day


def working_days_between(first: date, last: date, nations: Collection[Nation]) -> int:
    """The number of working days after `first`, up to and including `last`; 0 if `last` is not later."""
    days = (last - first).days
    return sum(is_working_day(first + timedelta(days=n), nations) for n in range(1, days + 1))


def add_months(day: date, months: int) -> date:
    """Add months to a day. If the month has no such day, its last one is used: 31 January + 1 is 28 or 29 February.

    A day after the year 9999 becomes the last day of that year.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@cache
def _bank_holidays(nation: Nation, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("GB", subdiv=nation.value, years=year))
