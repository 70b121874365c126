"""Applies a rebuild: it replaces the differing live rows in one transaction, and causes no notification."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from events.opportunities import OpportunityState
from events.topics import OPPORTUNITIES
from matching.assessment import Band
from services.domain.notifications import IntentState, NotificationChange, Purpose
from services.domain.opportunity import event_kind, state_content_hash
from services.domain.opportunity_status import OpportunityStatus
from services.maintenance.rebuild import PairDifference, PlanDifference, RebuildError, RebuildReport
from services.matcher.pending_writes import PendingWrites, enqueue_event
from services.store import generation, outbox, plan_features, plans, shadow_tables
from services.store import intents as notifications
from services.store import opportunities as store
from services.store.bulk_writes import bulk_writes
from services.store.database import Sessions, assign, now, transaction
from services.store.intents import Intent
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord

AT_ONCE: Final = 500
REBUILT_REASON: Final = "rebuilt"
"""The reason in the cancelled intents."""


@dataclass(slots=True)
class RebuildApplied:
    """The number of plans and pairs replaced, and of pairs left alone because they changed meanwhile."""

    plans: int = 0
    pairs: int = 0
    moved_on: int = 0


async def apply_rebuild(sessions: Sessions, found: RebuildReport) -> RebuildApplied:
    """Replace every live row that differs from its rebuilt row.

    Until the transaction ends, nobody records, settles or quarantines a plan. Identity, revision counters, material
    revision and the last notified content stay. A pair whose content changes gets its next revision and an event with
    the same material revision, so that consumers follow and nobody is notified. Raises RebuildError if the generation
    changed meanwhile.
    """
    done = RebuildApplied()
    async with transaction(sessions) as session:
        current = await generation.lock(session)
        if current is None or current.generation != found.generation:
            raise RebuildError("the database changed to another generation meanwhile; nothing was changed")
        await generation.lock_plan_writes(session)
        for start in range(0, len(found.plans), AT_ONCE):
            done.plans += await _replace_plans(session, found.plans[start : start + AT_ONCE])
        for start in range(0, len(found.pairs), AT_ONCE):
            await _replace_pairs(session, found.pairs[start : start + AT_ONCE], done)
    return done


async def _replace_plans(session: AsyncSession, differences: Sequence[PlanDifference]) -> int:
    ids = [difference.plan_id for difference in differences]
    rebuilt = await shadow_tables.shadow_plans(session, ids)
    live = await plans.by_id(session, ids)
    logged = await shadow_tables.ids_in_log(session, ids)
    gone = []
    count = 0
    for difference in differences:
        row, plan = live.get(difference.plan_id), rebuilt.get(difference.plan_id)
        seen = None if row is None else (row.revision, row.assessed_revision)
        if seen != difference.live:
            continue
        count += 1
        if plan is None:
            if difference.plan_id not in logged:
                gone.append(difference.plan_id)
        elif row is None:
            session.add(PlanRecord(**plan.model_dump()))
        else:
            assign(row, plan.model_dump())
    await shadow_tables.remove_plans(session, gone)
    # Their index rows may be of another revision. The sweeper notices the missing rows.
    async with bulk_writes(session) as writes:
        plan_features.close(writes, ids)
    return count


async def _replace_pairs(session: AsyncSession, differences: Sequence[PairDifference], done: RebuildApplied) -> None:
    keys = [difference.opportunity_id for difference in differences]
    rebuilt = await shadow_tables.shadow_opportunities(session, keys)
    live = await store.get_many(session, keys)
    ids = {plan_id for difference in differences for plan_id in difference.plans}
    stored, meant = await plans.by_id(session, ids), await shadow_tables.shadow_plans(session, ids)
    hushed: list[Intent] = []
    for difference in differences:
        row = live.get(difference.opportunity_id)
        seen = None if row is None else (row.revision, row.assessed_as_of)
        settled = all(_settled(stored.get(plan_id), meant.get(plan_id)) for plan_id in difference.plans)
        if seen != difference.seen or not settled:
            done.moved_on += 1
            continue
        done.pairs += 1
        hushed += await _replace(session, row, rebuilt[difference.opportunity_id])
    await notifications.add(session, hushed)


def _settled(stored: PlanRecord | None, meant: PlanRecord | None) -> bool:
    """Return whether a plan is as the rebuild found it, with no assessment pending."""
    if stored is None or meant is None:
        return stored is meant
    return stored.revision == meant.revision and (stored.quarantined or stored.assessed_revision == stored.revision)


async def _replace(session: AsyncSession, row: Opportunity | None, columns: dict[str, Any]) -> list[Intent]:
    """Replace one pair, and return the cancelled intents that record why nobody is notified of it."""
    was_active, revision = (False, 0) if row is None else (row.status == OpportunityStatus.ACTIVE, row.revision)
    loud = was_active and row is not None and row.band != Band.FEED
    if row is None:
        row = Opportunity(**columns)
        await _continue_counters(session, row)
        session.add(row)
    else:
        assign(row, columns)
    if row.revision == revision:
        return []
    row.updated_at = now()
    state = OpportunityState.model_validate(row.payload)
    kept = PendingWrites()
    enqueue_event(kept, state, event_kind(was_active, row.status), None)
    async with bulk_writes(session) as writes:
        kept.post(writes)
    # An immediate or digest opportunity has intents of this material revision, or gets them from its event in flight.
    return [] if loud else _suppressed_intents(row)


async def _continue_counters(session: AsyncSession, row: Opportunity) -> None:
    """Continue the counters of a pair whose row was lost; consumers would ignore lower revisions."""
    last = await outbox.newest(session, OPPORTUNITIES.name, row.opportunity_id)
    intents = select(col(Intent.material_revision)).where(col(Intent.opportunity_id) == row.opportunity_id)
    material = max((await session.execute(intents)).scalars(), default=0)
    if last is not None and last.value:
        said = OpportunityState.model_validate_json(last.value)
        row.revision, material = said.revision + 1, max(material, said.material_revision)
    row.material_revision = max(row.material_revision, material)
    row.revision = max(row.revision, row.material_revision)
    row.payload = {**row.payload, "revision": row.revision, "material_revision": row.material_revision}
    row.content_hash = state_content_hash(OpportunityState.model_validate(row.payload))


def _suppressed_intents(row: Opportunity) -> list[Intent]:
    """Create cancelled intents instead of those that the notifier would create: visible, and never sent."""
    moment = now()
    sides = ((row.authority_a, row.authority_b), (row.authority_b, row.authority_a))
    return [
        Intent(
            opportunity_id=row.opportunity_id,
            material_revision=row.material_revision,
            authority=own,
            partner=other,
            purpose=Purpose.DIGEST,
            band=row.band,
            change=NotificationChange.NEW if row.status == OpportunityStatus.ACTIVE else NotificationChange.WITHDRAWN,
            state=IntentState.CANCELLED,
            reason=REBUILT_REASON,
            source_event_id=REBUILT_REASON,
            due_at=moment,
            created_at=moment,
            updated_at=moment,
        )
        for own, other in sides
    ]
