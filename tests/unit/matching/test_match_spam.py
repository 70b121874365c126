"""Text made to match everything is no requirement, whoever else has published and in whatever order."""

from datetime import date

import pytest

from events.plans import PlanPublished
from matching.policy import Policy
from services.local_stack.sample import sample_plans
from tests.pipeline import AS_OF, all_pairs, engine, features_of, invented_plans

FORGER = "E06000015"
PLANS = invented_plans(120, subjects=60)
LIMITS = Policy.load().specification
DIVISIONS = [f"{number}000000" for number in (30, 33, 34, 35, 39, 44, 45, 48, 50, 60, 64, 71, 72)]


def spam(title: str, codes: list[str], description: str = "") -> PlanPublished:
    """A plan that is open to everybody in every other way: any time, any place, any value, and by default any words."""
    return PlanPublished.model_validate(
        {
            "plan_id": f"{FORGER}:SPAM",
            "revision": 1,
            "authority": FORGER,
            "title": title[:500],
            "description": description or " ".join(plan.description for plan in PLANS)[:20_000],
            "kind": "new",
            "cpv": codes,
            "tender_window": {"earliest": "2026-12-01", "latest": "2029-12-31"},
            "contract": {"extension_months": 240},
            "regions": ["UK"],
        }
    )


def reach_of(plan: PlanPublished) -> int:
    return sum(plan.plan_id in pair for pair in all_pairs([*PLANS, plan]))


ALL = " ".join(plan.title for plan in PLANS)


@pytest.mark.parametrize(("divisions", "matches"), [(0, True), (12, True), (13, False)])
def test_a_plan_of_too_many_fields_matches_nothing(divisions: int, *, matches: bool) -> None:
    copied = spam(PLANS[0].title, DIVISIONS[:divisions], PLANS[0].description)
    assert (reach_of(copied) > 0) is matches


def test_naming_everything_matches_nothing() -> None:
    assert reach_of(spam(ALL, DIVISIONS[:1])) == 0


def test_the_reason_is_told() -> None:
    everything, other = features_of([spam(ALL, []), PLANS[0]])
    gates = engine().assess(everything, other, AS_OF).gates
    assert any(gate.code == "weak-specification" and "too many things" in gate.sentence for gate in gates)


def test_no_plan_that_somebody_would_write_comes_near_the_limits() -> None:
    plans = [plan for plan in sample_plans(date(2026, 11, 22)) if isinstance(plan, PlanPublished)]
    for item in features_of(plans):
        assert len(item.title_terms) <= 0.8 * LIMITS.max_title_words
        assert len({code[:2] for code in item.cpv_codes}) <= 0.8 * LIMITS.max_cpv_divisions
