"""The memory of pairs that can't be an opportunity: by both plans' words, in either order, and bounded."""

from dataclasses import replace

from matching.plan import Window
from services.matcher.hopeless_pairs import HopelessPairs
from tests.unit.matching.builders import AS_OF, LEEDS, YORK, engine, features, plan

ONE = features(plan(LEEDS, "HR and payroll system"))
OTHER = features(plan(YORK, "Road resurfacing", description="Asphalt and kerbs.", plan_id=f"{YORK}:B-1"))


def test_a_pair_is_known_in_either_order() -> None:
    pairs = HopelessPairs()
    assert (ONE, OTHER) not in pairs
    pairs.add(OTHER, ONE)
    assert (ONE, OTHER) in pairs
    assert (OTHER, ONE) in pairs


def test_other_words_make_a_pair_unknown() -> None:
    pairs = HopelessPairs()
    pairs.add(ONE, OTHER)
    later = replace(ONE.plan, revision=2, value=9.0, tender_window=Window(AS_OF, AS_OF))
    assert (engine().with_revision(ONE, later), OTHER) in pairs
    assert (features(replace(ONE.plan, revision=2, title="Road works")), OTHER) not in pairs


def test_what_is_remembered_stays_hopeless_at_every_value() -> None:
    assert engine().similarity(ONE, OTHER).can_never_match
    for value in (None, 0.0, 400_000.0):
        assert engine().similarity(engine().with_revision(ONE, replace(ONE.plan, value=value)), OTHER).can_never_match


def test_the_memory_begins_anew_when_it_is_full() -> None:
    pairs = HopelessPairs(max_pairs=1)
    pairs.add(ONE, OTHER)
    pairs.add(ONE, ONE)
    assert len(pairs) == 1
    assert (ONE, OTHER) not in pairs
