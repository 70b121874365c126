"""A plan whose assessment keeps failing is set aside, visibly; its neighbours go on."""

import json
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.dead_letters import Origin, Reason
from events.topics import DEAD_PLANS
from matching.plan import Plan
from services.matcher.writing import Kept, withdraw
from services.runtime import logs, metrics
from services.runtime.dead_letters import compose
from services.store import opportunities, plans, search
from services.store.base import Sessions, transaction
from services.store.outbox import outgoing
from services.store.rows import together

UNKNOWN: Final = "One of the two plans can't be assessed at the moment."

log: Final = logs.get(__name__)


async def count_failure(sessions: Sessions, plan: Plan) -> None:
    """Counts a failed assessment; the third of one revision sets the plan aside and withdraws its opportunities."""
    async with transaction(sessions) as session:
        partners = (await opportunities.active_partners(session, [plan.plan_id]))[plan.plan_id]
        locked = await plans.lock(session, {plan.plan_id, *partners})
        if locked.get(plan.plan_id) != plan.revision:
            return
        if not await plans.count_failure(session, plan.plan_id, plan.revision):
            return
        kept = Kept()
        for row in await opportunities.active_of(session, plan.plan_id):
            withdraw(kept, row, UNKNOWN)
        async with together(session) as writes:
            kept.post(writes)
            search.remove(writes, [plan.plan_id])
        await _dead_letter(session, plan)
    metrics.DEAD_LETTERS.labels(family="plans", reason=Reason.ASSESSMENT_FAILED.value).inc()
    log.error("plan set aside", plan_id=plan.plan_id, revision=plan.revision)


async def _dead_letter(session: AsyncSession, plan: Plan) -> None:
    row = await plans.logged(session, plan.plan_id, plan.revision)
    message = compose(
        Reason.ASSESSMENT_FAILED,
        f"assessing the plan failed {plans.GIVE_UP_AFTER} times; it is set aside until its next revision",
        Origin.model_validate(row.origin),
        key=plan.plan_id.encode(),
        value=json.dumps(row.payload).encode(),
        headers=[("ce_id", row.event_id.encode()), ("ce_type", row.event_type.encode())],
        attempts=plans.GIVE_UP_AFTER,
    )
    session.add(outgoing(DEAD_PLANS.name, row.event_id, message))
