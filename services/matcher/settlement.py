"""Turns assessments into state and events, in transactions that lock all plans involved.

The process that settles a pair locks both plans' rows, in the order of their ids. It skips a pair whose partner has a
newer revision: the handler of that revision searches after this commit and finds the pair.

Other matchers wait while these locks are held, longer still when this process is short of processor time. So changes
are computed before locking; under the locks only row versions are compared.

One transaction settles at most `PAIRS_AT_ONCE` pairs; more are settled in parts. A plan counts as assessed only with
the last of its pairs. If the process crashes between two parts, the sweeper assesses the plan again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sqlalchemy.ext.asyncio import AsyncSession

from matching.engine import Generation
from matching.plan import Plan
from services.domain.ids import opportunity_id
from services.domain.opportunity import AssessedPair, SettlementContext
from services.matcher.candidate_assessment import PlanAssessment
from services.matcher.pending_writes import PendingWrites, write_pair
from services.platform import metrics, retry
from services.store import generation as generations
from services.store import opportunities as store
from services.store import plans
from services.store.bulk_writes import BulkWrites
from services.store.database import Sessions, autocommit_session
from services.store.opportunities import VersionedRow
from services.store.pipelined_queries import PipelinedQuery, fetch

PAIRS_AT_ONCE: Final = 500
"""A pair writes about 7 KB, so a transaction writes 4 MB at most and holds its locks for about a second."""


class WrongGenerationError(retry.HaltConsumerError):
    """The database's opportunities come from another policy, statistics or model than this process has."""


@dataclass(frozen=True, slots=True)
class SettlementPart:
    """The work of one transaction: pairs by opportunity id, and the assessments whose last pair is among them."""

    pairs: Mapping[str, AssessedPair]
    complete: Sequence[PlanAssessment]

    @property
    def plans(self) -> set[str]:
        """The ids of all plans involved."""
        involved = {plan.plan_id for pair in self.pairs.values() for plan in pair.plans}
        return involved | {judgement.plan.plan.plan_id for judgement in self.complete}


