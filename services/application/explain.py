"""Explains a plan and its possible partners from stored plans and vectors, without loading a model.

It respects sharing. If either plan is match_only, only the authorities, windows, regions and band are shown; a private
plan has no partners to show.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from matching.assessment import Assessment, Band, NearestMove
from matching.engine import Features
from matching.plan import Plan, Window
from services.domain.disclosure import are_open, include_private, is_open, pair_sharing, plan_facts, redact_opportunity
from services.domain.reorganisation import full_name_on
from services.matcher.context import MatcherContext
from services.matcher.stored_context import load_stored_context
from services.platform.settings import Settings
from services.store import generation, plans
from services.store import opportunities as store
from services.store.database import Sessions, begin_snapshot
from services.store.mapping import plan_from_store
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord

MATCH_ONLY_NOTICE: Final = (
    "One of the two authorities shares only that there is a match; ask each other for the details."
)
PRIVATE_NOTICE: Final = "One of the two plans is private: it is never matched, and nothing of it is shown."
_AMONG: Final = 20
"""Search this many times the requested number of neighbours for partners and for pairs that a gate rejects."""
_MIN_NEAREST: Final = 500

Json = dict[str, Any]


class ExplainError(Exception):
    """There is nothing to explain; the message gives the reason and the remedy."""


def _missing(_model: str, texts: Sequence[str]) -> np.ndarray:
    """Explaining never loads a model."""
    raise ExplainError(f"the vectors of {len(texts)} texts are missing in the database; let the matcher finish")


@dataclass(frozen=True, slots=True)
class ExplainContext:
    """One view of the database: the engine with its plans, as of one day."""

    session: AsyncSession
    context: MatcherContext
    as_of: date
    warning: str | None


async def open_context(session: AsyncSession, settings: Settings, as_of: date) -> ExplainContext:
    """Build the engine from the settings' policy and statistics and the database's model. Raises ExplainError."""
    stored = await load_stored_context(session, settings, _missing)
    if stored is None:
        raise ExplainError("the database has no plans yet; start a matcher and publish some")
    context, current = stored
    mine, warning = context.engine.generation, None
    if mine.id != current.generation:
        warning = (
            f"this explanation uses policy {mine.policy} and statistics {mine.statistics}; the database uses "
            f"policy {current.policy} and statistics {current.statistics}"
        )
    return ExplainContext(session, context, as_of, warning)


class ExplainContextCache:
    """The engine and its index of plans as one process holds them. They are made again when the generation changes."""

    def __init__(self, settings: Settings, wait_seconds: float = 5.0) -> None:
        self._settings = settings
        self._wait_seconds = wait_seconds
        self._last: tuple[str, ExplainContext] | None = None
        # A search takes a core: one at a time.
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def open(self, sessions: Sessions, as_of: date) -> AsyncIterator[ExplainContext]:
        """One view of the database in a read-only snapshot. Raises ExplainError, also if others take too long."""
        try:
            # A waiting request holds a database connection.
            await asyncio.wait_for(self._turn.acquire(), self._wait_seconds)
        except TimeoutError:
            raise ExplainError("others are being served; try again in a moment") from None
        try:
            async with self._open(sessions, as_of) as view:
                yield view
        finally:
            self._turn.release()

    @asynccontextmanager
    async def _open(self, sessions: Sessions, as_of: date) -> AsyncIterator[ExplainContext]:
        async with sessions() as session:
            await begin_snapshot(session)
            current = await generation.read(session)
            known = current.generation if current is not None else ""
            if self._last is not None and self._last[0] == known:
                view = replace(self._last[1], session=session, as_of=as_of)
            else:
                view = await open_context(session, self._settings, as_of)
            yield view
            self._last = known, view


async def explain_pair(view: ExplainContext, plan_id: str, partner_id: str) -> Json:
    """Return the assessment of two plans, whether or not they are an opportunity. Raises ExplainError."""
    if plan_id == partner_id:
        raise ExplainError("a plan can't be its own partner; name two plans")
    rows = await _rows(view, plan_id, partner_id)
    features = await view.context.features.load(view.session, rows)
    a, b = features[plan_id], features[partner_id]
    found = view.context.engine.assess(a, b, view.as_of)
    said = _of_pair(found, a.plan, b.plan, view.as_of) | {"as_of": view.as_of.isoformat()}
    if not include_private(a.plan, b.plan):
        row = next(iter(await store.with_partners(view.session, plan_id, [partner_id])), None)
        said["opportunity"] = _opportunity(row) if row is not None else None
    return said


def _opportunity(row: Opportunity) -> Json:
    return {
        "opportunity_id": row.opportunity_id,
        "status": row.status,
        "revision": row.revision,
        "band": row.band,
    }


async def explain_plan(view: ExplainContext, plan_id: str, limit: int) -> Json:
    """Return a plan's state, its best partners, and the nearest plans that a gate rejects. Raises ExplainError."""
    row = (await _rows(view, plan_id))[plan_id]
    own = plan_from_store(row)
    assert own is not None
    said: Json = {
        "as_of": view.as_of.isoformat(),
        "plan": _of_plan(own, row, view.as_of),
        "partners": [],
        "closest_gated": [],
    }
    if include_private(own):
        return said
    query = (await view.context.features.load(view.session, [plan_id]))[plan_id]
    others = await _nearest(view, query, max(_MIN_NEAREST, limit * _AMONG))
    found = [view.context.engine.assess(query, other, view.as_of) for other in others.values()]
    best = sorted((one for one in found if one.band is not Band.NONE), key=lambda one: (-one.score, one.plans))
    said["partners"] = [_partner(query, others, one, view.as_of) for one in best[:limit]]
    # A match_only plan is shown only where there is a match.
    gated = [one for one in found if one.gates and are_open(query.plan, _other(query, others, one))]
    gated.sort(key=lambda one: (-one.specification.value, one.plans))
    said["closest_gated"] = [_partner(query, others, one, view.as_of) for one in gated[:limit]]
    return said


