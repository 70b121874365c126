"""Framework agreements: imported, listed, and checked against a plan on its day of need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from matching.frameworks import Coverage, FrameworkLot, covering, day_of_need, say_coverage, usable_frameworks
from matching.plan import Plan
from matching.text.route import Route, route_of
from services.domain.framework_prompt import check_first
from services.domain.parties import by_code, entitle_members
from services.matcher.framework_vectors import lot_vectors, put_vectors
from services.matcher.stored_context import EmbedMissing, load_stored_context
from services.platform.settings import Settings
from services.store import frameworks, parties
from services.store.database import Sessions, transaction
from services.store.framework_index import lot_features

_OF_ROUTE = {
    Route.CALL_OFF: "By its words the plan is a call-off already.",
    Route.FRAMEWORK: "By its words the plan sets up a framework of its own.",
    Route.DYNAMIC_PURCHASING: "By its words the plan is, or uses, a dynamic purchasing system.",
    Route.DYNAMIC_MARKET: "By its words the plan is, or uses, a dynamic market.",
}


class FrameworkError(Exception):
    """Nothing can be checked; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class FrameworkCheck:
    """The frameworks whose scope covers a plan, usable ones first. `note`: the plan is itself a framework or
    call-off."""

    plan: Plan
    covering: Sequence[Coverage]
    note: str | None
    registered: int

    @property
    def usable(self) -> int:
        """The number of usable frameworks (not lots); 0 if the plan is already a call-off."""
        return len(usable_frameworks(self.plan, self.covering))

    @property
    def line(self) -> str | None:
        """The line for pages and emails; None if no framework is usable."""
        return check_first(self.usable)


async def check(session: AsyncSession, settings: Settings, plan_id: str, embed_missing: EmbedMissing) -> FrameworkCheck:
    """Check all frameworks against a plan. It loads a model only if a vector is missing. Raises FrameworkError."""
    stored = await load_stored_context(session, settings, embed_missing)
    found = await stored[0].features.load(session, [plan_id]) if stored else {}
    if stored is None or plan_id not in found:
        raise FrameworkError(f"there is no plan {plan_id}; a plan id is the authority, a colon and its reference")
    plan = found[plan_id]
    members = by_code(await parties.all_parties(session))
    lots = entitle_members(await frameworks.all_lots(session), members, day_of_need(plan.plan))
    engine = stored[0].engine
    vectors = await lot_vectors(session, stored[0], lots)
    covered = covering(plan, lot_features(engine, lots, vectors), engine.policy)
    route = route_of(plan.plan)
    return FrameworkCheck(plan.plan, covered, _OF_ROUTE[route] if route else None, len(lots))


async def import_lots(
    sessions: Sessions, settings: Settings, lots: Sequence[FrameworkLot], embed_missing: EmbedMissing
) -> dict[str, int]:
    """Replace frameworks, and store the vectors of their texts, so that a later check needs no model."""
    async with sessions() as session:
        stored = await load_stored_context(session, settings, embed_missing)
        vectors = await lot_vectors(session, stored[0], lots) if stored else {}
    async with transaction(sessions) as session:
        tally = await frameworks.replace_frameworks(session, lots)
        if stored and vectors:
            await put_vectors(session, stored[0], vectors)
    return tally


def to_json(found: FrameworkCheck) -> dict[str, Any]:
    """A check as JSON, for programs."""
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
                "general": one.general,
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
