"""Retention: once a day, contents past their time are erased and ended opportunities become tombstones.

One matcher at a time runs it, in small transactions. It keeps everything that a decision still needs: the newest
revision of an active plan, and an active opportunity with its notifications.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, CursorResult, delete, exists, or_, select, text
from sqlalchemy.orm import Mapped
from sqlmodel import SQLModel, col

from matching.plan import Status
from matching.policy import Policy
from services.domain.notifications import EmailState
from services.domain.opportunity_status import OpportunityStatus
from services.matcher.erasure import SETTLED, erase
from services.matcher.pending_writes import PendingWrites, tombstone
from services.platform import logs, metrics, retry
from services.platform.settings import Settings
from services.store import advisory_locks, plans
from services.store.bulk_writes import bulk_writes
from services.store.coalition_notices import CoalitionNotice
from services.store.database import Sessions, in_array, now, transaction
from services.store.forgotten import FORGOTTEN, ForgottenPlan
from services.store.intents import Intent, Mail
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord

EVERY: Final = timedelta(days=1)
AGAIN: Final = timedelta(hours=1)
AT_ONCE: Final = 200
ROWS_AT_ONCE: Final = 1000
OVER: Final = (EmailState.SENT, EmailState.FAILED, EmailState.CANCELLED)
"""The states in which an email stays."""

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """How long ended plans and opportunities are kept; None means for ever."""

    plans: timedelta | None
    opportunities: timedelta | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read the settings; 0 days mean for ever."""
        days = (settings.keep_plans_days, settings.keep_opportunities_days)
        return cls(*(timedelta(days=number) if number else None for number in days))


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """Counts of a purge: ended plans and superseded revisions without content now, opportunities turned into
    tombstones, and intents and emails deleted."""

    plans: int = 0
    revisions: int = 0
    opportunities: int = 0
    intents: int = 0
    mails: int = 0


class PurgeError(Exception):
    """Some steps of a purge failed, and the others ran. `steps`: the names of those that failed."""

    def __init__(self, steps: Sequence[str]) -> None:
        super().__init__(f"steps that failed: {', '.join(steps)}")
        self.steps = steps


async def purge_for_ever(sessions: Sessions, policy: Policy, keep: RetentionRules) -> None:
    """Purge once a day. A purge of which a step failed is tried again after an hour."""
    ended_at: datetime | None = None

    async def purge_now() -> None:
        nonlocal ended_at
        if ended_at is not None and now() - ended_at < EVERY:
            return
        try:
            done = await purge(sessions, policy, keep, now())
        except PurgeError as error:
            metrics.PURGE_FAILED_STEPS.set(len(error.steps))
            raise
        # Also where another matcher purges: that one tells of its own steps.
        metrics.PURGE_FAILED_STEPS.set(0)
        ended_at = now()
        if done is not None:
            log.info("purged", plans=done.plans, opportunities=done.opportunities, mails=done.mails)

    await retry.repeat(purge_now, AGAIN.total_seconds(), "purge failed, trying again in an hour", log)


async def purge(sessions: Sessions, policy: Policy, keep: RetentionRules, at: datetime) -> PurgeResult | None:
    """Run one purge; None if another matcher is running one. A step that fails keeps no other from running.

    Raises PurgeError if a step failed.
    """
    async with sessions() as holder:
        if not await advisory_locks.try_advisory_lock(holder, advisory_locks.PURGE):
            return None
        counts, failed = {}, []
        for name, step in _steps(sessions, policy, keep, at).items():
            try:
                counts[name] = await retry.retry_lost_races(step)
            except Exception as error:  # whatever the error, the other steps must run
                failed.append(name)
                log.warning("purge step failed", step=name, error=retry.one_line(error))
    if failed:
        raise PurgeError(failed)
    return PurgeResult(**counts)


def _steps(
    sessions: Sessions, policy: Policy, keep: RetentionRules, at: datetime
) -> dict[str, Callable[[], Awaitable[int]]]:
    """Return the steps of one purge in order, by the name of their count. Each may be repeated."""
    steps: dict[str, Callable[[], Awaitable[int]]] = {}
    if keep.plans is not None:
        ended = at - keep.plans
        steps["plans"] = lambda: _forget_ended(sessions, policy, ended)
        steps["revisions"] = lambda: _blank_superseded(sessions, ended)
    before = None if keep.opportunities is None else at - keep.opportunities
    steps["opportunities"] = lambda: _tombstone_ended(sessions, before, at - SETTLED)
    if before is not None:
        steps["intents"] = lambda: _delete_intents(sessions, before)
        steps["mails"] = lambda: _delete_mails(sessions, before)
    return steps


