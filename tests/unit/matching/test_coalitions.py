"""Coalition formation on small groups that one can check by hand: who is in, who is not, and the sentence why."""

from datetime import date
from itertools import combinations

import pytest

from matching.coalitions import (
    Fit,
    FitGraph,
    FormationRules,
    Group,
    GroupPlan,
    best_group,
    explain,
    joint_terms,
    near_miss,
    put_forward,
    why_split,
)
from matching.features import related_to
from matching.plan import Window

AS_OF = date(2026, 12, 1)
LEEDS, BRADFORD, KIRKLEES, CALDERDALE, HULL = "E08000035", "E08000032", "E08000034", "E08000033", "E06000010"
SPRING = Window(date(2027, 3, 1), date(2027, 6, 30))
SUMMER = Window(date(2027, 6, 1), date(2027, 9, 30))
AUTUMN = Window(date(2027, 9, 25), date(2027, 12, 31))
LEAD_DAYS, DECIDE_BY = 61, date(2027, 4, 1)


def _plan(authority: str, window: Window = SUMMER, reference: str = "A") -> GroupPlan:
    return GroupPlan(f"{authority}:{reference}", authority, window, related_to(authority))


def _fit(one: GroupPlan, other: GroupPlan, score: float = 60.0) -> tuple[str, str, Fit]:
    window = one.window.common(other.window)
    assert window is not None
    return one.plan_id, other.plan_id, Fit(score, window, LEAD_DAYS)


def _all_fit(plans: list[GroupPlan], score: float = 60.0) -> FitGraph:
    return FitGraph.build(plans, [_fit(one, other, score) for one, other in combinations(plans, 2)])


def _ids(*authorities: str) -> tuple[str, ...]:
    return tuple(sorted(f"{authority}:A" for authority in authorities))


def test_three_that_fit_each_other_are_put_forward() -> None:
    graph = _all_fit([_plan(LEEDS), _plan(BRADFORD), _plan(KIRKLEES)])
    assert put_forward(graph, graph.plans, AS_OF) == [
        Group(_ids(LEEDS, BRADFORD, KIRKLEES), SUMMER, LEAD_DAYS, DECIDE_BY)
    ]
    assert explain(graph, put_forward(graph, graph.plans, AS_OF)[0], AS_OF) == "These plans fit each other."


def test_a_pair_is_a_best_group_and_is_not_put_forward() -> None:
    graph = _all_fit([_plan(LEEDS), _plan(BRADFORD)])
    pair = best_group(graph, f"{LEEDS}:A", AS_OF)
    assert pair is not None
    assert pair.members == _ids(LEEDS, BRADFORD)
    assert explain(graph, pair, AS_OF) == "These plans fit each other."
    assert put_forward(graph, graph.plans, AS_OF) == []


def test_a_chain_is_no_group() -> None:
    leeds, bradford, hull = _plan(LEEDS), _plan(BRADFORD), _plan(HULL)
    graph = FitGraph.build([leeds, bradford, hull], [_fit(leeds, bradford), _fit(bradford, hull)])
    assert put_forward(graph, graph.plans, AS_OF) == []


def test_one_who_fits_all_but_one_is_named() -> None:
    four = [_plan(LEEDS), _plan(BRADFORD), _plan(KIRKLEES), _plan(CALDERDALE)]
    hull = _plan(HULL, Window(date(2027, 3, 1), date(2027, 5, 31)))
    wide = [plan for plan in four if plan.authority != LEEDS]
    wide = [GroupPlan(plan.plan_id, plan.authority, Window(SPRING.earliest, SUMMER.latest), plan.kin) for plan in wide]
    plans = [four[0], *wide, hull]
    fits = [_fit(one, other) for number, one in enumerate(plans) for other in plans[number + 1 :] if other is not hull]
    fits += [_fit(plan, hull, 50.0) for plan in wide]
    graph = FitGraph.build(plans, fits)
    [group] = put_forward(graph, graph.plans, AS_OF)
    assert group.members == _ids(LEEDS, BRADFORD, KIRKLEES, CALDERDALE)
    sentence = (
        "These plans fit each other; Kingston upon Hull was left out because its window ends before Leeds's begins."
    )
    assert explain(graph, group, AS_OF) == sentence


@pytest.mark.parametrize(
    ("score", "in_group"),
    [(70.0, True), (50.0, False)],
)
def test_of_two_plans_of_one_authority_the_better_is_taken(score: float, in_group: bool) -> None:
    three = [_plan(LEEDS), _plan(BRADFORD), _plan(KIRKLEES)]
    second = _plan(KIRKLEES, reference="B")
    graph = FitGraph.build(
        [*three, second],
        [
            *(_fit(one, other) for one, other in ((three[0], three[1]), (three[0], three[2]), (three[1], three[2]))),
            _fit(three[0], second, score),
            _fit(three[1], second, score),
        ],
    )
    [group] = put_forward(graph, graph.plans, AS_OF)
    assert (second.plan_id in group.members) is in_group
    assert near_miss(graph, group, AS_OF) is None, "nobody misses a second plan of a member"


