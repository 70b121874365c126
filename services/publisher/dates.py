"""Days as notices and registers write them, and the rules that make a tender window of them."""

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from events.fields import Window

BEFORE_CONTRACT: Final = (9, 3)
"""Between how many months before a contract starts its tender is usually published."""
AROUND_NOTICE: Final = (1, 3)
"""Months before and after the announced day of the tender notice: notices slip more often than they come early."""
AFTER_ENGAGEMENT: Final = 6
"""Months after the end of market engagement within which the tender usually follows."""

_YEARS: Final = range(1970, 2200)
_EXCEL_EPOCH: Final = date(1899, 12, 30)
_EXCEL_DAYS: Final = range(20_000, 80_000)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_UK = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})(?: \d{1,2}:\d{2}(?::\d{2})?)?")
_WORDS = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[ -]([A-Za-z]{3,9})[ ,-]+(\d{4}|\d{2})")
_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}


def add_months(day: date, months: int) -> date:
    """The same day so many months on, or the month's last where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def months_between(start: date, end: date) -> int:
    """Whole months from one day to a later one; 0 where it is not later."""
    months = (end.year - start.year) * 12 + end.month - start.month
    return max(0, months - (add_months(start, months) > end if months > 0 else 0))


def window_before(start: date, earliest: int = BEFORE_CONTRACT[0], latest: int = BEFORE_CONTRACT[1]) -> Window:
    """The tender window that leads to a contract that starts on this day."""
    return Window(earliest=add_months(start, -earliest), latest=add_months(start, -latest))


def iso_day(value: object) -> date | None:
    """The calendar day an ISO 8601 time names, as it is written: the day people read on the notice. None if none."""
    match = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    return _date(int(match[1]), int(match[2]), int(match[3])) if match else None


def milliseconds(value: object) -> int | None:
    """An ISO 8601 time in milliseconds since 1970 (without an offset: UTC), or None."""
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        if moment is None:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def register_day(text: str) -> date | None:
    """A day as council registers write it: 31/03/2027, 31-Mar-27, 31 March 2027, 2027-03-31, or Excel's day number.
    The day comes before the month. None where it is no day."""
    text = " ".join(text.split())
    if match := _ISO.fullmatch(text):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if match := _UK.fullmatch(text):
        return _date(_year(match[3]), int(match[2]), int(match[1]))
    if match := _WORDS.fullmatch(text):
        month = _MONTHS.get(match[2][:3].lower(), 0)
        return _date(_year(match[3]), month, int(match[1]))
    whole = text.removesuffix(".0")
    if whole.isascii() and whole.isdigit() and len(whole) == 5 and int(whole) in _EXCEL_DAYS:
        return _EXCEL_EPOCH + timedelta(days=int(whole))
    return None


def _year(digits: str) -> int:
    return int(digits) + (2000 if len(digits) == 2 else 0)


def _date(year: int, month: int, day: int) -> date | None:
    """The day, or None: also outside the years in which contracts are, so that months can be added to any."""
    try:
        return date(year, month, day) if year in _YEARS else None
    except ValueError:
        return None
