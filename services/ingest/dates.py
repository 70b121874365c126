"""Dates in the forms that notices and registers use, and the rules that derive a tender window from them."""

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from events.fields import Window
from matching.calendar import add_months

BEFORE_CONTRACT: Final = (9, 3)
"""A tender is usually published between this many months before its contract starts."""
AROUND_NOTICE: Final = (1, 3)
"""Tolerance in months before and after the announced date of the tender notice: more notices slip than come early."""
AFTER_ENGAGEMENT: Final = 6
"""The tender usually follows within this many months of the end of market engagement."""

_YEARS: Final = range(1970, 2200)
_EXCEL_EPOCH: Final = date(1899, 12, 30)
_EXCEL_DAYS: Final = range(20_000, 80_000)
_ISO = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ].*)?")
_COMPACT = re.compile(r"(20\d{2})([01]\d)([0-3]\d)")
_AROUND = re.compile(r"\s*([/.-])\s*(?=\d)")
_UNTIL = re.compile(r"^(?:extended (?:to|until)|until|to|by|ends?) ", re.IGNORECASE)
_UK = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})(?: \d{1,2}:\d{2}(?::\d{2})?(?: ?[AP]M)?)?", re.IGNORECASE)
_WORDS = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[ -]([A-Za-z]{3,9})[ ,-]+(\d{4}|\d{2})")
_MONTH = re.compile(r"([A-Za-z]{3,9})[ ,/-]+(\d{4}|\d{2})")
_QUARTER = re.compile(r"Q(?:uarter )?([1-4])[ ,]*(?:FY ?)?(20\d{2})\s*[/-]\s*(?:20)?\d{2}", re.IGNORECASE)
_WEEKDAY = re.compile(r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? ", re.IGNORECASE)
_REMARK = re.compile(r"\s*\([^()]*\)$")
_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}


def months_between(start: date, end: date) -> int:
    """Return the whole months from one day to a later one; 0 if it is not later."""
    months = (end.year - start.year) * 12 + end.month - start.month
    return max(0, months - (add_months(start, months) > end if months > 0 else 0))


def window_before(start: date, earliest: int = BEFORE_CONTRACT[0], latest: int = BEFORE_CONTRACT[1]) -> Window:
    """Return the tender window for a contract that starts on this day."""
    return Window(earliest=add_months(start, -earliest), latest=add_months(start, -latest))


def iso_day(value: object) -> date | None:
    """Return the calendar day that an ISO 8601 time shows, as printed on the notice; None if it shows none."""
    match = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    return _date(int(match[1]), int(match[2]), int(match[3])) if match else None


def milliseconds(value: object) -> int | None:
    """Convert an ISO 8601 time to milliseconds since 1970, in UTC if it has no offset. None if it is no time."""
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        if moment is None:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def register_days(text: str) -> tuple[date, date] | None:
    """Return the first and last day of a register's cell: a day (31/03/2027, 31-Mar-27, Friday 31st March 2028,
    2027-03-31, Excel's day number), a month (Mar-28, March 2028) or a quarter of a financial year (Q2 2027/28).

    The day precedes the month; text in brackets after the date is ignored. None if the cell holds no day.
    """
    text = _WEEKDAY.sub("", _REMARK.sub("", _UNTIL.sub("", " ".join(text.split()))))
    text = _AROUND.sub(r"\1", text)
    if match := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
        return _one(_far_date(int(match[1]), int(match[2]), int(match[3])))
    if match := _UK.fullmatch(text):
        return _one(_far_date(_year(match[3]), int(match[2]), int(match[1])))
    if match := _WORDS.fullmatch(text):
        return _one(_far_date(_year(match[3]), _MONTHS.get(match[2][:3].lower(), 0), int(match[1])))
    if match := _MONTH.fullmatch(text):
        return _months(_date(_year(match[2]), _MONTHS.get(match[1][:3].lower(), 0), 1), 1)
    if match := _QUARTER.fullmatch(text):
        quarter, year = int(match[1]), int(match[2])
        return _months(_date(year + quarter // 4, (3, 4, 7, 10)[quarter % 4] if quarter < 4 else 1, 1), 3)
    whole = text.removesuffix(".0")
    if whole.isascii() and whole.isdigit() and len(whole) == 5 and int(whole) in _EXCEL_DAYS:
        return _one(_EXCEL_EPOCH + timedelta(days=int(whole)))
    return None


def is_sentinel(day: date) -> bool:
    """Return whether a day is a placeholder: systems write 31/12/2099, 01/01/2050 or 01/01/1900 for an unknown date."""
    return day.year < 1990 or day.year >= 2075 or (day.year >= 2049 and (day.month, day.day) in ((1, 1), (12, 31)))


def _one(day: date | None) -> tuple[date, date] | None:
    return (day, day) if day else None


def _months(first: date | None, months: int) -> tuple[date, date] | None:
    return (first, add_months(first, months) - timedelta(days=1)) if first else None


def _year(digits: str) -> int:
    return int(digits) + (2000 if len(digits) == 2 else 0)


def _far_date(year: int, month: int, day: int) -> date | None:
    """Parse like `_date`. A year out of range (31/12/9999) becomes the last valid day, which counts as a
    placeholder."""
    return _date(min(year, _YEARS[-1]), month, day)


def _date(year: int, month: int, day: int) -> date | None:
    """Return the day, or None if invalid or outside the years of contracts, so that months can be added to any."""
    try:
        return date(year, month, day) if year in _YEARS else None
    except ValueError:
        return None
