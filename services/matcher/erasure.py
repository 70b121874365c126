"""Erases plans: their content goes from every table, their identities stay.

Past decisions stand. Active opportunities of an erased plan are withdrawn, and that is published. Ended ones lose the
contents of both plans, and become tombstones on the compacted topic once every consumer has read of their end. The plan
log keeps ids, revisions and hashes: a rebuild still finds the live plans, and a redelivered event is a duplicate.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from events.plans import PlanState
from events.topics import DEAD_PLANS, OPPORTUNITIES, PAGE_PLANS
from matching.features import clean_plan
from matching.policy import Policy
from services.domain.ids import text_hash
from services.domain.opportunity_events import EventKind
from services.domain.opportunity_status import OpportunityStatus
from services.matcher.pending_writes import PendingWrites, enqueue_event, strip_contents, tombstone, withdraw
from services.matcher.settlement import PAIRS_AT_ONCE
from services.store import (
    advisory_locks,
    coalitions,
    embeddings,
    forgotten,
    outbox,
    plan_drafts,
    plan_features,
    plans,
    responses,
)
from services.store.bulk_writes import bulk_writes
from services.store.database import Sessions, in_array, now, transaction
from services.store.mapping import plan_from_payload
from services.store.opportunities import Opportunity
from services.store.plan_log import PlanLog
from services.store.plans import PlanRecord
from services.store.replay_log import FULL_STATE_TYPES

ENDED: Final = "One of the two plans has ended."
SETTLED: Final = timedelta(days=7)
"""Consumers have read the end of an opportunity that ended before this; until then the topic has to state it."""


@dataclass(frozen=True, slots=True)
class ErasedContent:
    """Counts of an erasure: plans, events of the log, opportunities withdrawn for it, and those ended before."""

    plans: int = 0
    events: int = 0
    withdrawn: int = 0
    ended: int = 0

    def __add__(self, other: "ErasedContent") -> "ErasedContent":
        return ErasedContent(
            self.plans + other.plans,
            self.events + other.events,
            self.withdrawn + other.withdrawn,
            self.ended + other.ended,
        )


async def plans_of(session: AsyncSession, subject: str) -> list[str]:
    """The ids of one plan, or of all of an authority's plans, including those erased before."""
    meant = (
        col(PlanLog.plan_id) == subject if ":" in subject else func.split_part(col(PlanLog.plan_id), ":", 1) == subject
    )
    found = await session.execute(select(col(PlanLog.plan_id)).where(meant).distinct().order_by(col(PlanLog.plan_id)))
    return list(found.scalars())


async def erase(sessions: Sessions, policy: Policy, plan_ids: Collection[str]) -> ErasedContent:
    """Erase plans, each in transactions of its own, after the invitations for all of them. Repeatable.

    `policy`: the policy under which the plans' texts were embedded.
    """
    # Once for all: it looks through all coalitions, under their lock.
    await forget_invitations(sessions, plan_ids)
    total = ErasedContent()
    for plan_id in plan_ids:
        total += await _erase(sessions, policy, plan_id)
    return total


async def _erase(sessions: Sessions, policy: Policy, plan_id: str) -> ErasedContent:
    """End the plan's opportunities in parts, as a settlement writes them. The plan goes with the last one, so that a
    repetition finds it until then."""
    total, ended = ErasedContent(), set[str]()
    while True:
        async with transaction(sessions) as session:
            left = await _open_pairs(session, plan_id, ended)
        part = dict(list(left.items())[:PAIRS_AT_ONCE])
        async with transaction(sessions) as session:
            locked = await plans.lock_plans(session, {plan_id}.union(*part.values()))
            if len(part) == len(left):
                # A pair found in between has a plan that is not locked: start again.
                if not (await _open_pairs(session, plan_id, ended)).keys() <= part.keys():
                    continue
                await _forget_embeddings(session, policy, plan_id)
                return total + await _forget(session, plan_id, locked.get(plan_id, 0), part)
            total += await _end(session, part)
        ended |= part.keys()


async def forget_invitations(sessions: Sessions, subjects: Collection[str]) -> None:
    """Delete the words of invitations for plans or by parties."""
    # A transaction of its own: the holder of the coalitions lock must not wait for plans.
    async with transaction(sessions) as session:
        await advisory_locks.wait_for(session, advisory_locks.COALITIONS)
        await coalitions.forget_invitations(session, subjects)
        await responses.forget_convened(session, subjects)


