"""The graph of plans that fit each other well enough for a group: active opportunities at digest or above."""

from collections.abc import Collection, Set
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from matching.coalitions import Fit, FitGraph, GroupPlan
from matching.features import kin_of
from matching.plan import Window
from services.store import responses

STEPS: Final = 3
"""The maximum distance of a plan in the graph: its fits, their fits, and the fits of those."""

# A pair of which one plan is match_only has no day to decide by, so it is in no group.
_FITS: Final = text(
    "SELECT opportunity_id, revision, plan_a, plan_b, authority_a, authority_b, score,"
    " payload#>>'{common_window,earliest}', payload#>>'{common_window,latest}', payload->'lead_days',"
    " payload#>>'{plans,0,tender_window,earliest}', payload#>>'{plans,0,tender_window,latest}',"
    " payload#>>'{plans,1,tender_window,earliest}', payload#>>'{plans,1,tender_window,latest}'"
    " FROM opportunities WHERE status = 'active' AND band IN ('notify', 'digest')"
    " AND payload->>'decide_by' IS NOT NULL AND (plan_a = ANY(:ids) OR plan_b = ANY(:ids))"
)


@dataclass(frozen=True, slots=True)
class _Pair:
    revision: int
    one: GroupPlan
    other: GroupPlan
    fit: Fit


async def load_graph(session: AsyncSession, plan_ids: Collection[str]) -> FitGraph:
    """Return the fits around these plans, as far as their groups depend on them."""
    return await FitReader(session).graph(plan_ids)


class FitReader:
    """A reader of the fits around plans. It reads each plan's fits once, for any number of graphs."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._fits: dict[str, dict[str, _Pair]] = {}

    async def graph(self, plan_ids: Collection[str]) -> FitGraph:
        """Return the fits around these plans, as far as their groups depend on them."""
        pairs: dict[str, _Pair] = {}
        asked: set[str] = set()
        wanted = set(plan_ids)
        for _ in range(STEPS):
            wanted -= asked
            if not wanted:
                break
            await self._read(wanted - self._fits.keys())
            found = {key: pair for plan_id in wanted for key, pair in self._fits[plan_id].items()}
            asked |= wanted
            pairs |= found
            wanted = {plan.plan_id for pair in found.values() for plan in (pair.one, pair.other)}
        plans = {plan.plan_id: plan for pair in pairs.values() for plan in (pair.one, pair.other)}
        fits = [(pair.one.plan_id, pair.other.plan_id, pair.fit) for pair in pairs.values()]
        return FitGraph.build(plans.values(), fits)

    def revisions_within(self, plan_ids: Set[str]) -> dict[str, int]:
        """Return the revisions of the fits of those plans here that fit no plan elsewhere."""
        closed = {
            plan_id
            for plan_id in plan_ids & self._fits.keys()
            if all({pair.one.plan_id, pair.other.plan_id} <= plan_ids for pair in self._fits[plan_id].values())
        }
        return {key: pair.revision for plan_id in closed for key, pair in self._fits[plan_id].items()}

    async def _read(self, plan_ids: Set[str]) -> None:
        if not plan_ids:
            return
        self._fits |= {plan_id: {} for plan_id in plan_ids}
        for key, pair in (await _fits_of(self._session, plan_ids)).items():
            for plan_id in {pair.one.plan_id, pair.other.plan_id} & plan_ids:
                self._fits[plan_id][key] = pair


async def _fits_of(session: AsyncSession, plan_ids: Collection[str]) -> dict[str, _Pair]:
    rows = (await session.execute(_FITS, {"ids": list(plan_ids)})).all()
    unlike = await responses.silenced(session, [(row.plan_a, row.plan_b) for row in rows])
    return {row[0]: _pair(row) for row in rows if (row.plan_a, row.plan_b) not in unlike}


def _pair(row: Any) -> _Pair:
    _, revision, plan_a, plan_b, authority_a, authority_b, score, earliest, latest, lead_days, *windows = row
    return _Pair(
        revision,
        _group_plan(plan_a, authority_a, *windows[:2]),
        _group_plan(plan_b, authority_b, *windows[2:]),
        Fit(score, Window(_day(earliest), _day(latest)), lead_days),
    )


# A plan with hundreds of fits appears in as many rows, but with few different days.
@lru_cache(10_000)
def _group_plan(plan_id: str, authority: str, earliest: str, latest: str) -> GroupPlan:
    return GroupPlan(plan_id, authority, Window(_day(earliest), _day(latest)), kin_of(authority))


@lru_cache(10_000)
def _day(value: str) -> date:
    return date.fromisoformat(value)
