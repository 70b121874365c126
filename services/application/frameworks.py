"""Framework agreements: imported, listed, and held against a plan on the day it needs one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from matching.engine import Features
from matching.frameworks import Coverage, FrameworkLot, covering, day_of_need, say_coverage, to_plan
from matching.plan import Plan
from matching.text.route import Route, route_of
from services.domain.ids import text_hash
from services.matcher.context import MatcherContext
from services.matcher.stored_context import EmbedMissing, load_stored_context
from services.platform.settings import Settings
from services.store import embeddings, frameworks
from services.store.bulk_writes import BulkWrites
from services.store.database import Sessions, transaction
from services.store.pipelined_queries import execute_pipelined

_OF_ROUTE = {
    Route.CALL_OFF: "By its words the plan is a call-off already.",
    Route.FRAMEWORK: "By its words the plan sets up a framework of its own.",
    Route.DYNAMIC_PURCHASING: "By its words the plan is, or uses, a dynamic purchasing system.",
}


class FrameworkError(Exception):
    """Nothing can be checked; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class FrameworkCheck:
    """The frameworks whose scope covers a plan, those that can be used first; `note` where the plan is itself one."""

    plan: Plan
    covering: Sequence[Coverage]
    note: str | None
    registered: int

    @property
    def usable(self) -> int:
        """How many frameworks, not lots, can be used."""
        return len({found.lot.framework for found in self.covering if found.usable})

    @property
    def line(self) -> str | None:
        """The line for pages and emails, None where nothing covers the plan or it is a call-off already."""
        if not self.usable or self.note == _OF_ROUTE[Route.CALL_OFF]:
            return None
        return f"Check first: {count_frameworks(self.usable)} this."


def count_frameworks(count: int) -> str:
    """ "1 framework covers", "2 frameworks cover"."""
    return "1 framework covers" if count == 1 else f"{count} frameworks cover"


async def check(session: AsyncSession, settings: Settings, plan_id: str, embed_missing: EmbedMissing) -> FrameworkCheck:
    """Holds all frameworks against a plan. A model is only loaded where a vector is missing. Raises FrameworkError."""
    stored = await load_stored_context(session, settings, embed_missing)
    found = await stored[0].features(session, [plan_id]) if stored else {}
    if stored is None or plan_id not in found:
        raise FrameworkError(f"there is no plan {plan_id}; a plan id is the authority, a colon and its reference")
    plan, lots = found[plan_id], await frameworks.all_lots(session)
    features = await _features(session, stored[0], lots)
    covered = covering(plan, [(lot, features[lot.key]) for lot in lots], stored[0].engine.policy)
    route = route_of(plan.plan)
    return FrameworkCheck(plan.plan, covered, _OF_ROUTE[route] if route else None, len(lots))


async def import_lots(
    sessions: Sessions, settings: Settings, lots: Sequence[FrameworkLot], embed_missing: EmbedMissing
) -> dict[str, int]:
    """Writes frameworks whole, with the vectors of their texts, so that a check needs no model afterwards."""
    async with sessions() as session:
        stored = await load_stored_context(session, settings, embed_missing)
        vectors = await _vectors(session, stored[0], lots) if stored else {}
    async with transaction(sessions) as session:
        tally = await frameworks.replace_frameworks(session, lots)
        if stored and vectors:
            writes = BulkWrites()
            embeddings.put(writes, vectors, stored[0].embedder.model)
            await execute_pipelined(session, *writes.queries)
    return tally


async def _vectors(
    session: AsyncSession, context: MatcherContext, lots: Sequence[FrameworkLot]
) -> dict[str, np.ndarray]:
    texts = [text for lot in lots for text in _texts(context, lot)]
    known = await embeddings.vectors_of(session, [text_hash(text) for text in texts], context.embedder.model)
    missing = [text for text in texts if text_hash(text) not in known]
    return known | (await context.embed(missing) if missing else {})


def _texts(context: MatcherContext, lot: FrameworkLot) -> list[str]:
    both = context.engine.texts(to_plan(lot))
    return [text for text in (both.title, both.body) if text]


async def _features(
    session: AsyncSession, context: MatcherContext, lots: Sequence[FrameworkLot]
) -> Mapping[str, Features]:
    vectors = await _vectors(session, context, lots)
    blank = np.zeros(context.embedder.dimensions, dtype=np.float32)
    found = {}
    for lot in lots:
        plan = to_plan(lot)
        both = context.engine.texts(plan)
        title = vectors[text_hash(both.title)] if both.title else blank
        found[lot.key] = context.engine.features(
            plan, title, vectors[text_hash(both.body)] if both.body else None, both
        )
    return found


def to_json(found: FrameworkCheck) -> dict[str, Any]:
    """A check for programs."""
    return {
        "plan_id": found.plan.plan_id,
        "day_of_need": day_of_need(found.plan).isoformat(),
        "line": found.line,
        "note": found.note,
        "usable": found.usable,
        "covering": [
            {
                "framework": one.lot.framework,
                "lot": one.lot.lot or None,
                "title": one.lot.title,
                "lot_title": one.lot.lot_title or None,
                "owner": one.lot.owner,
                "usable": one.usable,
                "term": one.term.value,
                "entitled": one.entitled,
                "award": one.lot.award.value,
                "fee_percent": one.lot.fee_percent,
                "likeness": round(one.likeness, 3),
                "needs": list(one.needs),
                "url": one.lot.url or None,
                "source": one.lot.source,
                "sentences": say_coverage(one),
            }
            for one in found.covering
        ],
    }
