"""Sets aside a plan whose assessment keeps failing, so that other plans go on. Operators see it as a dead letter."""

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.dead_letters import DeadLetterReason, Origin
from events.topics import DEAD_PLANS
from matching.plan import Plan
from services.domain.opportunity_events import Cause
from services.domain.opportunity_status import OpportunityStatus
from services.matcher import settlement
from services.matcher.pending_writes import PendingWrites, withdraw
from services.messaging.dead_letter_queue import to_event
from services.platform import logs, metrics
from services.store import id_keys, opportunities, plan_features, plan_log, plans
from services.store.bulk_writes import bulk_writes
from services.store.database import Sessions, transaction
from services.store.outbox import to_outbox_row
from services.store.plan_log import PlanLog

UNKNOWN: Final = "One of the two plans can't be assessed at the moment."

log: Final = logs.get(__name__)


async def count_failure(sessions: Sessions, plan: Plan) -> None:
    """Count a failed assessment. The third failure of a revision sets the plan aside and withdraws its opportunities.

    Each transaction withdraws as many as a settlement may have. The plan is set aside in the last one, so that after a
    crash the sweeper returns to it.
    """
    while not await _count(sessions, plan):
        pass


async def _count(sessions: Sessions, plan: Plan) -> bool:
    """Run one transaction; True if it was the last."""
    async with transaction(sessions) as session:
        partners = sorted((await opportunities.active_for_plan(session, [plan.plan_id]))[plan.plan_id])
        some = partners[: settlement.PAIRS_AT_ONCE]
        locked = await plans.lock_plans(session, {plan.plan_id, *some})
        if locked.get(plan.plan_id) != plan.revision:
            return True
        logged = await plan_log.log_entry(session, plan.plan_id, plan.revision)
        if len(partners) > len(some) and await plans.is_last_attempt(session, plan.plan_id):
            await _withdraw(session, logged, some)
            return False
        if not await plans.count_failure(session, plan.plan_id, plan.revision):
            return True
        await _withdraw(session, logged, some)
        async with bulk_writes(session) as writes:
            plan_features.close(writes, [plan.plan_id])
        _dead_letter(session, logged)
    metrics.DEAD_LETTERS.labels(family="plans", reason=DeadLetterReason.ASSESSMENT_FAILED.value).inc()
    log.error("plan set aside", plan_id=plan.plan_id, revision=plan.revision)
    return True


async def _withdraw(session: AsyncSession, plan: PlanLog, partners: Sequence[str]) -> None:
    """Withdraw the plan's opportunities with these partners. The caller holds the locks of all these plans."""
    kept, cause = PendingWrites(), Cause.build(await id_keys.load(session), plan.event_id)
    for row in await opportunities.with_partners(session, plan.plan_id, partners):
        if row.status == OpportunityStatus.ACTIVE:
            withdraw(kept, row, UNKNOWN, cause)
    async with bulk_writes(session) as writes:
        kept.post(writes)


def _dead_letter(session: AsyncSession, row: PlanLog) -> None:
    message = to_event(
        DeadLetterReason.ASSESSMENT_FAILED,
        f"assessing the plan failed {plans.GIVE_UP_AFTER} times; it is set aside until its next revision",
        Origin.model_validate(row.origin),
        key=row.plan_id.encode(),
        value=json.dumps(row.payload).encode(),
        headers=[("ce_id", row.event_id.encode()), ("ce_type", row.event_type.encode())],
        attempts=plans.GIVE_UP_AFTER,
    )
    session.add(to_outbox_row(DEAD_PLANS.name, row.event_id, message))
