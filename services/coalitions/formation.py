"""Computes the groups around changed plans: the engine's suggestions, and the coalitions that they affect."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching import coalitions as engine
from matching.coalitions import FitGraph, Group
from services.domain.coalition import Suggestion, suggest_lead
from services.domain.deadlines import CoalitionDates
from services.domain.disclosure import pounds_of
from services.store import coalitions as store
from services.store import plan_fits, plans
from services.store.coalitions import CoalitionRow
from services.store.plans import PlanRecord

MAX_ROUNDS: Final = 6
"""Groups and coalitions seldom overlap, and by little. Anything beyond is left to the next event."""


@dataclass(frozen=True, slots=True)
class Region:
    """All groups and coalitions that a change may affect. `coalitions` are the living ones, oldest first.

    `seen`: the revisions, by id, of opportunities on which nothing outside the region depends.
    """

    graph: FitGraph
    suggestions: tuple[Suggestion, ...]
    coalitions: tuple[CoalitionRow, ...]
    plans: Mapping[str, PlanRecord]
    seen: Mapping[str, int]


async def load_region(session: AsyncSession, plan_ids: Collection[str], as_of: date) -> Region:
    """Load the region around changed plans. It grows until no group in it overlaps a coalition outside."""
    seeds = set(plan_ids)
    reader = plan_fits.FitReader(session)
    graph = await reader.graph(seeds)
    seeds |= {other for plan_id in plan_ids for other in graph.neighbours(plan_id)}
    for _ in range(MAX_ROUNDS):
        graph = await reader.graph(seeds)
        groups = engine.put_forward(graph, sorted(seeds & graph.plans.keys()), as_of)
        touched = seeds | {member for group in groups for member in group.members}
        rows = await store.living_with(session, touched)
        members = {member.plan_id for row in rows for member in row.coalition.members}
        if members <= seeds:
            break
        seeds |= members
    stored = await plans.by_id(session, members | {plan_id for group in groups for plan_id in group.members})
    suggestions = tuple(suggestion_of(graph, group, stored, as_of) for group in groups)
    return Region(graph, suggestions, tuple(rows), stored, reader.revisions_within(seeds))


def suggestion_of(graph: FitGraph, group: Group, stored: Mapping[str, PlanRecord], as_of: date) -> Suggestion:
    """Turn a group into a suggestion, with its dates, its suggested lead and its explanation."""
    members = tuple((plan_id, graph.plans[plan_id].authority) for plan_id in group.members)
    values = {plan_id: value_of(stored.get(plan_id)) for plan_id in group.members}
    return Suggestion(
        members=members,
        earliest=group.window.earliest,
        latest=group.window.latest,
        dates=CoalitionDates(group.window.earliest, group.decide_by),
        lead=suggest_lead({one: (_preference(stored.get(one)), values[one]) for one in group.members}),
        explanation=engine.explain(graph, group, as_of),
    )


def value_of(plan: PlanRecord | None) -> float | None:
    """A plan's value in pounds; None if unknown or in another currency."""
    return pounds_of((plan.state or {}).get("value")) if plan is not None else None


def _preference(plan: PlanRecord | None) -> str | None:
    """A plan's preference about leading a coalition; None if it states none."""
    preference: str | None = (plan.state or {}).get("preference") if plan is not None else None
    return preference
