"""What an option that is a day takes, and what it says of anything else."""

from datetime import date, datetime, time

import pytest

from services.cli.days import read_day


def test_a_day_is_its_first_moment() -> None:
    assert read_day("2027-03-09") == datetime.combine(date(2027, 3, 9), time())


@pytest.mark.parametrize("year", ["0001", "1899", "2101", "9999"])
def test_a_year_that_nothing_can_be_counted_from_is_refused(year: str) -> None:
    with pytest.raises(ValueError, match="the year must be from 1900 to 2100"):
        read_day(f"{year}-01-01")


@pytest.mark.parametrize(
    "text", ["", "soon", "20270309", "2027-W10-2", "2027-02-30", "2027-03-09T10:00", "12345678901-01-01"]
)
def test_anything_else_is_no_day(text: str) -> None:
    with pytest.raises(ValueError, match="is not a day; expected YYYY-MM-DD"):
        read_day(text)