async def _nearest(view: ExplainContext, query: Features, limit: int) -> dict[str, Features]:
    """Return the plans of other authorities with the text nearest to a plan's."""
    near = await view.context.index.nearest(view.session, view.context.engine.pair_vector(query), limit)
    features = await view.context.features.load_revisions(view.session, near)
    return {plan_id: one for plan_id, one in features.items() if one.plan.authority != query.plan.authority}


def redact_for_now(
    row: Opportunity, stored: Mapping[str, PlanRecord], authority: str | None, introduced: Collection[str] = ()
) -> Json:
    """Return an opportunity's payload without facts that one of its plans no longer shares. The payload of a withdrawn
    opportunity is never rewritten, so it may hold them. `authority` always sees its own plan's reference, and both
    plans' titles if it has been introduced (`introduced`: ids of opportunities)."""
    payload: Json = row.payload
    if not all(plan_id in stored and is_open(stored[plan_id].state) for plan_id in (row.plan_a, row.plan_b)):
        payload = redact_opportunity(payload) | {"reasons": [MATCH_ONLY_NOTICE]}
    own = {row.authority_a: row.plan_a, row.authority_b: row.plan_b}.get(authority or "")
    sides = [side | {"plan_id": own} if own and side["authority"] == authority else side for side in payload["plans"]]
    if own and row.opportunity_id in introduced:
        sides = _introduced_sides(sides, row, stored)
    return payload | {"plans": sides}


def _introduced_sides(sides: list[Json], row: Opportunity, stored: Mapping[str, PlanRecord]) -> list[Json]:
    """Both sides with their plans' ids and titles, unless one plan is private now."""
    ids = {row.authority_a: row.plan_a, row.authority_b: row.plan_b}
    said = {code: plan_facts(stored[key].state, introduced=True) for code, key in ids.items() if key in stored}
    titles = {code: facts.title for code, facts in said.items() if facts is not None}
    if len(titles) < len(ids):
        return sides
    return [side | {"plan_id": ids[side["authority"]], "title": titles[side["authority"]]} for side in sides]


async def _rows(view: ExplainContext, *plan_ids: str) -> Mapping[str, PlanRecord]:
    rows = await plans.by_id(view.session, plan_ids)
    for plan_id in plan_ids:
        if plan_id not in rows:
            raise ExplainError(f"there is no plan {plan_id}; a plan id is the authority, a colon and its reference")
        if rows[plan_id].state is None:
            raise ExplainError(f"of the plan {plan_id} only its end was ever published: nothing is known to compare")
    return rows


def _partner(query: Features, others: Mapping[str, Features], found: Assessment, day: date) -> Json:
    other = _other(query, others, found)
    said = _of_pair(found, query.plan, other, day)
    if not are_open(query.plan, other):
        own, partner = said["sides"]
        said |= {"partner": None, "sides": [own, partner | {"plan_id": None}]}
    return said


def _other(query: Features, others: Mapping[str, Features], found: Assessment) -> Plan:
    return next(others[plan_id].plan for plan_id in found.plans if plan_id != query.plan.plan_id)


def _of_pair(found: Assessment, own: Plan, other: Plan, day: date) -> Json:
    sharing, open_ = pair_sharing(own, other), are_open(own, other)
    said: Json = {"plan": own.plan_id, "partner": other.plan_id, "sharing": sharing.value, "band": found.band.value}
    if include_private(own, other):
        return said | {"band": Band.NONE.value, "reasons": [PRIVATE_NOTICE]}
    sides = {"sides": [_side(plan, day, titled=open_) for plan in (own, other)]}
    if not open_:
        return (
            said
            | sides
            | {
                "common_window": _window(found.common_window),
                "nearest_move": _move(found.nearest_move),
                "reasons": [MATCH_ONLY_NOTICE],
            }
        )
    return said | {
        **sides,
        "score": found.score,
        "specification_band": found.specification_band.value,
        "components": {
            name: {"value": getattr(found, name).value, "saw": dict(getattr(found, name).saw)}
            for name in ("specification", "timing", "region", "value")
        },
        # What the components saw follows the assessment's order, which is by id.
        "order": list(found.plans),
        "gates": [{"code": gate.code, "sentence": gate.sentence} for gate in found.gates],
        "reasons": list(found.reasons),
        "would_change": list(found.would_change),
        "common_window": _window(found.common_window),
        "decide_by": found.decide_by.isoformat() if found.decide_by else None,
        "nearest_move": _move(found.nearest_move),
    }


def _side(plan: Plan, day: date, *, titled: bool) -> Json:
    side: Json = {
        "plan_id": plan.plan_id,
        "authority": plan.authority,
        "authority_name": full_name_on(plan.authority, day),
        "tender_window": _window(plan.tender_window),
        "regions": list(plan.regions),
    }
    return side | {"title": plan.title, "status": plan.status.value, "stage": plan.stage.value} if titled else side


def _of_plan(plan: Plan, row: PlanRecord, day: date) -> Json:
    return _side(plan, day, titled=True) | {
        "revision": row.revision,
        "sharing": plan.sharing.value,
        "assessed": row.assessed_revision >= row.revision,
        "set_aside": row.quarantined,
    }


def _move(move: NearestMove | None) -> Json | None:
    if move is None:
        return None
    return {"plan": move.plan_id, "months": move.months, "common_window": _window(move.common_window)}


def _window(window: Window | None) -> list[str] | None:
    return [window.earliest.isoformat(), window.latest.isoformat()] if window else None
