"""Authorities that become one: related before, a pair until the day, one authority from then on."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from matching.assessment import Assessment, Band, GateCode
from matching.coalitions import GroupPlan
from matching.engine import Engine
from matching.features import kin_of, related_to
from matching.plan import Window
from matching.successions import Succession, SuccessionError, SuccessionKind, decided, dissolutions, merger_of
from services.domain.reorganisation import name_on
from tests.support.successions import in_effect
from tests.unit.matching.builders import AS_OF, LEEDS, engine, features, plan

ELMBRIDGE, EPSOM, WOKING, COUNTY = "E07000207", "E07000208", "E07000217", "E10000030"
EAST, WEST = "GB-X-East-Surrey-Council", "GB-X-West-Surrey-Council"
VESTING = date(2027, 4, 1)
LATE = Window(date(2028, 6, 1), date(2028, 9, 30))
SENTENCE = "Both will be one authority on 1 April 2027: East Surrey Council. This will be one purchase of its own."


def assess(one: str, other: str, as_of: date = AS_OF) -> Assessment:
    pair = [features(plan(code, tender_window=LATE)) for code in (one, other)]
    return engine().assess(*pair, as_of)


def test_councils_that_merge_are_no_pair_from_the_day_on() -> None:
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


BRADFORD = "E08000032"
OWN = Succession(LEEDS, "GB-X-New", "New Council", VESTING, SuccessionKind.WHOLE, "an order")


def test_own_successions_make_a_generation_of_their_own() -> None:
    shipped = Engine.load().generation.id
    assert assess(LEEDS, BRADFORD, VESTING).gates == ()
    with in_effect(OWN, replace(OWN, predecessor=BRADFORD)):
        assert Engine.load().generation.id != shipped
        assert "Both will be one authority on 1 April 2027: New Council." in assess(LEEDS, BRADFORD).reasons[1]
        (gate,) = assess(LEEDS, BRADFORD, VESTING).gates
        assert gate.sentence == "Both are one authority since 1 April 2027: New Council."
        assert BRADFORD in kin_of(LEEDS)
        assert LEEDS in related_to("GB-X-New")
        assert name_on(LEEDS, VESTING) == "New Council (for Leeds)"
        assert EAST in related_to(ELMBRIDGE), "the shipped ones stay"
    assert Engine.load().generation.id == shipped
    assert BRADFORD not in kin_of(LEEDS)


def test_own_successions_of_an_authority_replace_the_shipped_ones() -> None:
    later = Succession(ELMBRIDGE, EAST, "East Surrey Council", date(2028, 4, 1), SuccessionKind.WHOLE, "a postponement")
    with in_effect(later):
        assert [one.starts for one in decided() if one.predecessor == ELMBRIDGE] == [date(2028, 4, 1)]
        assert ELMBRIDGE not in dissolutions(VESTING)
        assert EPSOM in dissolutions(VESTING)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"kind": SuccessionKind.PART}, "E08000035 can't go to New Council and New Council"),
        ({"kind": SuccessionKind.PART, "starts": date(2028, 4, 1)}, "E08000035 can't go"),
    ],
)
def test_successions_that_contradict_each_other_are_refused(other: dict[str, object], why: str) -> None:
    with pytest.raises(SuccessionError, match=why), in_effect(OWN, replace(OWN, successor="GB-X-Other", **other)):  # type: ignore[arg-type]
        pass
    parts = [replace(OWN, kind=SuccessionKind.PART), replace(OWN, successor="GB-X-B", kind=SuccessionKind.PART)]
    with pytest.raises(SuccessionError, match="on two days"), in_effect(parts[0], replace(parts[1], starts=AS_OF)):
        pass
    with in_effect(*parts):
        assert dissolutions(VESTING)[LEEDS] is None
