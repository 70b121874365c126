"""Authorities that become one: related before, a pair until the day, one authority from then on."""

from datetime import date, timedelta

from matching.assessment import Assessment, Band, GateCode
from matching.coalitions import GroupPlan
from matching.features import kin_of, related_to
from matching.plan import Window
from matching.successions import dissolutions, merger_of
from tests.unit.matching.builders import AS_OF, LEEDS, engine, features, plan

ELMBRIDGE, EPSOM, WOKING, COUNTY = "E07000207", "E07000208", "E07000217", "E10000030"
EAST, WEST = "GB-X-East-Surrey-Council", "GB-X-West-Surrey-Council"
VESTING = date(2027, 4, 1)
LATE = Window(date(2028, 6, 1), date(2028, 9, 30))
SENTENCE = "Both will be one authority on 1 April 2027: East Surrey Council. This will be one purchase of its own."


def assess(one: str, other: str, as_of: date = AS_OF) -> Assessment:
    pair = [features(plan(code, tender_window=LATE)) for code in (one, other)]
    return engine().assess(*pair, as_of)


def test_two_that_will_be_one_are_told_so_until_the_day_and_are_no_pair_from_then_on() -> None:
    before = assess(ELMBRIDGE, EPSOM)
    assert before.band is Band.NOTIFY
    assert before.reasons[1] == SENTENCE
    assert before.review_on == VESTING, "time alone changes the judgement"
    assert assess(ELMBRIDGE, EPSOM, VESTING - timedelta(1)).gates == ()
    (gate,) = assess(ELMBRIDGE, EPSOM, VESTING).gates
    assert gate.code is GateCode.RELATED_AUTHORITY
    assert gate.sentence == "Both are one authority since 1 April 2027: East Surrey Council."


def test_authorities_with_different_successors_stay_a_pair() -> None:
    assert merger_of(ELMBRIDGE, WOKING) is None
    assert assess(ELMBRIDGE, WOKING, VESTING).band is Band.NOTIFY
    assert merger_of(ELMBRIDGE, LEEDS) is None


def test_a_divided_authority_only_may_become_one_with_another() -> None:
    found = assess(ELMBRIDGE, COUNTY)
    assert "Both may be one authority on 1 April 2027: East Surrey Council." in found.reasons
    assert assess(ELMBRIDGE, COUNTY, VESTING).band is Band.NOTIFY
    assert dissolutions(VESTING)[COUNTY] is None


def test_a_successor_is_related_to_its_predecessors_before_the_day() -> None:
    assert EAST in related_to(ELMBRIDGE)
    assert {ELMBRIDGE, EPSOM, COUNTY} < related_to(EAST)
    assert EPSOM not in related_to(ELMBRIDGE)
    (gate,) = assess(ELMBRIDGE, EAST).gates
    assert gate.code is GateCode.RELATED_AUTHORITY


def test_two_that_will_be_one_stand_in_no_group() -> None:
    one, other, third = (GroupPlan(f"{code}:1", code, LATE, kin_of(code)) for code in (ELMBRIDGE, EPSOM, WOKING))
    assert one.is_kin(other)
    assert not one.is_kin(third)
    assert COUNTY not in kin_of(ELMBRIDGE), "a part is not certain"


def test_nobody_is_dissolved_before_the_day() -> None:
    assert dissolutions(VESTING - timedelta(1)) == {}
    heir = dissolutions(VESTING)[ELMBRIDGE]
    assert heir is not None
    assert heir.successor == EAST