def divide(judged: Sequence[PlanAssessment], context: SettlementContext) -> list[SettlementPart]:
    """Divide a settlement into parts, in order. If there is nothing to settle, the one part is empty."""
    pairs = _pairs(judged, context)
    keys = list(pairs)
    part_of = {key: position // PAIRS_AT_ONCE for position, key in enumerate(keys)}
    complete: dict[int, list[PlanAssessment]] = {}
    for judgement in judged:
        own = (part_of[_key(context, judgement, partner_id)] for partner_id in judgement.pairs)
        complete.setdefault(max(own, default=0), []).append(judgement)
    starts = range(0, max(len(keys), 1), PAIRS_AT_ONCE)
    return [
        SettlementPart({key: pairs[key] for key in keys[start : start + PAIRS_AT_ONCE]}, complete.get(number, []))
        for number, start in enumerate(starts)
    ]


@dataclass(slots=True)
class SettlementProgress:
    """Findings of the parts settled so far: plans with a newer revision than the assessed one (`moved_on`), and plans
    of pairs that another matcher assessed on a later day (`behind`)."""

    moved_on: set[str] = field(default_factory=set)
    behind: set[str] = field(default_factory=set)

    def left(self, part: SettlementPart) -> SettlementPart:
        """Return the part without pairs of plans that moved on; the handler of the newer revision settles those."""
        pairs = {
            key: pair
            for key, pair in part.pairs.items()
            if self.moved_on.isdisjoint(plan.plan_id for plan in pair.plans)
        }
        return SettlementPart(pairs, part.complete)


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """The proposed write of a pair, valid while both plans keep their revisions and the row keeps this version.

    `version` is None if there is no row. `is_stale`: no write, as the row was assessed on a later day than ours.
    """

    pair: AssessedPair
    version: str | None
    kept: PendingWrites
    is_stale: bool


@dataclass(frozen=True, slots=True)
class SettlementLocks:
    """The first queries of a settlement: they lock the generation and all plans, and read the pairs' row versions."""

    generation: PipelinedQuery[str | None]
    locked: PipelinedQuery[dict[str, int]]
    versions: PipelinedQuery[dict[str, str]]

    @classmethod
    def of(cls, part: SettlementPart, drafts: Iterable[str]) -> Self:
        """Build the queries for one part and the opportunities with proposed changes."""
        involved = part.plans
        return cls(generations.share_lock_query(), plans.lock_whole_query(involved), store.get_many_versioned(drafts))

    @property
    def queries(self) -> tuple[PipelinedQuery[Any], ...]:
        """In the order in which every process takes these locks."""
        return self.generation, self.locked, self.versions


async def propose_changes(
    sessions: Sessions, part: SettlementPart, context: SettlementContext
) -> dict[str, ProposedChange]:
    """Compute the changes of a part's pairs, for as long as no other process writes them. No lock is held."""
    if not part.pairs:
        return {}
    async with autocommit_session(sessions) as session:
        return await _drafts(session, part.pairs, context)


async def settle(
    session: AsyncSession,
    part: SettlementPart,
    held: SettlementLocks,
    drafts: Mapping[str, ProposedChange],
    context: SettlementContext,
    progress: SettlementProgress,
) -> None:
    """Write a part's opportunities and their events, and commit. Mark the plans that are complete with this part as
    assessed. The queries of `held` ran in this transaction; `drafts` were computed before it.

    Raises WrongGenerationError if the database's generation is not this process's.
    """
    _require_generation(held.generation.result, context.generation)
    locked, versions = held.locked.result, held.versions.result
    current = [judgement for judgement in part.complete if _is_current(judgement.plan.plan, locked)]
    metrics.PLANS_ABANDONED.inc(len(part.complete) - len(current))

    pairs = {
        key: one for key, one in sorted(drafts.items()) if all(_is_current(plan, locked) for plan in one.pair.plans)
    }
    skipped = [one.pair for key, one in drafts.items() if key not in pairs]
    metrics.PAIRS_SKIPPED.inc(len(skipped))
    progress.moved_on |= {plan.plan_id for pair in skipped for plan in pair.plans if not _is_current(plan, locked)}
    moved = {key: one.pair for key, one in pairs.items() if one.version != versions.get(key)}
    if moved:
        pairs |= await _drafts(session, moved, context)
    kept = PendingWrites()
    for one in pairs.values():
        kept.add(one.kept)
        if one.is_stale:
            # Another matcher's day is already tomorrow. The sweeper assesses these plans again once ours is, too.
            progress.behind.update(plan.plan_id for plan in one.pair.plans)
    writes = BulkWrites()
    store.put(writes, kept.rows)
    kept.post(writes)
    done = {j.plan.plan.plan_id: j.plan.plan.revision for j in current if j.error is None}
    plans.mark_assessed(writes, {plan_id: done[plan_id] for plan_id in done.keys() - progress.behind})
    await writes.send(session, commit=True)


async def _drafts(
    session: AsyncSession, pairs: Mapping[str, AssessedPair], context: SettlementContext
) -> dict[str, ProposedChange]:
    rows = await fetch(session, store.get_rows(pairs))
    return {key: _draft(rows.get(key), key, pair, context) for key, pair in pairs.items()}


def _draft(read: VersionedRow | None, key: str, pair: AssessedPair, context: SettlementContext) -> ProposedChange:
    version, row = read or (None, None)
    kept = PendingWrites()
    behind = row is not None and row.assessed_as_of > context.as_of
    if not behind:
        write_pair(kept, row, key, pair, context)
    return ProposedChange(pair, version, kept, behind)


def _pairs(judged: Iterable[PlanAssessment], context: SettlementContext) -> dict[str, AssessedPair]:
    pairs = {}
    for judgement in judged:
        plan_id = judgement.plan.plan.plan_id
        for partner_id, (partner, assessment) in judgement.pairs.items():
            sides = {plan_id: judgement.plan.plan, partner_id: partner.plan}
            ordered = (sides[assessment.plans[0]], sides[assessment.plans[1]])
            key = _key(context, judgement, partner_id)
            pairs[key] = AssessedPair(ordered, assessment, context.causes.get(plan_id))
    return pairs


def _key(context: SettlementContext, judgement: PlanAssessment, partner_id: str) -> str:
    return opportunity_id(context.id_key, judgement.plan.plan.plan_id, partner_id)


def _is_current(plan: Plan, locked: Mapping[str, int]) -> bool:
    return locked.get(plan.plan_id) == plan.revision


def _require_generation(current: str | None, mine: Generation) -> None:
    if current != mine.id:
        raise WrongGenerationError(
            f"the database stands at generation {current or 'none'}, this matcher has {mine.id}; run "
            "`jointly reassess` to move it, or start this matcher with the policy, statistics and model of the database"
        )
