"""Finishes the work that a crash left between recording and settlement, and assesses pairs again when time passes."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.matcher.assessment import match
from services.matcher.context import MatcherContext
from services.matcher.framework_vectors import embed_frameworks
from services.platform import logs, metrics, retry
from services.store import advisory_locks, opportunities, plan_features, plans
from services.store.database import Sessions, now, transaction

RECENT_PLAN_GRACE: Final = timedelta(seconds=30)
"""A plan received more recently is probably being handled right now."""
AT_ONCE: Final = 64
FULL_SWEEP_INTERVAL: Final = 600.0
"""Seconds between two sweeps over all plans and opportunities. Other sweeps read only plans marked unassessed."""

log: Final = logs.get(__name__)


async def sweep_for_ever(context: MatcherContext, sessions: Sessions, every_seconds: float) -> None:
    """Sweep periodically. After a transient error it tries again in the next round."""
    full_at = float("-inf")

    async def sweep_next() -> None:
        nonlocal full_at
        thorough = time.monotonic() - full_at >= FULL_SWEEP_INTERVAL
        await sweep(context, sessions, RECENT_PLAN_GRACE, thorough=thorough)
        full_at = time.monotonic() if thorough else full_at

    await retry.repeat(sweep_next, every_seconds, "sweep failed, next round will try again", log)


async def sweep(
    context: MatcherContext, sessions: Sessions, grace: timedelta = timedelta(0), *, thorough: bool = True
) -> int:
    """Run one round, unless another matcher is running one; return the number of plans assessed.

    A `thorough` round also repairs the index: plans missing from it, frameworks without vectors, and entries stamped
    by transaction ids that this server has not reached.
    """
    async with sessions() as holder:
        if not await advisory_locks.try_advisory_lock(holder, advisory_locks.SWEEP):
            return 0
        left = await _assess_found(
            context, sessions, "unfinished", lambda s: plans.unassessed_before(s, now() - grace, AT_ONCE)
        )
        generation = context.engine.generation.id
        lost = 0
        if thorough:
            lost = await _assess_found(
                context, sessions, "not indexed", lambda s: plan_features.misplaced(s, generation, AT_ONCE)
            )
            async with transaction(sessions) as session:
                await plan_features.reset_future_xids(session)
            await embed_frameworks(context, sessions)
        due = await _assess_found(
            context, sessions, "due", lambda s: opportunities.due_for_review(s, context.as_of, AT_ONCE)
        )
    return left + lost + due


Finder = Callable[[AsyncSession], Awaitable[Sequence[str]]]


async def _assess_found(context: MatcherContext, sessions: Sessions, why: str, find: Finder) -> int:
    """Matches the plans that `find` returns until it returns no new ones."""
    seen: set[str] = set()
    while True:
        async with transaction(sessions) as session:
            found = [plan_id for plan_id in await find(session) if plan_id not in seen]
        if not found:
            return len(seen)
        seen.update(found)
        await match(context, sessions, found)
        metrics.SWEEPER_PLANS.labels(why=why).inc(len(found))
