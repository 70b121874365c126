"""The days a coalition goes by, as a table of cases with the days expected."""

from datetime import date

import pytest

from matching.calendar import Nation
from services.domain.deadlines import (
    DeadlineError,
    check_new_reply_by,
    coalition_dates,
    last_reply_day,
    reminder_days,
    reply_by,
)

ENGLAND, SCOTLAND, WALES, NORTHERN_IRELAND = Nation.ENGLAND, Nation.SCOTLAND, Nation.WALES, Nation.NORTHERN_IRELAND


def _day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("together_from", "preparation", "value", "nations", "decide_by"),
    [
        # Preparation and governance: 20 days up to £500,000, 45 above, 20 where the value is unknown.
        ("2027-07-01", 90, 400_000, [ENGLAND], "2027-03-12"),
        ("2027-07-01", 90, 500_000, [ENGLAND], "2027-03-12"),
        ("2027-07-01", 90, 500_001, [ENGLAND], "2027-02-16"),
        ("2027-07-01", 90, None, [ENGLAND], "2027-03-12"),
        ("2027-07-01", 60, 400_000, [ENGLAND], "2027-04-12"),
        ("2027-07-01", 120, 600_000, [ENGLAND], "2027-01-15"),
        ("2028-05-20", 60, 400_000, [ENGLAND], "2028-03-01"),
        # Weekends.
        ("2027-06-26", 90, 400_000, [ENGLAND], "2027-03-08"),
        ("2027-07-02", 90, 400_000, [ENGLAND], "2027-03-12"),
        ("2027-07-03", 90, 400_000, [ENGLAND], "2027-03-15"),
        # Easter: Monday 29 March is a holiday in England, not in Scotland; Good Friday is one in both.
        ("2027-07-16", 90, 400_000, [ENGLAND], "2027-03-25"),
        ("2027-07-17", 90, 400_000, [ENGLAND], "2027-03-25"),
        ("2027-07-17", 90, 400_000, [SCOTLAND], "2027-03-29"),
        ("2027-07-17", 90, 400_000, [ENGLAND, SCOTLAND], "2027-03-25"),
        # Christmas.
        ("2027-04-05", 60, 600_000, [ENGLAND], "2026-12-18"),
        ("2027-04-10", 90, 400_000, [ENGLAND], "2026-12-18"),
        ("2027-04-19", 60, 600_000, [ENGLAND], "2026-12-18"),
        ("2027-04-20", 60, 600_000, [ENGLAND], "2027-01-05"),
        # One nation's own holidays.
        ("2027-10-21", 60, 400_000, [SCOTLAND], "2027-07-30"),
        ("2027-10-21", 60, 400_000, [ENGLAND], "2027-08-02"),
        ("2027-11-18", 60, 400_000, [ENGLAND], "2027-08-27"),
        ("2027-11-18", 60, 400_000, [SCOTLAND], "2027-08-30"),
        ("2028-02-18", 60, 400_000, [SCOTLAND], "2027-11-29"),
        ("2028-02-18", 60, 400_000, [ENGLAND], "2027-11-30"),
        ("2027-10-30", 90, 400_000, [NORTHERN_IRELAND], "2027-07-09"),
        ("2027-10-30", 90, 400_000, [WALES], "2027-07-12"),
        # Beyond the official list.
        ("2031-07-03", 60, 400_000, [ENGLAND], "2031-04-10"),
    ],
)
def test_decide_by(
    together_from: str, preparation: int, value: float | None, nations: list[Nation], decide_by: str
) -> None:
    assert coalition_dates(_day(together_from), preparation, value, nations).decide_by == _day(decide_by)


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
        # Never after decide-by, 12 March.
        ("2027-02-12", "2027-07-01", [ENGLAND], 20, "2027-03-12", ["2027-02-26", "2027-03-05"]),
        ("2027-02-12", "2027-07-01", [ENGLAND], 40, "2027-03-12", ["2027-02-26", "2027-03-05"]),
        # Ten working days left, the fewest; the two reminders would be too close.
        ("2027-02-26", "2027-07-01", [ENGLAND], 20, "2027-03-12", ["2027-03-05"]),
        ("2027-02-24", "2027-07-01", [ENGLAND], 20, "2027-03-12", ["2027-03-05"]),
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
    dates = coalition_dates(_day(together_from), 90, 400_000, nations)
    found = reply_by(_day(invited_on), dates, nations, working_days)
    assert found == _day(due)
    assert [day.isoformat() for day in reminder_days(_day(invited_on), found, nations)] == reminders


@pytest.mark.parametrize(
    ("invited_on", "working_days", "sentence"),
    [
        ("2027-03-01", 20, "only 9 working days are left"),
        ("2027-03-12", 20, "only 0 working days are left"),
        ("2027-06-01", 20, "only 0 working days are left"),
        ("2026-11-26", 9, "10 to 40 working days"),
        ("2026-11-26", 41, "10 to 40 working days"),
    ],
)
def test_no_invitation_that_nobody_could_answer(invited_on: str, working_days: int, sentence: str) -> None:
    dates = coalition_dates(_day("2027-07-01"), 90, 400_000, [ENGLAND])
    with pytest.raises(DeadlineError, match=sentence):
        reply_by(_day(invited_on), dates, [ENGLAND], working_days)


@pytest.mark.parametrize(
    ("proposed", "sentence"),
    [
        ("2027-02-01", None),
        ("2027-01-08", None),
        ("2027-03-12", None),
        ("2027-01-07", "only move later"),
        ("2027-03-15", "can't be after 2027-03-12"),
        ("2027-01-30", "no working day"),
    ],
)
def test_reply_by_moves_later_while_there_is_time(proposed: str, sentence: str | None) -> None:
    dates = coalition_dates(_day("2027-07-01"), 90, 400_000, [ENGLAND])
    if sentence is None:
        check_new_reply_by(_day("2027-01-08"), _day(proposed), dates, [ENGLAND])
        return
    with pytest.raises(DeadlineError, match=sentence):
        check_new_reply_by(_day("2027-01-08"), _day(proposed), dates, [ENGLAND])


def test_answers_are_in_two_working_days_before_the_tender_notice() -> None:
    dates = coalition_dates(_day("2027-06-01"), 0, None, [ENGLAND])
    assert dates.decide_by == _day("2027-05-12")
    late = coalition_dates(_day("2027-06-01"), -19, None, [ENGLAND])
    assert last_reply_day(late, [ENGLAND]) == _day("2027-05-27")
