"""Groups on a file of real plans: how many, how sound, how steady; beside two ways that one would otherwise take.

    python -m tests.bench.coalition_formation --plans FILE --as-of 2026-12-01

Prints one JSON object. Steadiness: the scores of one plan's pairs move by up to eight points either way, as an edit of
its words does; counted are the edits that change any group, and those that change a group without the edited plan.
A pair that was in stays in down to five points below, as the matcher's bands do; `no_hysteresis` is without that.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx

from matching.assessment import Band
from matching.coalitions import Fit, FitGraph, GroupPlan, put_forward
from matching.encoders.loading import load_embedder
from matching.engine import Engine
from matching.features import kin_of
from matching.plan_set import PlanSet
from services.cli.offline import default_cache, features_of_plans, read_plans

Groups = set[frozenset[str]]
Edges = list[tuple[str, str, Fit]]

EDITS, ORDERS, MOVED_BY, HYSTERESIS = 300, 20, 8.0, 5.0


def load(path: Path, as_of: date, model: str) -> tuple[list[GroupPlan], Edges, float]:
    """The plans and all their pairs from feed up, and the least score of a group's pair."""
    embedder = load_embedder(model)
    engine = Engine.load(model=embedder.model)
    features = list(features_of_plans(read_plans(path), engine, embedder, default_cache()))
    known = PlanSet(engine)
    known.put(features)
    by_id = {one.plan.plan_id: one for one in features}
    edges: Edges = []
    for plan_id, partners in known.search(sorted(by_id), as_of).items():
        for other in partners:
            if plan_id < other:
                found = engine.assess(by_id[plan_id], by_id[other], as_of)
                if found.common_window and found.band is not Band.NONE:
                    edges.append((plan_id, other, Fit(found.score, found.common_window, found.lead_days)))
    plans = [
        GroupPlan(one.plan.plan_id, one.plan.authority, one.plan.tender_window, kin_of(one.plan.authority))
        for one in features
    ]
    return plans, edges, engine.policy.bands.digest


def ours(plans: Iterable[GroupPlan], edges: Edges, as_of: date) -> Groups:
    """The groups that are put forward."""
    graph = FitGraph.build(plans, edges)
    return {frozenset(group.members) for group in put_forward(graph, sorted(graph.plans), as_of)}


def components(_: Iterable[GroupPlan], edges: Edges, __: date) -> Groups:
    """Connected components of three and more."""
    return {frozenset(one) for one in networkx.connected_components(_graph(edges)) if len(one) >= 3}


def maximal_cliques(_: Iterable[GroupPlan], edges: Edges, __: date) -> Groups:
    """Maximal cliques of three and more."""
    return {frozenset(one) for one in networkx.find_cliques(_graph(edges)) if len(one) >= 3}


def describe(groups: Groups, edges: Edges) -> dict[str, Any]:
    """How many groups there are, in how many all fit, how many plans they cover and how often."""
    fits = {frozenset(edge[:2]) for edge in edges}
    covered = [plan_id for group in groups for plan_id in group]
    return {
        "groups": len(groups),
        "all_fit": sum(all(frozenset(pair) in fits for pair in combinations(group, 2)) for group in groups),
        "plans": len(set(covered)),
        "largest": max(map(len, groups), default=0),
        "groups_a_plan": round(len(covered) / max(1, len(set(covered))), 2),
        "most_groups_of_a_plan": max((covered.count(plan_id) for plan_id in set(covered)), default=0),
    }


def steadiness(
    form: Callable[[Iterable[GroupPlan], Edges, date], Groups],
    plans: list[GroupPlan],
    everything: Edges,
    least: float,
    as_of: date,
    seed: int,
    hysteresis: float,
) -> dict[str, float]:
    """The share of edits that change a group, and that change one without the edited plan."""
    dice = random.Random(seed)
    first = [edge for edge in everything if edge[2].score >= least]
    inside = {edge[:2] for edge in first}
    before = form(plans, first, as_of)
    known = sorted({plan_id for edge in everything for plan_id in edge[:2]})
    any_group = elsewhere = 0
    for _ in range(EDITS):
        edited, by = dice.choice(known), dice.uniform(-MOVED_BY, MOVED_BY)
        moved = [
            (one, other, replace(fit, score=fit.score + by) if edited in (one, other) else fit)
            for one, other, fit in everything
        ]
        kept = [edge for edge in moved if edge[2].score >= least - (hysteresis if edge[:2] in inside else 0)]
        changed = form(plans, kept, as_of) ^ before
        any_group += bool(changed)
        elsewhere += any(edited not in group for group in changed)
    return {"any_group": round(any_group / EDITS, 3), "without_the_plan": round(elsewhere / EDITS, 3)}


def _graph(edges: Edges) -> Any:
    return networkx.Graph([edge[:2] for edge in edges])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=Path, required=True)
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    plans, everything, least = load(given.plans, given.as_of, given.model)
    edges = [edge for edge in everything if edge[2].score >= least]
    started = time.perf_counter()
    groups = ours(plans, edges, given.as_of)
    seconds = time.perf_counter() - started
    dice = random.Random(given.seed)
    orders = sum(
        ours(dice.sample(plans, len(plans)), dice.sample(edges, len(edges)), given.as_of) == groups
        for _ in range(ORDERS)
    )
    measured: dict[str, Any] = {
        "plans": len(plans),
        "pairs": len(edges),
        "in_a_triangle": len({one for clique in maximal_cliques(plans, edges, given.as_of) for one in clique}),
        "orders_alike": f"{orders} of {ORDERS}",
        "seconds": round(seconds, 3),
    }
    for form in (ours, maximal_cliques, components):
        found = form(plans, edges, given.as_of)
        steady, bare = (
            steadiness(form, plans, everything, least, given.as_of, given.seed, points) for points in (HYSTERESIS, 0.0)
        )
        measured[form.__name__] = {**describe(found, edges), "edits_that_change": steady, "no_hysteresis": bare}
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
