"""Assesses plans in a fresh snapshot, then settles the result under locks."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching.engine import Features
from services.domain.opportunity import SettlementContext
from services.domain.opportunity_events import Cause
from services.matcher.candidate_assessment import PlanAssessment, assess_candidates
from services.matcher.context import MatcherContext
from services.matcher.plan_index import belongs_in_index, new_words, placement
from services.matcher.quarantine import count_failure
from services.matcher.settlement import (
    SettlementLocks,
    SettlementPart,
    SettlementProgress,
    divide,
    propose_changes,
    settle,
)
from services.platform import logs, metrics
from services.store import id_keys, plan_features, plans
from services.store.bulk_writes import BulkWrites, bulk_writes
from services.store.database import Sessions, now, transaction
from services.store.plan_features import PlanWithFeatures
from services.store.plans import AssessmentInput

log: Final = logs.get(__name__)


async def match(context: MatcherContext, sessions: Sessions, plan_ids: Sequence[str]) -> None:
    """Index these plans, then assess them. Repeatable: a second run over the same plans changes nothing."""
    # The lock keeps an older revision from entering the index after a newer one.
    held = plan_features.load(plan_ids)
    async with transaction(sessions, plans.lock_query(plan_ids), held) as session:
        await index(context, session, held.result)
    await assess(context, sessions, plan_ids)


async def index(context: MatcherContext, session: AsyncSession, held: Mapping[str, PlanWithFeatures]) -> None:
    """Brings the index to these plans' newest revisions, and commits. The caller holds the plans' locks."""
    hashes = {plan_id: one.text_hash for plan_id, one in held.items()}
    features = await context.features.load_rows(session, held)
    found = {plan_id: one for plan_id, one in features.items() if belongs_in_index(one)}
    placements = [placement(one, context.engine) for _, one in sorted(found.items())]
    writes = BulkWrites()
    plan_features.put(writes, placements, new_words(found, hashes, context.engine))
    plan_features.close(writes, [plan_id for plan_id in held if plan_id not in found])
    await writes.send(session, commit=True)


async def assess(context: MatcherContext, sessions: Sessions, plan_ids: Sequence[str]) -> None:
    """Assess indexed plans in a fresh snapshot, then settle the result.

    Call it after the transaction that put them into the index has committed, never inside it: two matchers with a
    plan each would both miss the pair.
    """
    if not plan_ids:
        return
    judged, notices, settling = await _judge_all(context, sessions, plan_ids)
    unknown = {plan_id: notice.revision for plan_id, notice in notices.items() if not notice.has_payload}
    await _settle_all(sessions, judged, settling)
    if unknown:
        async with transaction(sessions) as session:
            # Only a withdrawal of these plans ever arrived: they have no partners, nothing to assess. They get their
            # own
            # transaction: locked after the others, out of id order, they could deadlock with the recording of a batch.
            await plans.lock_plans(session, unknown)
            async with bulk_writes(session) as writes:
                plans.mark_assessed(writes, unknown)
    for judgement in judged:
        if judgement.error is not None:
            await count_failure(sessions, judgement.plan.plan)
    _observe(judged, notices)


async def _judge_all(
    context: MatcherContext, sessions: Sessions, plan_ids: Sequence[str]
) -> tuple[list[PlanAssessment], dict[str, AssessmentInput], SettlementContext]:
    asked, delta, id_key = plans.assessment_inputs(plan_ids), context.index.delta(), id_keys.query()
    async with transaction(sessions, asked, delta, id_key, isolation="REPEATABLE READ") as session:
        notices = asked.result
        asking = await context.features.load_revisions(
            session, {key: notice.revision for key, notice in notices.items()}
        )
        partners = {key: set(notices[key].partners) for key in asking}
        found = await context.candidates(session, asking, set().union(*partners.values()), delta.result)
    key = id_key.result
    causes = {plan_id: Cause.build(key, notice.event_id, notice.traceparent) for plan_id, notice in notices.items()}
    settling = SettlementContext(context.as_of, context.engine.generation, key, causes)

    def judge_each() -> list[PlanAssessment]:
        return [
            assess_candidates(
                context.engine,
                asking[key],
                candidates,
                _select(found.known, partners[key]),
                settling.as_of,
                context.hopeless_pairs,
            )
            for key, candidates in sorted(found.by_plan.items())
        ]

    return await asyncio.to_thread(judge_each), notices, settling


async def _settle_all(sessions: Sessions, judged: Sequence[PlanAssessment], settling: SettlementContext) -> None:
    first, *others = divide(judged, settling)
    progress = SettlementProgress()
    await _settle_part(sessions, first, settling, progress)
    for part in others:
        await let_others_in()
        await _settle_part(sessions, progress.left(part), settling, progress)


async def _settle_part(
    sessions: Sessions, part: SettlementPart, settling: SettlementContext, progress: SettlementProgress
) -> None:
    drafts = await propose_changes(sessions, part, settling)
    held = SettlementLocks.of(part, drafts)
    async with transaction(sessions, *held.queries) as session:
        await settle(session, part, held, drafts, settling, progress)


async def let_others_in() -> None:
    """Yield between two parts of a settlement, without locks, so that heartbeats and other tasks can run."""
    await asyncio.sleep(0)


def _select(features: Mapping[str, Features], ids: Set[str]) -> dict[str, Features]:
    return {plan_id: features[plan_id] for plan_id in ids if plan_id in features}


def _observe(judged: Sequence[PlanAssessment], notices: Mapping[str, AssessmentInput]) -> None:
    moment = now()
    for judgement in judged:
        notice = notices[judgement.plan.plan.plan_id]
        metrics.EVENT_TO_OPPORTUNITY.observe(max(0.0, (moment - notice.published_at).total_seconds()))
        log.info("plan assessed", event_id=notice.event_id, plan_id=notice.plan_id, pairs=len(judgement.pairs))