async def _forget_ended(sessions: Sessions, policy: Policy, before: datetime) -> int:
    """Erase plans that were withdrawn or awarded before `before`."""
    query = select(col(PlanRecord.plan_id)).where(
        col(PlanRecord.status) != Status.ACTIVE,
        col(PlanRecord.state).is_not(None),
        col(PlanRecord.received_at) < before,
    )
    count = 0
    while True:
        async with transaction(sessions) as session:
            found = list((await session.execute(query.order_by(col(PlanRecord.plan_id)).limit(AT_ONCE))).scalars())
        if not found:
            return count
        await erase(sessions, policy, found)
        count += len(found)


_BLANK_SUPERSEDED: Final = text(
    "WITH due AS (SELECT l.id, p.authority FROM plan_log l JOIN plans p USING (plan_id)"
    " WHERE l.id > :after AND p.status = 'active' AND l.revision < p.revision AND l.received_at < :before"
    " AND NOT jsonb_exists(l.payload, :forgotten) ORDER BY l.id LIMIT :at_once FOR UPDATE OF l SKIP LOCKED)"
    " UPDATE plan_log l SET payload = jsonb_build_object('plan_id', l.plan_id, 'revision', l.revision, 'authority',"
    " due.authority, CAST(:forgotten AS text), true) FROM due WHERE l.id = due.id RETURNING l.id"
)


async def _blank_superseded(sessions: Sessions, before: datetime) -> int:
    """Blank revisions that a newer one replaced: a rebuild reads only the newest."""
    given = {"forgotten": FORGOTTEN, "before": before, "at_once": ROWS_AT_ONCE}
    count = after = 0
    while True:
        async with transaction(sessions) as session:
            blanked = (await session.execute(_BLANK_SUPERSEDED, given | {"after": after})).scalars().all()
        if not blanked:
            return count
        count, after = count + len(blanked), max(blanked)


async def _tombstone_ended(sessions: Sessions, before: datetime | None, forgotten_before: datetime) -> int:
    """Make tombstones of opportunities that ended before `before`, and earlier if one of their plans was erased."""
    gone = exists().where(
        or_(
            col(ForgottenPlan.plan_id) == col(Opportunity.plan_a), col(ForgottenPlan.plan_id) == col(Opportunity.plan_b)
        )
    )
    old: list[ColumnElement[bool]] = [gone & (col(Opportunity.updated_at) < forgotten_before)]
    if before is not None:
        old.append(col(Opportunity.updated_at) < before)
    ended = select(Opportunity).where(
        col(Opportunity.status) == OpportunityStatus.WITHDRAWN, col(Opportunity.tombstoned_at).is_(None), or_(*old)
    )
    count = 0
    while True:
        async with transaction(sessions) as session:
            rows = (await session.execute(ended.limit(AT_ONCE))).scalars().all()
        if not rows:
            return count
        count += await _tombstone(sessions, rows)


async def _tombstone(sessions: Sessions, found: Sequence[Opportunity]) -> int:
    async with transaction(sessions) as session:
        # A matcher that finds the pair again locks both plans: either we see its row, or it sees our tombstone.
        await plans.lock_plans(session, {plan_id for row in found for plan_id in (row.plan_a, row.plan_b)})
        query = select(Opportunity).where(
            in_array(col(Opportunity.opportunity_id), [row.opportunity_id for row in found])
        )
        rows = (await session.execute(query)).scalars().all()
        kept = PendingWrites()
        kept.messages += [
            tombstone(row) for row in rows if row.status == OpportunityStatus.WITHDRAWN and row.tombstoned_at is None
        ]
        async with bulk_writes(session) as writes:
            kept.post(writes)
        return len(kept.messages)


async def _delete_intents(sessions: Sessions, before: datetime) -> int:
    """Delete the intents of tombstones."""
    buried = select(col(Opportunity.opportunity_id)).where(col(Opportunity.tombstoned_at).is_not(None))
    old = col(Intent.updated_at) < before
    return await _delete(sessions, Intent, col(Intent.id), col(Intent.opportunity_id).in_(buried), old)


async def _delete_mails(sessions: Sessions, before: datetime) -> int:
    """Delete the emails that nothing refers to any more.

    A coalition notice keeps its email: it proves that the member was notified, so that nobody is notified twice.
    """
    empty = ~or_(
        exists().where(col(Intent.mail_id) == col(Mail.mail_id)),
        exists().where(col(CoalitionNotice.mail_id) == col(Mail.mail_id)),
    )
    over = col(Mail.state).in_(OVER) & (col(Mail.updated_at) < before)
    return await _delete(sessions, Mail, col(Mail.mail_id), over, empty)


async def _delete(sessions: Sessions, table: type[SQLModel], key: Mapped[Any], *where: ColumnElement[bool]) -> int:
    """Delete rows by their key, in small transactions. Rows that others have locked wait until tomorrow."""
    due = select(key).where(*where).order_by(key).limit(ROWS_AT_ONCE).with_for_update(skip_locked=True, of=key)
    statement = delete(table).where(key.in_(due))
    count = 0
    while True:
        async with transaction(sessions) as session:
            done = await session.execute(statement)
        assert isinstance(done, CursorResult)
        if not done.rowcount:
            return count
        count += done.rowcount
