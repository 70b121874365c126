"""The sample ships every kind, stage and tier, of authorities that exist, and is the same on the same day."""

from dataclasses import replace
from datetime import date
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.plans import PlanAwarded, PlanPublished, PlanState, PlanUpdated, PlanWithdrawn
from matching import reference
from matching.assessment import GateCode
from matching.corpus_statistics import Statistics
from matching.encoders.loading import load_embedder
from matching.engine import Engine
from matching.plan import Plan, Status
from matching.policy import Policy
from services.cli.offline import features_of_plans
from services.local_stack.sample import sample_plans
from services.store.mapping import plan_from_payload

DAY = date(2026, 11, 22)


def _states() -> list[PlanState]:
    return [plan for plan in sample_plans(DAY) if isinstance(plan, PlanState)]


def test_it_is_large_and_wide_enough() -> None:
    plans = sample_plans(DAY)
    assert len({plan.plan_id for plan in plans}) >= 60
    assert len({plan.authority for plan in plans}) >= 30
    assert {type(plan) for plan in plans} == {PlanPublished, PlanUpdated, PlanWithdrawn, PlanAwarded}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("kind", {"new", "renewal", "extension", "project"}),
        ("stage", {"planned", "engagement", "tendering"}),
        ("sharing", {"open", "match_only", "private"}),
    ],
)
def test_everything_a_plan_may_be_occurs(field: str, values: set[str]) -> None:
    assert {getattr(plan, field) for plan in _states()} == values


def test_codes_are_real_and_regions_the_authority_s_own() -> None:
    for plan in _states():
        known = reference.authority(plan.authority)
        assert known, plan.plan_id
        assert set(plan.regions) <= set(known.regions), plan.plan_id
        assert all(reference.cpv_label(code) for code in plan.cpv), plan.plan_id


def test_an_authority_and_the_one_that_succeeded_it_both_plan() -> None:
    authorities = {plan.authority for plan in _states()}
    successors = {s for code in authorities for s in (reference.authority(code) or _none()).successors}
    assert successors & authorities


def test_every_gate_holds_somewhere(tmp_path: Path) -> None:
    plans: dict[str, Plan] = {}
    for event in sample_plans(DAY):
        if isinstance(event, PlanState):
            plans[event.plan_id] = plan_from_payload(event)
        else:
            status = Status.WITHDRAWN if isinstance(event, PlanWithdrawn) else Status.AWARDED
            plans[event.plan_id] = replace(plans[event.plan_id], status=status)
    embedder = load_embedder("hashing")
    engine = Engine.load(policy=Policy.load(), statistics=Statistics.load(), model=embedder.model)
    features = features_of_plans(list(plans.values()), engine, embedder, tmp_path / "embeddings.sqlite")
    pairs = (engine.assess(a, b, DAY) for a, b in combinations(features, 2))
    assert {gate.code for pair in pairs for gate in pair.gates} == set(GateCode)


def test_some_windows_are_over_some_nearly_and_most_ahead() -> None:
    latest = [plan.tender_window.latest for plan in _states()]
    assert min(latest) < DAY
    assert any(DAY <= day < date(2027, 1, 22) for day in latest)
    assert sum(day > date(2027, 1, 22) for day in latest) > 60


@given(st.dates(date(2024, 1, 1), date(2060, 12, 31)))
def test_on_any_day_it_is_valid_and_always_the_same(day: date) -> None:
    assert sample_plans(day) == sample_plans(day)


def test_revisions_rise_per_plan() -> None:
    last: dict[str, int] = {}
    for plan in sample_plans(DAY):
        assert plan.revision > last.get(plan.plan_id, 0)
        last[plan.plan_id] = plan.revision


def test_no_person_is_in_it() -> None:
    assert not any("@" in f"{plan.title}{plan.description}" for plan in _states())


def _none() -> reference.Authority:
    raise AssertionError("an unknown authority")
