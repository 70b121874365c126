"""The day to decide by, as a table of cases with the days expected: the same for a pair and for a group."""

from datetime import date
from math import nan

import pytest

from matching.calendar import Nation
from matching.coalitions import Fit, FitGraph, GroupPlan, joint_terms
from matching.lead_time import LeadTime, decide_by, lead_time
from matching.plan import Window
from matching.policy import Policy
from tests.unit.matching.builders import AS_OF, LEEDS, YORK, engine, features, plan

ENGLAND, SCOTLAND, WALES, NORTHERN_IRELAND = Nation.ENGLAND, Nation.SCOTLAND, Nation.WALES, Nation.NORTHERN_IRELAND
POLICY = Policy.load()
GLASGOW = "S12000049"


def _day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("together_from", "preparation", "value", "nations", "expected"),
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
    together_from: str, preparation: int, value: float | None, nations: list[Nation], expected: str
) -> None:
    large = value is not None and value > POLICY.timing.large_value
    before = LeadTime(preparation, 45 if large else 20, frozenset(nations))
    opens = _day(together_from).toordinal()
    assert date.fromordinal(before.decide_by(opens, opens)) == _day(expected)


@pytest.mark.parametrize(
    ("values", "governance"), [((400_000.0, nan), 20), ((500_000.0, 500_000.0), 20), ((nan, 500_001.0), 45)]
)
def test_the_longest_preparation_and_the_largest_value_count(values: tuple[float, ...], governance: int) -> None:
    category = POLICY.default_category
    longer = max(POLICY.categories, key=lambda one: one.preparation_days)
    found = lead_time([LEEDS, GLASGOW], [category, longer], values, POLICY.timing)
    assert found == LeadTime(longer.preparation_days, governance, frozenset({ENGLAND, SCOTLAND}))
    assert found.days == longer.preparation_days + governance


def test_nobody_decides_after_the_first_window_has_ended() -> None:
    friday, saturday = date(2027, 1, 29).toordinal(), date(2027, 1, 30).toordinal()
    assert decide_by(_day("2027-09-01").toordinal(), 110, saturday, frozenset({ENGLAND})) == friday


def test_the_first_days_of_the_calendar_are_no_error() -> None:
    assert decide_by(5, 400, 5, frozenset({ENGLAND})) == 1


def test_a_pair_and_a_group_of_two_decide_by_the_same_day() -> None:
    window, later = Window(date(2027, 3, 1), date(2027, 6, 30)), Window(date(2027, 4, 17), date(2027, 8, 31))
    one, other = plan(LEEDS, tender_window=window), plan(YORK, tender_window=later, value=900_000.0)
    found = engine().assess(features(one), features(other), AS_OF)
    assert found.common_window is not None
    plans = [GroupPlan(each.plan_id, each.authority, each.tender_window) for each in (one, other)]
    fit = Fit(found.score, found.common_window, found.lead_days)
    group = joint_terms(FitGraph.build(plans, [(one.plan_id, other.plan_id, fit)]), [one.plan_id, other.plan_id])
    assert group is not None
    # 135 days before 17 April is a Thursday.
    assert group.decide_by == found.decide_by == date(2026, 12, 3)
