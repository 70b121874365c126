"""The days a coalition goes by, as a table of cases with the days expected."""

from datetime import date

import pytest

from matching.calendar import Nation
from matching.lead_time import decide_by
from services.domain.deadlines import (
    CoalitionDates,
    DeadlineError,
    check_new_reply_by,
    last_reply_day,
    reminder_days,
    reply_by,
    reply_periods,
)

ENGLAND, SCOTLAND = Nation.ENGLAND, Nation.SCOTLAND


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _dates(together_from: str, nations: list[Nation], lead_days: int = 110) -> CoalitionDates:
    day = _day(together_from)
    decide = decide_by(day.toordinal(), lead_days, day.toordinal(), frozenset(nations))
    return CoalitionDates(day, date.fromordinal(decide))


@pytest.mark.parametrize(
    ("invited_on", "together_from", "nations", "working_days", "due", "reminders"),
    [
        # 20 working days by default; the days around Christmas don't count.
        ("2026-11-26", "2027-07-01", [ENGLAND], 20, "2027-01-08", ["2026-12-10", "2026-12-17"]),
        ("2026-11-27", "2027-07-01", [ENGLAND], 20, "2027-01-11", ["2026-12-11", "2026-12-18"]),
        ("2026-11-26", "2027-07-01", [ENGLAND, SCOTLAND], 20, "2027-01-11", ["2026-12-11", "2026-12-18"]),
        ("2026-11-26", "2027-07-01", [ENGLAND], 10, "2026-12-10", ["2026-12-03"]),
        ("2026-11-26", "2027-07-01", [ENGLAND], 40, "2027-02-05", ["2027-01-08", "2027-01-29"]),
        ("2026-12-18", "2027-07-01", [ENGLAND], 20, "2027-02-01", ["2027-01-18", "2027-01-25"]),
        # Invited on a day on which nobody works.
        ("2026-12-24", "2027-07-01", [ENGLAND], 10, "2027-01-18", ["2027-01-11"]),
        ("2027-01-02", "2027-07-01", [ENGLAND], 10, "2027-01-18", ["2027-01-11"]),
        # Never less than five working days before decide-by, 12 March.
        ("2027-02-05", "2027-07-01", [ENGLAND], 20, "2027-03-05", ["2027-02-19", "2027-02-26"]),
        ("2027-02-05", "2027-07-01", [ENGLAND], 40, "2027-03-05", ["2027-02-19", "2027-02-26"]),
        # Ten working days left, the fewest; the two reminders would be too close.
        ("2027-02-19", "2027-07-01", [ENGLAND], 20, "2027-03-05", ["2027-02-26"]),
        ("2027-02-17", "2027-07-01", [ENGLAND], 20, "2027-03-05", ["2027-02-26"]),
        # Easter Monday.
        ("2027-03-12", "2027-09-01", [ENGLAND], 20, "2027-04-13", ["2027-03-30", "2027-04-06"]),
        ("2027-03-12", "2027-09-01", [SCOTLAND], 20, "2027-04-12", ["2027-03-29", "2027-04-05"]),
    ],
)
def test_reply_by(
    invited_on: str,
    together_from: str,
    nations: list[Nation],
    working_days: int,
    due: str,
    reminders: list[str],
) -> None:
    dates = _dates(together_from, nations)
    found = reply_by(_day(invited_on), dates, nations, working_days)
    assert found == _day(due)
    assert [day.isoformat() for day in reminder_days(_day(invited_on), found, nations)] == reminders


@pytest.mark.parametrize(
    ("invited_on", "working_days", "sentence"),
    [
        ("2027-02-22", 20, "only 9 working days are left"),
        ("2027-03-12", 20, "only 0 working days are left"),
        ("2027-06-01", 20, "only 0 working days are left"),
        ("2026-11-26", 9, "10 to 40 working days"),
        ("2026-11-26", 41, "10 to 40 working days"),
    ],
)
def test_no_invitation_that_nobody_could_answer(invited_on: str, working_days: int, sentence: str) -> None:
    dates = _dates("2027-07-01", [ENGLAND])
    with pytest.raises(DeadlineError, match=sentence):
        reply_by(_day(invited_on), dates, [ENGLAND], working_days)


@pytest.mark.parametrize(
    ("proposed", "sentence"),
    [
        ("2027-02-01", None),
        ("2027-01-08", None),
        ("2027-03-05", None),
        ("2027-01-07", "only move later"),
        ("2027-03-08", "can't be after 2027-03-05"),
        ("2027-01-30", "no working day"),
    ],
)
def test_reply_by_moves_later_while_there_is_time(proposed: str, sentence: str | None) -> None:
    dates = _dates("2027-07-01", [ENGLAND])
    if sentence is None:
        check_new_reply_by(_day("2027-01-08"), _day(proposed), dates, [ENGLAND])
        return
    with pytest.raises(DeadlineError, match=sentence):
        check_new_reply_by(_day("2027-01-08"), _day(proposed), dates, [ENGLAND])


@pytest.mark.parametrize(
    ("invited_on", "fitting"),
    [
        ("2026-11-26", (10, 15, 20, 30, 40)),
        ("2027-02-05", (10, 15, 20)),
        ("2027-02-12", (10, 15)),
        ("2027-02-19", (10,)),
        # Too late; the rule refuses it with its reason.
        ("2027-02-22", (10,)),
    ],
)
def test_only_periods_that_fit_are_offered(invited_on: str, fitting: tuple[int, ...]) -> None:
    dates = _dates("2027-07-01", [ENGLAND])
    assert reply_periods(_day(invited_on), dates, [ENGLAND]) == fitting
    if invited_on != "2027-02-22":
        dues = [reply_by(_day(invited_on), dates, [ENGLAND], days) for days in fitting]
        assert len(set(dues)) == len(dues), "each period ends on a day of its own"


def test_five_working_days_are_left_for_the_decision() -> None:
    dates = _dates("2027-06-01", [ENGLAND], 20)
    assert (dates.decide_by, last_reply_day(dates, [ENGLAND])) == (_day("2027-05-12"), _day("2027-05-05"))
    # Easter and Christmas are no working days.
    easter = CoalitionDates(_day("2027-07-01"), _day("2027-03-31"))
    assert last_reply_day(easter, [ENGLAND]) == _day("2027-03-22")
