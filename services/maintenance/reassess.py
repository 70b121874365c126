"""Reassessment: moves the database to this process's generation, after a preview of its changes and notifications."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from events.opportunities import OpportunityState
from matching.engine import Engine, Features
from matching.plan_set import PlanSet
from services.domain.disclosure import is_matchable, sharing_of
from services.domain.ids import opportunity_id, text_hash
from services.domain.opportunity import AssessedPair, SettlementContext
from services.domain.opportunity_status import OpportunityStatus
from services.maintenance.dry_run import dry_run
from services.maintenance.rebuild import ProgressCallback
from services.matcher.assessment import match
from services.matcher.context import MatcherContext
from services.platform import logs, retry
from services.store import embeddings, generation, id_keys, plans, shadow_tables
from services.store.bulk_writes import bulk_writes
from services.store.database import Sessions, transaction
from services.store.generation import GenerationRow
from services.store.mapping import plan_from_store
from services.store.opportunities import Opportunity
from services.store.pipelined_queries import fetch
from services.store.plans import PlanRecord

AT_ONCE: Final = 64
MAX_IDLE_ROUNDS: Final = 10
"""After this many rounds without progress, matchers get the remaining plans."""

log: Final = logs.get(__name__)


class ReassessError(Exception):
    """The database can't be moved; the message gives the reason and the remedy."""


class ChangeKind(StrEnum):
    """The kind of change to a pair. The last three cause no notification."""

    IDENTIFIED = "identified"
    WITHDRAWN = "withdrawn"
    BAND = "band"
    WINDOW = "window"
    BAND_WITHIN_MARGIN = "band-within-margin"
    SCORE = "score"
    DETAIL = "detail"


@dataclass(frozen=True, slots=True)
class PairBefore:
    """A pair before a change: its status, band and score, and the band in its last notification."""

    status: str
    band: str
    score: float
    notified_band: str


@dataclass(frozen=True, slots=True)
class OpportunityChange:
    """The change to one opportunity: its state before (None for a new one), and its state and score after.

    `is_event` is false if only the score changes and may not be shown; then no event follows.
    """

    before: PairBefore | None
    after: OpportunityState
    score: float
    material: bool
    is_event: bool = True

    @property
    def kind(self) -> ChangeKind:
        """The first kind that applies."""
        if self.material:
            return self._material_kind()
        assert self.before is not None, "a new pair is always worth telling"
        if self.before.band != self.after.band:
            return ChangeKind.BAND_WITHIN_MARGIN
        return ChangeKind.SCORE if self.before.score != self.score else ChangeKind.DETAIL

    def _material_kind(self) -> ChangeKind:
        if self.after.status == "withdrawn":
            return ChangeKind.WITHDRAWN
        if self.before is None or self.before.status == "withdrawn":
            return ChangeKind.IDENTIFIED
        # Compare with the last notification: the band may have changed since by too little to notify.
        return ChangeKind.BAND if self.before.notified_band != self.after.band else ChangeKind.WINDOW


async def preview_reassessment(
    context: MatcherContext, view: AsyncSession, say: ProgressCallback
) -> list[OpportunityChange]:
    """Return the changes that reassessing every plan would make, by opportunity id, in `view`'s snapshot. Writes
    nothing.

    `view` must be a REPEATABLE READ transaction. Texts without a stored embedding are embedded, and the vectors are not
    stored.
    """
    context = MatcherContext(context.engine, context.embedder, context.settings)
    stored = await shadow_tables.all_ids(view)
    settling = SettlementContext(context.as_of, context.engine.generation, await id_keys.load(view))
    known = _PlanSet(context.engine, settling)
    for start in range(0, len(stored), AT_ONCE):
        rows = await plans.by_id(view, stored[start : start + AT_ONCE])
        made = await context.features.compute(view, _whole(rows))
        known.put(made, {plan_id for plan_id in made if _is_matchable(rows[plan_id])})
        say("plans read", min(start + AT_ONCE, len(stored)), len(stored))
    changes: list[OpportunityChange] = []
    for start in range(0, len(stored), AT_ONCE):
        chunk = stored[start : start + AT_ONCE]
        live = {row.opportunity_id: row for row in await shadow_tables.opportunities_of(view, chunk)}
        changes += await asyncio.to_thread(known.changes, chunk, live)
        say("plans compared", min(start + AT_ONCE, len(stored)), len(stored))
    return sorted(changes, key=lambda change: change.after.opportunity_id)


def _is_matchable(plan: PlanRecord) -> bool:
    """Whether the plan would be matchable if its assessment had never failed."""
    return is_matchable(plan.status, sharing_of(plan.state))