async def _open_pairs(session: AsyncSession, plan_id: str, ended: Collection[str]) -> dict[str, set[str]]:
    """The ids of the plan's opportunities that still are to be ended, each with those of its plans.

    `ended`: those that this erasure has ended. An active one among them has come back since.
    """
    mine = or_(col(Opportunity.plan_a) == plan_id, col(Opportunity.plan_b) == plan_id)
    active = col(Opportunity.status) == OpportunityStatus.ACTIVE
    query = (
        select(col(Opportunity.opportunity_id), active, col(Opportunity.plan_a), col(Opportunity.plan_b))
        .where(mine, or_(active, col(Opportunity.tombstoned_at).is_(None)))
        .order_by(col(Opportunity.opportunity_id))
    )
    rows: Sequence[Any] = (await session.execute(query)).all()
    return {pair: {a, b} for pair, is_active, a, b in rows if is_active or pair not in ended}


async def _forget(session: AsyncSession, plan_id: str, revision: int, pairs: Collection[str]) -> ErasedContent:
    # An operator annuls revisions that are too high: counting them would make every later revision look old.
    counts = (col(PlanLog.plan_id) == plan_id, col(PlanLog.annulled_by).is_(None))
    logged = select(func.max(col(PlanLog.revision))).where(*counts)
    newest = max(revision, (await session.execute(logged)).scalar_one() or 0)
    await forgotten.note(session, plan_id, newest)
    events = await forgotten.blank_log(session, [plan_id])
    await outbox.drop(session, DEAD_PLANS.name, [plan_id])
    await outbox.drop(session, PAGE_PLANS.name, [plan_id])
    await plan_drafts.take(session, plan_id)
    await coalitions.forget_plan(session, plan_id)
    await responses.forget(session, plan_id)
    done = await _end(session, pairs)
    async with bulk_writes(session) as writes:
        plan_features.close(writes, [plan_id])
    await session.execute(
        update(PlanRecord)
        .where(col(PlanRecord.plan_id) == plan_id)
        .values(
            # SQL NULL; None would become the JSON value null.
            state=null(),
            status=func.coalesce(func.nullif(col(PlanRecord.status), "active"), "withdrawn"),
            matchable=False,
            assessed_revision=col(PlanRecord.revision),
            attempts=0,
            quarantined=False,
        )
    )
    return done + ErasedContent(plans=1, events=events)


async def _forget_embeddings(session: AsyncSession, policy: Policy, plan_id: str) -> None:
    """Remove the vectors of all texts that the plan ever had. Another plan with the same text is embedded again."""
    query = select(PlanLog).where(col(PlanLog.plan_id) == plan_id, col(PlanLog.event_type).in_(FULL_STATE_TYPES))
    rows = (await session.execute(query)).scalars()
    states = [PlanState.model_validate(row.payload) for row in rows if not forgotten.is_blank(row.payload)]
    both = [clean_plan(plan_from_payload(state), policy) for state in states]
    await embeddings.remove(session, {text_hash(text) for one in both for text in (one.title, one.body) if text})


async def _end(session: AsyncSession, pairs: Collection[str]) -> ErasedContent:
    """Withdraw the active ones of these opportunities, and strip both plans' contents from those that ended before."""
    kept = PendingWrites()
    query = select(Opportunity).where(in_array(col(Opportunity.opportunity_id), list(pairs)))
    rows = (await session.execute(query)).scalars().all()
    active = [row for row in rows if row.status == OpportunityStatus.ACTIVE]
    ended = [row for row in rows if row.status != OpportunityStatus.ACTIVE and row.tombstoned_at is None]
    await outbox.drop(session, OPPORTUNITIES.name, [row.opportunity_id for row in (*active, *ended)])
    for row in active:
        withdraw(kept, row, ENDED, None, hide=True)
    for row in ended:
        if row.updated_at < now() - SETTLED:
            kept.messages.append(tombstone(row))
        else:
            enqueue_event(kept, strip_contents(row), EventKind.WITHDRAWN, None)
    async with bulk_writes(session) as writes:
        kept.post(writes)
    return ErasedContent(withdrawn=len(active), ended=len(ended))
