"""Days that people enter. Any such day can be counted from and to: its year leaves room on both sides."""

from datetime import date
from typing import Final

YEARS: Final = range(1900, 2101)
YEARS_PHRASE: Final = f"{YEARS[0]} to {YEARS[-1]}"


class YearError(ValueError):
    """A day that is outside the years that may be entered."""

    def __init__(self) -> None:
        super().__init__(f"the year must be from {YEARS_PHRASE}")


def entered_day(year: int, month: int, day: int) -> date:
    """The day of these numbers. Raises YearError, or ValueError if there is no such day."""
    if year not in YEARS:
        raise YearError
    return date(year, month, day)


def entered_iso_day(text: str) -> date:
    """The day written as YYYY-MM-DD. Raises YearError, or ValueError if the text is none."""
    found = date.fromisoformat(text)
    return entered_day(found.year, found.month, found.day)
