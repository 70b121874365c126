"""What holds of formation whatever the plans: order doesn't matter, no chains, and nobody outside has a say."""

import random
from datetime import date, timedelta
from itertools import combinations

import networkx
from hypothesis import given
from hypothesis import strategies as st

from matching.coalitions import (
    Fit,
    FitGraph,
    FormationRules,
    GroupPlan,
    best_group,
    explain,
    joint_terms,
    put_forward,
)
from matching.plan import Window

AS_OF = date(2026, 12, 1)
FIRST = date(2027, 1, 1)
NO_LIMITS = FormationRules(max_members=1000, min_window_days=1)

Edges = list[tuple[str, str, Fit]]


@st.composite
def graphs(draw: st.DrawFn, *, authorities: int = 6) -> tuple[list[GroupPlan], Edges]:
    """Up to twelve plans of few authorities; of those whose windows meet, some fit each other."""
    plans = []
    for number in range(draw(st.integers(0, 12))):
        authority = f"E0700000{draw(st.integers(1, authorities))}"
        start = FIRST + timedelta(days=draw(st.integers(0, 120)))
        window = Window(start, start + timedelta(days=draw(st.integers(0, 150))))
        plans.append(GroupPlan(f"{authority}:{number}", authority, window, frozenset({authority})))
    edges: Edges = []
    for one, other in combinations(plans, 2):
        window_of_both = one.window.common(other.window)
        if window_of_both is None or one.is_kin(other) or not draw(st.booleans()):
            continue
        lead_days = draw(st.sampled_from([0, 20, 60, 120]))
        # Few different scores: equal ones happen.
        edges.append((one.plan_id, other.plan_id, Fit(float(draw(st.integers(45, 50))), window_of_both, lead_days)))
    return plans, edges


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_in_which_plans_come_changes_nothing(
    given_: tuple[list[GroupPlan], Edges], dice: random.Random
) -> None:
    plans, edges = given_
    expected = put_forward(FitGraph.build(plans, edges), sorted(plan.plan_id for plan in plans), AS_OF)
    turned = [(other, one, fit) if dice.random() < 0.5 else (one, other, fit) for one, other, fit in edges]
    dice.shuffle(turned)
    shuffled = dice.sample(plans, len(plans))
    found = put_forward(FitGraph.build(shuffled, turned), [plan.plan_id for plan in shuffled], AS_OF)
    assert found == expected


@given(graphs())
def test_every_pair_fits_and_every_limit_holds(given_: tuple[list[GroupPlan], Edges]) -> None:
    graph = FitGraph.build(*given_)
    rules = FormationRules()
    for group in put_forward(graph, graph.plans, AS_OF):
        assert rules.min_members <= len(group.members) <= rules.max_members
        for one, other in combinations(group.members, 2):
            assert graph.fit(one, other) is not None
            assert not graph.plans[one].is_kin(graph.plans[other])
        assert group == joint_terms(graph, group.members)
        assert (group.window.latest - group.window.earliest).days + 1 >= rules.min_window_days
        assert group.decide_by >= AS_OF
        agreeing = sum(best_group(graph, member, AS_OF) == group for member in group.members)
        assert 2 * agreeing >= len(group.members)
        assert explain(graph, group, AS_OF).endswith(".")


@given(graphs(), st.data())
def test_a_plan_that_is_no_neighbour_changes_nothing(
    given_: tuple[list[GroupPlan], Edges], data: st.DataObject
) -> None:
    """Whatever becomes of a plan, a group none of whose members it fits stays as it is, with its explanation."""
    plans, edges = given_
    graph = FitGraph.build(plans, edges)
    groups = put_forward(graph, graph.plans, AS_OF)
    if not groups:
        return
    group = data.draw(st.sampled_from(groups))
    near = {other for member in group.members for other in graph.neighbours(member)}
    strangers = sorted(graph.plans.keys() - near - set(group.members))
    if not strangers:
        return
    gone = data.draw(st.sampled_from(strangers))
    rest = FitGraph.build(
        [plan for plan in plans if plan.plan_id != gone], [edge for edge in edges if gone not in edge[:2]]
    )
    assert group in put_forward(rest, rest.plans, AS_OF)
    assert explain(rest, group, AS_OF) == explain(graph, group, AS_OF)


@given(graphs())
def test_three_steps_around_a_plan_decide_its_groups(given_: tuple[list[GroupPlan], Edges]) -> None:
    """What the coalition process reads from the database is enough: plans further away are never looked at."""
    plans, edges = given_
    graph = FitGraph.build(plans, edges)
    for plan in plans:
        near = {plan.plan_id}
        for _ in range(2):
            near |= {other for one in near for other in graph.neighbours(one)}
        kept = FitGraph.build(
            [one for one in plans if any(one.plan_id in graph.neighbours(two) or one.plan_id == two for two in near)],
            [edge for edge in edges if near & set(edge[:2])],
        )
        expected = put_forward(graph, [plan.plan_id], AS_OF)
        assert put_forward(kept, [plan.plan_id], AS_OF) == expected


@given(graphs(authorities=9))
def test_without_limits_a_best_group_is_a_maximal_clique(given_: tuple[list[GroupPlan], Edges]) -> None:
    plans, edges = given_
    alone = [GroupPlan(plan.plan_id, plan.plan_id, plan.window) for plan in plans]
    open_ended = Window(FIRST, FIRST + timedelta(days=600))
    graph = FitGraph.build(alone, [(one, other, Fit(fit.score, open_ended, 0)) for one, other, fit in edges])
    oracle = networkx.Graph([edge[:2] for edge in edges])
    cliques = {tuple(sorted(clique)) for clique in networkx.find_cliques(oracle)}
    for plan in alone:
        group = best_group(graph, plan.plan_id, AS_OF, NO_LIMITS)
        if plan.plan_id not in oracle:
            assert group is None
        else:
            assert group is not None
            assert group.members in cliques