def test_no_successor_beside_its_predecessor() -> None:
    # North Yorkshire took over from Selby on 1 April 2023.
    plans = [_plan("E06000065"), _plan("E07000169"), _plan(LEEDS)]
    graph = _all_fit(plans)
    assert put_forward(graph, graph.plans, AS_OF) == []
    graph = _all_fit([plans[0], _plan(HULL), plans[2]])
    assert len(put_forward(graph, _ids(LEEDS), AS_OF)) == 1
    graph = _all_fit([*plans, _plan(HULL)])
    group = put_forward(graph, _ids(LEEDS), AS_OF)[0]
    assert explain(graph, group, AS_OF).endswith("a plan of North Yorkshire is in the group already.")


def test_a_common_window_that_is_too_short() -> None:
    early = Window(date(2027, 6, 1), date(2027, 9, 30))
    late = Window(date(2027, 9, 20), date(2027, 12, 31))
    graph = _all_fit([_plan(LEEDS, early), _plan(BRADFORD, early), _plan(KIRKLEES, early), _plan(HULL, late)])
    [group] = put_forward(graph, graph.plans, AS_OF)
    assert group.members == _ids(LEEDS, BRADFORD, KIRKLEES)
    missed = near_miss(graph, group, AS_OF)
    assert missed is not None
    assert missed.because == "all would share only 11 days, and a joint tender needs 14"
    relaxed = FormationRules(min_window_days=11)
    assert len(put_forward(graph, graph.plans, AS_OF, relaxed)[0].members) == 4


def test_no_group_after_its_last_day() -> None:
    graph = _all_fit([_plan(LEEDS), _plan(BRADFORD), _plan(KIRKLEES)])
    assert len(put_forward(graph, graph.plans, DECIDE_BY)) == 1
    assert put_forward(graph, graph.plans, date(2027, 4, 2)) == []
    assert why_split(graph, list(graph.plans), date(2027, 4, 2)) == "All would have had to decide by 1 April 2027."


def test_at_most_eight() -> None:
    authorities = [f"E0700020{n}" for n in range(10)]
    graph = _all_fit([_plan(authority) for authority in authorities])
    [group] = put_forward(graph, graph.plans, AS_OF)
    assert group.members == tuple(f"{authority}:A" for authority in authorities[:8])
    assert explain(graph, group, AS_OF).endswith("was left out because a group has at most 8 members.")


def test_half_the_members_must_agree() -> None:
    """Leeds, Bradford and Kirklees fit; but Bradford and Kirklees are each in a larger group without Leeds."""
    leeds, bradford, kirklees = _plan(LEEDS), _plan(BRADFORD), _plan(KIRKLEES)
    fits = [_fit(leeds, bradford), _fit(leeds, kirklees), _fit(bradford, kirklees)]
    graph = FitGraph.build([leeds, bradford, kirklees], fits)
    assert len(put_forward(graph, graph.plans, AS_OF)) == 1
    here, there = ([_plan(f"E070002{place}{n}") for n in range(3)] for place in range(2))
    fits += [
        _fit(one, other) for group in ([bradford, *here], [kirklees, *there]) for one, other in combinations(group, 2)
    ]
    graph = FitGraph.build([leeds, bradford, kirklees, *here, *there], fits)
    three = _ids(LEEDS, BRADFORD, KIRKLEES)
    assert three not in [group.members for group in put_forward(graph, graph.plans, AS_OF)]
    rules = FormationRules(consensus=0.3)
    assert three in [group.members for group in put_forward(graph, graph.plans, AS_OF, rules)]


def test_company_in_common_counts_before_the_score() -> None:
    """An edit that moves one score moves no group while the same plans fit each other."""
    plans = [_plan(authority) for authority in (LEEDS, BRADFORD, KIRKLEES)]
    alone = _plan(HULL)
    for score in (40.0, 60.0, 90.0):
        edges = [_fit(one, other) for one, other in combinations(plans, 2)]
        graph = FitGraph.build([*plans, alone], [*edges, _fit(plans[0], alone, score)])
        assert [group.members for group in put_forward(graph, graph.plans, AS_OF)] == [_ids(LEEDS, BRADFORD, KIRKLEES)]
        best = best_group(graph, plans[0].plan_id, AS_OF)
        assert best is not None
        assert alone.plan_id not in best.members


def test_why_a_group_is_no_longer_one() -> None:
    three = [_plan(LEEDS), _plan(BRADFORD), _plan(KIRKLEES)]
    graph = FitGraph.build(three, [_fit(three[0], three[1]), _fit(three[0], three[2])])
    assert why_split(graph, list(graph.plans), AS_OF) == "Bradford and Kirklees no longer fit each other."
    assert why_split(_all_fit(three), [plan.plan_id for plan in three], AS_OF) == (
        "Most members now fit better with others."
    )


def test_terms_are_those_of_allcombinations() -> None:
    plans = [_plan(LEEDS, SUMMER), _plan(BRADFORD, Window(date(2027, 7, 1), date(2027, 8, 31))), _plan(HULL, SUMMER)]
    terms = joint_terms(_all_fit(plans), [plan.plan_id for plan in plans])
    assert terms is not None
    assert terms.window == Window(date(2027, 7, 1), date(2027, 8, 31))
    assert joint_terms(FitGraph.build(plans, []), [plan.plan_id for plan in plans]) is None
