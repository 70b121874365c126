"""Reviews coalitions whose reply-by has passed, and members' plans that changed without an event."""

from typing import Final

from services.coalitions.benchmark_publishing import publish_ended_quarter
from services.coalitions.benchmark_requests import sweep_requests
from services.coalitions.writing import Moment, lock, regroup, write
from services.domain.coalition import pass_day
from services.platform import logs, metrics, retry
from services.platform.clock import now, today
from services.platform.settings import Settings
from services.store import coalitions as store
from services.store import plans, responses
from services.store.database import Sessions, transaction

AT_ONCE: Final = 100

log: Final = logs.get(__name__)


async def sweep_for_ever(sessions: Sessions, settings: Settings) -> None:
    """Sweep periodically. After a transient error it tries again in the next round."""

    async def sweep_all() -> None:
        await sweep(sessions, settings)
        await publish_ended_quarter(sessions, today(settings.as_of))
        await sweep_requests(sessions, today(settings.as_of))
        await measure(sessions)
        metrics.COALITIONS_SWEPT.set(now().timestamp())

    # The alert counts from here if no sweep ever succeeds.
    metrics.COALITIONS_SWEPT.set(now().timestamp())
    failure = "sweep failed, next round will try again"
    await retry.repeat(sweep_all, settings.sweep_interval_seconds, failure, log)


async def sweep(sessions: Sessions, settings: Settings) -> None:
    """Run one round, until nothing is due and every change of a member's plan has been reviewed."""
    moment = Moment(today(settings.as_of))
    while await _pass_days(sessions, moment):
        pass
    seen: set[str] = set()
    while changed := set(await _changed_plans(sessions)) - seen:
        seen |= changed
        async with transaction(sessions) as session:
            await lock(session)
            await regroup(session, changed, moment)


async def measure(sessions: Sessions) -> None:
    """Update the gauges of coalitions and responses."""
    async with transaction(sessions) as session:
        by_status, by_kind = await store.counts(session), await responses.counts(session)
    for status in metrics.COALITION_STATUSES:
        metrics.COALITIONS.labels(status=status).set(by_status.get(status, 0))
    for kind in metrics.RESPONSE_KINDS:
        metrics.RESPONSES_RECORDED.labels(kind=kind).set(by_kind.get(kind, 0))


async def _pass_days(sessions: Sessions, moment: Moment) -> int:
    async with transaction(sessions) as session:
        await lock(session)
        rows = await store.due(session, moment.today, AT_ONCE)
        for row in rows:
            before = row.coalition
            stored = await plans.by_id(session, [member.plan_id for member in before.members])
            await write(session, row, pass_day(before, moment.today), stored, moment)
    return len(rows)


async def _changed_plans(sessions: Sessions) -> list[str]:
    async with transaction(sessions) as session:
        return await store.changed_plans(session, AT_ONCE)
