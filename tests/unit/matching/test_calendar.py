"""Working days, held against the official list of bank holidays and against days one can look up."""

from datetime import date

import pytest
from govuk_bank_holidays.bank_holidays import BankHolidays

from matching.calendar import (
    Nation,
    add_working_days,
    is_working_day,
    nation_of,
    working_day_on_or_before,
    working_days_between,
)

ENGLAND = frozenset({Nation.ENGLAND})
SCOTLAND = frozenset({Nation.SCOTLAND})


@pytest.mark.parametrize(
    ("division", "nation"),
    [
        (BankHolidays.ENGLAND_AND_WALES, Nation.ENGLAND),
        (BankHolidays.ENGLAND_AND_WALES, Nation.WALES),
        (BankHolidays.SCOTLAND, Nation.SCOTLAND),
        (BankHolidays.NORTHERN_IRELAND, Nation.NORTHERN_IRELAND),
    ],
)
def test_every_bank_holiday_of_the_official_list_is_no_working_day(division: str, nation: Nation) -> None:
    official = [entry["date"] for entry in BankHolidays(use_cached_holidays=True).get_holidays(division=division)]
    assert max(official) >= date(2028, 12, 25), "the list that came with the library ends sooner than expected"
    assert [day for day in official if is_working_day(day, [nation])] == []


@pytest.mark.parametrize(
    ("day", "nations", "works"),
    [
        (date(2027, 3, 5), ENGLAND, True),
        (date(2027, 3, 6), ENGLAND, False),
        (date(2027, 3, 7), ENGLAND, False),
        (date(2027, 3, 26), ENGLAND, False),  # Good Friday
        (date(2027, 3, 29), ENGLAND, False),  # Easter Monday
        (date(2027, 3, 29), SCOTLAND, True),
        (date(2027, 8, 2), SCOTLAND, False),  # the first Monday of August
        (date(2027, 8, 2), ENGLAND, True),
        (date(2027, 8, 30), ENGLAND, False),  # the last Monday of August
        (date(2027, 8, 30), SCOTLAND, True),
        (date(2027, 11, 30), SCOTLAND, False),  # St Andrew's Day
        (date(2027, 11, 30), ENGLAND | SCOTLAND, False),
        (date(2027, 7, 12), [Nation.NORTHERN_IRELAND], False),
        (date(2027, 3, 17), [Nation.NORTHERN_IRELAND], False),
        (date(2027, 3, 17), [Nation.WALES], True),
        (date(2026, 12, 18), ENGLAND, True),
        (date(2026, 12, 21), ENGLAND, False),
        (date(2026, 12, 31), ENGLAND, False),
        (date(2027, 1, 4), ENGLAND, False),
        (date(2027, 1, 5), ENGLAND, True),
        (date(2031, 4, 14), ENGLAND, False),  # Easter Monday, beyond the official list
    ],
)
def test_is_working_day(day: date, nations: frozenset[Nation], works: bool) -> None:
    assert is_working_day(day, nations) is works


@pytest.mark.parametrize(
    ("code", "nation"),
    [
        ("E08000035", Nation.ENGLAND),
        ("W06000015", Nation.WALES),
        ("S12000049", Nation.SCOTLAND),
        ("N09000003", Nation.NORTHERN_IRELAND),
        ("GB-PPON-PDTL-7248-GWZW", Nation.ENGLAND),
        ("S-1", Nation.ENGLAND),
    ],
)
def test_nation_of(code: str, nation: Nation) -> None:
    assert nation_of(code) is nation


def test_counting_forth_and_back_meets() -> None:
    start = date(2026, 12, 16)
    end = add_working_days(start, 5, ENGLAND)
    assert end == date(2027, 1, 7)
    assert working_days_between(start, end, ENGLAND) == 5
    assert add_working_days(end, -5, ENGLAND) == start
    assert working_days_between(end, start, ENGLAND) == 0


def test_a_day_within_the_closure_goes_back_before_christmas() -> None:
    assert working_day_on_or_before(date(2027, 1, 3), ENGLAND) == date(2026, 12, 18)
