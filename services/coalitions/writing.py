"""Writes coalitions and their events, under one lock: one transaction at a time writes coalitions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.cloudevents import encode
from events.coalitions import CoalitionStatus, MemberState
from events.topics import COALITIONS
from matching.coalitions import why_split
from services.coalitions.formation import Region, load_region
from services.coalitions.wire import coalition_event, coalition_state
from services.domain.coalition import (
    HOLDING,
    Coalition,
    Suggestion,
    apply_plan_change,
    drop_members,
    pass_day,
    release,
    revise,
    suggest,
)
from services.domain.coalition_bars import plan_change
from services.domain.group_identity import is_same_group, match_groups
from services.domain.ids import event_content_hash, group_coalition_id
from services.platform import logs, metrics
from services.store import advisory_locks, coalition_bars, id_keys, outbox, plans
from services.store import coalitions as store
from services.store.coalitions import CoalitionRow
from services.store.database import limit_idle_in_transaction, now
from services.store.plans import PlanRecord

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Moment:
    """The context of a write: the day, the id of the event behind it, and the authority whose act it was."""

    today: date
    cause: str | None = None
    actor: str | None = None


async def lock(session: AsyncSession) -> None:
    """Wait for the lock that every process takes before it reads coalitions in order to write them."""
    await limit_idle_in_transaction(session)
    await advisory_locks.wait_for(session, advisory_locks.COALITIONS)


async def regroup(session: AsyncSession, plan_ids: Collection[str], moment: Moment) -> Mapping[str, int]:
    """Brings the coalitions around these plans up to date with the engine and the plans. The caller holds the lock.

    It reads everything after taking the lock, so the last writer has seen every earlier change. Returns the revisions
    of the opportunities taken into account. Once it has committed, their own events bring nothing new.
    """
    if not plan_ids:
        return {}
    region = await load_region(session, plan_ids, moment.today)
    rows = {row.coalition_id: row for row in region.coalitions}
    current = {coalition_id: row.coalition for coalition_id, row in rows.items()}
    continued, new = match_groups(list(current.values()), region.suggestions)
    for coalition_id, coalition in current.items():
        after = _next(coalition, continued.get(coalition_id), region, moment.today)
        await write(session, rows[coalition_id], after, region.plans, moment)
    for row in await store.ended_with_forgotten(session, plan_ids):
        await write_with_plans(session, row, row.coalition, moment)
    for suggestion in new:
        if not await _ended_by_people(session, suggestion):
            coalition_id = await _new_id(session, min(suggestion.plan_ids))
            made = suggest(coalition_id, suggestion)
            await write(session, store.new_row(coalition_id), made, region.plans, moment)
    return region.seen


async def write(
    session: AsyncSession, row: CoalitionRow, coalition: Coalition, stored: Mapping[str, PlanRecord], moment: Moment
) -> bool:
    """Write a coalition and its event if its content has changed; return whether it has."""
    intended, coalition = coalition, await _with_own_plans(session, row, coalition)
    state = coalition_state(coalition, row.revision + 1, stored)
    payload = state.model_dump(mode="json")
    content = _content_hash(payload)
    revisions = {plan_id: plan.revision for plan_id, plan in stored.items()}
    row.state = store.dump(coalition)
    row.review_on = _review_on(coalition)
    if content == row.content_hash:
        await store.mark_looked_at(session, row.coalition_id, revisions)
        return False
    if row.status != coalition.status.value:
        # An authority whose yes led to this end did not intend it, so it gets the notice too.
        row.status_by = moment.actor if coalition.status is intended.status else None
    row.revision = state.revision
    row.status = coalition.status.value
    row.payload = payload
    row.content_hash = content
    row.updated_at = now()
    session.add(row)
    await session.flush()
    if await store.says_forgotten(session, row.coalition_id):
        await outbox.drop(session, COALITIONS.name, [row.coalition_id])
    await store.save_members(session, coalition, revisions)
    event = coalition_event(coalition, state, moment.cause, now())
    session.add(outbox.to_outbox_row(COALITIONS.name, event.id, encode(event, state.coalition_id)))
    metrics.COALITIONS_WRITTEN.labels(status=row.status).inc()
    log.info("coalition", coalition_id=row.coalition_id, status=row.status, revision=row.revision)
    return True


async def write_with_plans(session: AsyncSession, row: CoalitionRow, coalition: Coalition, moment: Moment) -> None:
    """Write a coalition with what its members' plans say now."""
    stored = await plans.by_id(session, [member.plan_id for member in coalition.members])
    await write(session, row, coalition, stored, moment)


def _next(coalition: Coalition, suggestion: Suggestion | None, region: Region, today: date) -> Coalition:
    if suggestion is not None:
        after = revise(coalition, suggestion)
    else:
        members = [member.plan_id for member in coalition.current]
        after = release(coalition, why_split(region.graph, members, today))
    if not after.touched:
        return after
    for member in coalition.members:
        plan = region.plans.get(member.plan_id)
        change = plan_change(plan.status, plan.state) if plan is not None else None
        if change is not None:
            after = apply_plan_change(after, member.plan_id, change)
    return pass_day(after, today)


async def _with_own_plans(session: AsyncSession, row: CoalitionRow, coalition: Coalition) -> Coalition:
    """The coalition without plans that are in another one, at the moment when it forms. Acceptances in several
    invitations are allowed, so it is known only now which coalition forms first."""
    if coalition.status not in HOLDING or row.status in HOLDING:
        return coalition
    plan_ids = [member.plan_id for member in coalition.accepted]
    taken = await coalition_bars.elsewhere(session, plan_ids, coalition.coalition_id)
    return drop_members(coalition, taken) if taken else coalition


async def _ended_by_people(session: AsyncSession, suggestion: Suggestion) -> bool:
    """Whether people have said no to this group, or let it lapse. Such a group is not suggested again.

    One that ended with its day to decide, before anybody invited, may come again with later dates.
    """
    for row in await store.ended_with(session, suggestion.plan_ids):
        coalition = row.coalition
        plans = {member.plan_id for member in coalition.members}
        asked_or_declined = coalition.invitation is not None or coalition.in_state(MemberState.DECLINED)
        if asked_or_declined and is_same_group(plans, suggestion.plan_ids):
            return True
    return False


async def _new_id(session: AsyncSession, anchor: str) -> str:
    key, ordinal = await id_keys.load(session), 0
    while True:
        found = group_coalition_id(key, anchor, ordinal)
        if await store.load(session, found) is None:
            return found
        ordinal += 1


def _review_on(coalition: Coalition) -> date | None:
    """The next day on which the calendar alone changes the coalition: overdue answers, or the day to decide by."""
    if coalition.status is CoalitionStatus.SUGGESTED:
        return coalition.dates.decide_by + timedelta(days=1)
    if coalition.invitation is None or not coalition.is_living or not coalition.in_state(MemberState.INVITED):
        return None
    return coalition.invitation.reply_by + timedelta(days=1)


def _content_hash(payload: Mapping[str, Any]) -> str:
    """Hash the content without counters."""
    members = [
        {name: value for name, value in member.items() if name != "plan_revision"} for member in payload["members"]
    ]
    return event_content_hash("coalition", {**payload, "revision": 0, "members": members})
