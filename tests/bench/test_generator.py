"""The generator: always the same, plans as long as real ones, as many partners in a large corpus as in a small one."""

from collections import Counter
from itertools import islice, pairwise

import pytest

from events.plans import PlanState
from tests.bench.corpora import corpus
from tests.bench.generator import edits, need_number, plans, updates
from tests.bench.partners import measure

FACTS = {"tender_window", "value", "regions", "revision"}


def test_a_seed_always_gives_the_same_plans() -> None:
    assert list(plans(300, seed=4)) == list(plans(300, seed=4))
    assert [plan.title for plan in plans(300, seed=4)] != [plan.title for plan in plans(300, seed=5)]


def test_plans_are_told_one_at_a_time_however_many_there_are() -> None:
    first = list(islice(plans(1_000_000), 20))
    assert len({plan.plan_id for plan in first}) == 20


def test_a_larger_corpus_holds_the_smaller_one() -> None:
    large = {plan.plan_id: plan for plan in plans(500)}
    assert all(large[plan.plan_id] == plan for plan in plans(200))
    assert len(large) == 500


def test_plans_of_one_need_come_in_far_apart() -> None:
    needs = [need_number(plan.plan_id) for plan in plans(2000)]
    neighbours = sum(one == other for one, other in pairwise(needs))
    assert neighbours < 20


@pytest.mark.parametrize(("changed", "free"), [(updates, FACTS), (edits, {"description", "revision"})])
def test_a_later_revision_changes_what_it_says_it_changes(changed: object, free: set[str]) -> None:
    assert callable(changed)
    held: dict[str, PlanState] = {plan.plan_id: plan for plan in plans(150)}
    differing = set()
    for update in changed(150, 400):
        before = held[update.plan_id]
        now = {name for name in type(update).model_fields if getattr(update, name) != getattr(before, name)}
        assert now <= free
        assert update.revision == before.revision + 1
        differing |= now
        held[update.plan_id] = update
    assert differing == free


@pytest.mark.slow
def test_partners_a_plan_stay_the_same_as_the_corpus_grows() -> None:
    small, large = (measure(count, seed=1, sample=500, model="hashing") for count in (1000, 4000))
    for found in (small, large):
        # The 3,086 real plans have 3,479 opportunities: 2.25 partners a plan.
        assert found["partners_a_plan"] == pytest.approx(2.3, abs=0.4)
        assert found["of_another_need"] < 0.4
        for band in ("notify", "digest"):
            assert found["by_band"][band] == pytest.approx(found["partners_a_plan"] * 0.38, rel=0.35)
    assert large["partners_a_plan"] == pytest.approx(small["partners_a_plan"], rel=0.15)


@pytest.mark.slow
def test_the_share_of_a_need_is_the_same_at_any_size() -> None:
    def others(size: str) -> float:
        needs = [need_number(plan.plan_id) for plan in corpus(size).active]
        held = Counter(needs)
        return sum(held[need] - 1 for need in needs) / len(needs)

    assert others("10000") == pytest.approx(others("1000"), rel=0.1)


def test_plans_kept_back_come_in_new_to_needs_that_are_there() -> None:
    held = corpus("1000")
    assert not {plan.plan_id for plan in held.new} & {plan.plan_id for plan in held.active}
    known = {need_number(plan.plan_id) for plan in held.active}
    assert sum(need_number(plan.plan_id) in known for plan in held.new) > len(held.new) / 2


@pytest.mark.slow
def test_texts_are_as_long_as_real_ones_and_some_are_said_twice() -> None:
    found = measure(1000, seed=1, sample=10, model="hashing")
    assert found["words"]["title"]["p10"] == pytest.approx(4, abs=1.5)
    assert found["words"]["title"]["p90"] == pytest.approx(15, abs=2.5)
    assert found["words"]["body_cleaned"]["p50"] == pytest.approx(21, abs=5)
    assert found["words"]["body_cleaned"]["p90"] == pytest.approx(71, abs=10)
    assert 0.02 <= found["same_text_as_another"] <= 0.12
    assert found["without_cpv"] == pytest.approx(0.55, abs=0.05)
