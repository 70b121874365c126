"""What holds a pair down, whatever its score: posts, values far apart, short common windows; and what they are not."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from matching.assessment import Assessment, Band, LimitCode
from matching.plan import Window
from matching.scorer import NATURES
from tests.unit.matching.builders import AS_OF, LEEDS, YORK, engine, features, plan

ROLE = tuple(float(nature == "role") for nature in NATURES)
SYSTEM = tuple(float(nature == "software") for nature in NATURES)
HIRE = tuple(float(nature == "hire") for nature in NATURES)
UNCLEAR = (1 / len(NATURES),) * len(NATURES)
SAID = "Payroll, pensions and personnel records for all staff, with a portal for managers and reports for the ledger."


def assess(mine: Any = None, theirs: Any = None, natures: Any = (SYSTEM, SYSTEM)) -> Assessment:
    """Two plans that are alike but for these changes."""
    pair = [
        replace(features(plan(authority, description=SAID, **(changes or {}))), nature=nature)
        for authority, changes, nature in ((LEEDS, mine, natures[0]), (YORK, theirs, natures[1]))
    ]
    return engine().assess(pair[0], pair[1], AS_OF)


def codes(found: Assessment) -> list[str]:
    return [limit.code for limit in found.limits]


def test_nothing_holds_two_like_plans_down() -> None:
    found = assess()
    assert found.limits == ()
    assert found.band is Band.NOTIFY


@pytest.mark.parametrize("natures", [(ROLE, ROLE), (ROLE, UNCLEAR), (UNCLEAR, ROLE)])
def test_a_post_is_never_notified(natures: Any) -> None:
    found = assess(natures=natures)
    assert codes(found) == [LimitCode.ROLE]
    assert found.score >= engine().policy.bands.notify
    assert found.band is Band.DIGEST
    assert found.specification_band is Band.DIGEST
    assert any("a post or a team" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("natures", "held"),
    [((HIRE, SYSTEM), True), ((SYSTEM, ROLE), True), ((HIRE, UNCLEAR), False), ((HIRE, HIRE), False)],
)
def test_different_natures_are_digest_at_most(natures: Any, *, held: bool) -> None:
    found = assess(natures=natures)
    assert codes(found) == [LimitCode.OTHER_NATURE] * held
    assert found.specification_band is (Band.DIGEST if held else Band.NOTIFY)


@pytest.mark.parametrize(
    ("mine", "theirs", "held"),
    [
        (100_000.0, 1_999_000.0, False),
        (100_000.0, 2_000_000.0, True),
        (2_000_000.0, 100_000.0, True),
        (None, 2_000_000.0, False),
        (1.0, 2_000_000.0, False),  # a token amount is no value
    ],
)
def test_values_twenty_times_apart_are_digest_at_most(mine: float | None, theirs: float | None, *, held: bool) -> None:
    found = assess({"value": mine}, {"value": theirs})
    assert codes(found) == [LimitCode.VALUES_APART] * held
    assert any("20 times" in reason for reason in found.reasons) is held
    assert (found.specification_band is Band.NOTIFY) is not held


@pytest.mark.parametrize(("days", "held"), [(1, True), (14, True), (15, False)])
def test_a_common_window_under_fifteen_days_is_digest_at_most(days: int, *, held: bool) -> None:
    begin = date(2027, 9, 30) - timedelta(days=days - 1)
    found = assess(theirs={"tender_window": Window(begin, date(2027, 12, 31))})
    assert codes(found) == [LimitCode.SHORT_WINDOW] * held
    assert found.band is not (Band.NOTIFY if held else Band.NONE)
    # The requirement knows no days.
    assert found.specification_band is Band.NOTIFY


@pytest.mark.parametrize("value", [49_999.0, 100.0])
def test_a_plan_below_the_floor_joins_nobody(value: float) -> None:
    found = assess({"value": value}, {"value": 9_000_000.0})
    assert "too-small" in [gate.code for gate in found.gates]
    assert not features(plan(value=value)).is_joinable
    assert found.specification_band is Band.NONE


@pytest.mark.parametrize("value", [None, 0.0, 1.0, 99.0, 50_000.0])
def test_unknown_and_token_values_are_not_small(value: float | None) -> None:
    assert features(plan(value=value)).is_joinable
    found = assess({"value": value})
    assert found.gates == ()
    assert not any("£0" in reason or "£1 " in reason for reason in found.reasons)


@pytest.mark.parametrize(("as_of", "held"), [(date(2027, 2, 11), False), (date(2027, 2, 12), True)])
def test_past_the_day_to_decide_by_a_pair_is_digest_at_most(as_of: date, *, held: bool) -> None:
    one, other = (features(plan(authority, description=SAID)) for authority in (LEEDS, YORK))
    found = engine().assess(one, other, as_of)
    assert found.decide_by == date(2027, 2, 11)
    assert codes(found) == [LimitCode.LATE_DECISION] * held
    assert found.band is (Band.DIGEST if held else Band.NOTIFY)
    said = "To tender together from 1 June 2027, both had to decide by 11 February 2027."
    assert (said in found.reasons) is held
    assert any(reason.startswith("Decide by") for reason in found.reasons) is not held