class _PlanSet:
    """All plans of a preview: candidates can be matched; other plans only appear in existing pairs."""

    def __init__(self, engine: Engine, settling: SettlementContext) -> None:
        self._engine = engine
        self._settling = settling
        self._features: dict[str, Features] = {}
        self._candidates = PlanSet(engine)

    def put(self, made: Mapping[str, Features], candidates: Set[str]) -> None:
        self._features |= made
        self._candidates.put([made[plan_id] for plan_id in candidates])

    def changes(self, chunk: Sequence[str], live: Mapping[str, Opportunity]) -> list[OpportunityChange]:
        pairs = {key: (row.plan_a, row.plan_b) for key, row in live.items() if row.status == OpportunityStatus.ACTIVE}
        asking = [plan_id for plan_id in chunk if self._candidates.get(plan_id)]
        for plan_id, others in self._candidates.search(asking, self._settling.as_of).items():
            for other in others:
                if plan_id < other:
                    pairs[opportunity_id(self._settling.id_key, plan_id, other)] = (plan_id, other)
        found = (self._change(key, pair, live.get(key)) for key, pair in sorted(pairs.items()))
        return [change for change in found if change is not None]

    def _change(self, key: str, pair: tuple[str, str], live: Opportunity | None) -> OpportunityChange | None:
        a, b = (self._features.get(plan_id) for plan_id in pair)
        if a is None or b is None or (live is not None and live.assessed_as_of > self._settling.as_of):
            return None
        assessment = self._engine.assess(a, b, self._settling.as_of)
        sides = (a.plan, b.plan) if assessment.plans[0] == pair[0] else (b.plan, a.plan)
        row = dry_run(live, key, AssessedPair(sides, assessment, None), self._settling)
        if row is None or (live is not None and (row.revision, row.score) == (live.revision, live.score)):
            return None
        before = None if live is None else PairBefore(live.status, live.band, live.score, live.last_notified["band"])
        material = live is None or row.material_revision > live.material_revision
        is_event = live is None or row.revision > live.revision
        return OpportunityChange(before, OpportunityState.model_validate(row.payload), row.score, material, is_event)


async def reassess(context: MatcherContext, sessions: Sessions, say: ProgressCallback, *, again: bool = False) -> int:
    """Move the database to this context's generation and assess every plan. Returns the number of plans left to the
    matchers.

    First it embeds every text that the model does not know. Then one transaction changes the generation and marks every
    plan as not assessed. Then it assesses the plans as if they had just arrived. After an interruption, the next call,
    or the sweeper of any matcher of the new generation, continues. If the database already has this generation, it
    assesses only the remaining plans, unless `again`. Raises ReassessError, WrongGenerationError.
    """
    async with transaction(sessions) as session:
        current = await generation.read(session)
    if current is None:
        raise ReassessError("the database has no plans yet; start a matcher and publish some")
    if again or current.generation != context.generation.generation:
        await _embed(context, sessions, say)
        await retry.retry_lost_races(partial(_move, sessions, current, context.generation))
    return await _assess(context, sessions, say)


async def _embed(context: MatcherContext, sessions: Sessions, say: ProgressCallback) -> None:
    """Store the vectors of every plan's texts. Matchers of the old generation keep working meanwhile."""
    async with transaction(sessions) as session:
        ids = await shadow_tables.all_ids(session)
    for start in range(0, len(ids), AT_ONCE):
        async with transaction(sessions) as session:
            rows = _whole(await plans.by_id(session, ids[start : start + AT_ONCE]))
            known = [plan for row in rows.values() if (plan := plan_from_store(row)) is not None]
            cleaned = [context.engine.texts(plan) for plan in known]
            texts = {text for both in cleaned for text in (both.title, both.body) if text}
            kept = await fetch(session, embeddings.known_embeddings(map(text_hash, texts), context.embedder.model))
        vectors = await context.features.embed(text for text in texts if text_hash(text) not in kept)
        await retry.retry_lost_races(partial(_keep, sessions, vectors, context.embedder.model))
        say("plans embedded", min(start + AT_ONCE, len(ids)), len(ids))


async def _keep(sessions: Sessions, vectors: Mapping[str, np.ndarray], model: str) -> None:
    async with transaction(sessions) as session, bulk_writes(session) as writes:
        embeddings.put(writes, vectors, model)


async def _move(sessions: Sessions, expected: GenerationRow, mine: GenerationRow) -> None:
    async with transaction(sessions) as session:
        current = await generation.lock(session)
        if current is None or current.generation != expected.generation:
            raise ReassessError("another process has just moved the database to another generation; run this again")
        await generation.lock_plan_writes(session)
        current.generation, current.policy = mine.generation, mine.policy
        current.statistics, current.model = mine.statistics, mine.model
        await generation.reset_assessments(session)
    log.info("generation moved", before=expected.generation, after=mine.generation)


async def _assess(context: MatcherContext, sessions: Sessions, say: ProgressCallback) -> int:
    """Assess unassessed plans in batches, until none is left or no round makes progress."""
    async with transaction(sessions) as session:
        total = left = await plans.count_unassessed(session)
    after, idle = "", 0
    while left and idle < MAX_IDLE_ROUNDS:
        async with transaction(sessions) as session:
            batch = await generation.unassessed_after(session, after, AT_ONCE)
        await retry.retry_lost_races(partial(match, context, sessions, batch))
        # In rotation: a plan that failed is tried again after all others.
        after = batch[-1] if len(batch) == AT_ONCE else ""
        async with transaction(sessions) as session:
            before, left = left, await plans.count_unassessed(session)
        idle = 0 if left < before else idle + 1
        say("plans assessed", max(total - left, 0), max(total, left))
    return left


def _whole(rows: Mapping[str, PlanRecord]) -> dict[str, PlanRecord]:
    """Return the plans with any content besides a withdrawal."""
    return {plan_id: row for plan_id, row in rows.items() if row.state is not None}
