"""Steps 4 and 5 for some plans: judge in a fresh snapshot, settle under locks."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from matching.engine import Features
from services.matcher.judging import Judged, judge
from services.matcher.quarantine import count_failure
from services.matcher.settling import Context, settle
from services.matcher.world import World
from services.runtime import logs, metrics
from services.store import opportunities, plans
from services.store.base import Sessions, now, transaction
from services.store.plans import StoredPlan

log: Final = logs.get(__name__)


async def match(world: World, sessions: Sessions, plan_ids: Sequence[str]) -> None:
    """Assesses these plans against all others in a fresh snapshot, then settles what was found.

    Repeatable: a second run over the same plans changes nothing. Call it after the plans' own transaction
    has committed, never inside it: two matchers with a plan each would both miss the pair.
    """
    if not plan_ids:
        return
    async with world.lock:
        judged, rows, context = await _judge_all(world, sessions, plan_ids)
    unknown = rows.keys() - {judgement.plan.plan.plan_id for judgement in judged}
    async with transaction(sessions) as session:
        await settle(session, judged, context, {plan_id: row.traceparent for plan_id, row in rows.items()})
    async with transaction(sessions) as session:
        # Of these only a withdrawal was ever seen: no partners, nothing to assess. In a transaction of their own: they
        # were not locked with the others in the order of ids, and could wait in a circle with who records them.
        await plans.mark_matched(session, {plan_id: rows[plan_id].revision for plan_id in unknown})
    for judgement in judged:
        if judgement.failed is not None:
            await count_failure(sessions, judgement.plan.plan)
    _observe(judged, rows)


async def _judge_all(
    world: World, sessions: Sessions, plan_ids: Sequence[str]
) -> tuple[list[Judged], dict[str, StoredPlan], Context]:
    async with transaction(sessions, isolation="REPEATABLE READ") as session:
        await world.refresh(session)
        partners = await opportunities.active_partners(session, plan_ids)
        features = await world.features(session, set(plan_ids).union(*partners.values()))
        rows = await plans.load(session, plan_ids)
    context = Context(as_of=world.as_of, generation=world.engine.generation)

    def judge_each() -> list[Judged]:
        return [
            judge(world.engine, world.corpus, features[plan_id], _of(features, partners[plan_id]), context.as_of)
            for plan_id in sorted(features.keys() & set(plan_ids))
        ]

    return await asyncio.to_thread(judge_each), rows, context


def _of(features: Mapping[str, Features], ids: set[str]) -> dict[str, Features]:
    return {plan_id: features[plan_id] for plan_id in ids if plan_id in features}


def _observe(judged: Sequence[Judged], rows: Mapping[str, StoredPlan]) -> None:
    moment = now()
    for judgement in judged:
        row = rows[judgement.plan.plan.plan_id]
        metrics.EVENT_TO_OPPORTUNITY.observe(max(0.0, (moment - row.published_at).total_seconds()))
        log.info("plan assessed", event_id=row.event_id, plan_id=row.plan_id, pairs=len(judgement.pairs))
