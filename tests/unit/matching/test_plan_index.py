"""The index finds what comparing one by one finds, also after plans changed and others were dropped."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest

from matching.candidates.plan_index import PlanIndex
from matching.engine import Features
from matching.plan import Window
from matching.plan_set import PlanSet
from tests.unit.matching.builders import AS_OF, CAMDEN, GLASGOW, ISLINGTON, LEEDS, YORK, engine, features, plan

TITLES = (
    "HR and payroll system",
    "Payroll software",
    "Road resurfacing",
    "School meals",
    "Cleaning of council offices",
)
WINDOWS = (
    Window(date(2027, 6, 1), date(2027, 9, 30)),
    Window(date(2027, 9, 1), date(2027, 12, 31)),
    Window(date(2028, 6, 1), date(2028, 9, 30)),
    Window(date(2026, 1, 1), date(2026, 3, 31)),
)


@cache
def some_plans() -> list[Features]:
    """Every title at every council in every window: some are bought locally, some windows never meet, one is over."""
    return [
        features(
            plan(
                authority,
                title,
                plan_id=f"{authority}:{t}-{w}",
                description=f"{title} for our residents, staff and schools.",
                tender_window=window,
                cpv=(),
            )
        )
        for authority in (LEEDS, YORK, CAMDEN, ISLINGTON, GLASGOW)
        for t, title in enumerate(TITLES)
        for w, window in enumerate(WINDOWS)
    ]


def index_of(plans: Sequence[Features], **limits: int) -> PlanIndex:
    index = PlanIndex(**limits)
    index.upsert([engine().index_entry(one) for one in plans])
    return index


def candidates(index: PlanIndex, one: Features) -> dict[str, int]:
    query = engine().index_query(one, engine().pair_vector(one))
    (found,) = index.search([query], AS_OF.toordinal(), engine().policy)
    return found


def opportunities(plans: Sequence[Features], one: Features) -> set[str]:
    """The oracle: each pair is judged by itself."""
    return {
        other.plan.plan_id
        for other in plans
        if other is not one and engine().assess_if_opportunity(one, other, AS_OF) is not None
    }


def test_every_opportunity_is_a_candidate() -> None:
    plans = some_plans()
    index = index_of(plans)
    expected = {one.plan.plan_id: opportunities(plans, one) for one in plans}
    found = {one.plan.plan_id: set(candidates(index, one)) for one in plans}
    assert sum(map(len, expected.values())) > 100
    assert not [plan_id for plan_id, others in expected.items() if not others <= found[plan_id]]


def test_time_place_and_authority_close_no_candidate() -> None:
    plans = some_plans()
    index, by_id = index_of(plans), {one.plan.plan_id: one for one in plans}
    closed = {
        gate.code
        for one in plans
        for other in candidates(index, one)
        for gate in engine().assess(one, by_id[other], AS_OF).gates
    }
    assert closed <= {"weak-specification", "too-small"}


def test_a_scan_in_blocks_finds_the_same() -> None:
    plans = some_plans()
    whole = [candidates(index_of(plans), one) for one in plans]
    assert [candidates(index_of(plans, block_products=7), one) for one in plans] == whole


def test_a_changed_plan_replaces_its_row() -> None:
    plans = some_plans()
    index = index_of(plans)
    changed = [replace(one, plan=replace(one.plan, revision=2)) for one in plans[:30]]
    index.upsert([engine().index_entry(one) for one in changed])
    index.remove([one.plan.plan_id for one in plans[20:60]] + ["nobody's"])
    index.upsert([engine().index_entry(one) for one in plans[50:60]])
    left = [*changed[:20], *plans[50:]]
    assert len(index) == len(left)
    expected = index_of(left)
    for one in left:
        assert candidates(index, one) == candidates(expected, one)
        vector = index.vector(one.plan.plan_id, one.plan.revision)
        assert vector is not None
        assert np.array_equal(vector, engine().pair_vector(one))
    assert index.vector(changed[0].plan.plan_id, 1) is None


@pytest.mark.parametrize("limit", [1, 7])
def test_the_nearest_have_the_largest_products(limit: int) -> None:
    plans = some_plans()
    asked = engine().pair_vector(plans[0])
    best = sorted((float(engine().pair_vector(one) @ asked) for one in plans), reverse=True)[:limit]
    by_id = {one.plan.plan_id: one for one in plans}
    found = index_of(plans).nearest(asked, limit)
    assert sorted((float(engine().pair_vector(by_id[key]) @ asked) for key in found), reverse=True) == pytest.approx(
        best
    )


def test_too_many_candidates_are_cut_to_the_nearest() -> None:
    plans = some_plans()
    index = index_of(plans)
    one = plans[0]
    found = candidates(index, one)
    assert len(found) > 2
    limited = index_of(plans, max_candidates=2)
    products = {other.plan.plan_id: float(engine().pair_vector(other) @ engine().pair_vector(one)) for other in plans}
    nearest = sorted((products[key] for key in found), reverse=True)[:2]
    assert sorted((products[key] for key in candidates(limited, one)), reverse=True) == pytest.approx(nearest)


def test_an_empty_index_finds_nothing() -> None:
    assert candidates(PlanIndex(), some_plans()[0]) == {}
    assert index_of(some_plans()).search([], AS_OF.toordinal(), engine().policy) == []


def test_a_plan_set_finds_exactly_the_opportunities() -> None:
    plans = some_plans()
    known = PlanSet(engine())
    known.put(plans)
    found = known.search([one.plan.plan_id for one in plans], AS_OF)
    assert found == {one.plan.plan_id: sorted(opportunities(plans, one)) for one in plans}
