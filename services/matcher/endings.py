"""Withdrawals and awards whose revision is too low. Their plans stay active, so an operator has to see them."""

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.dead_letters import DeadLetterReason, Origin
from events.plans import PlanAwarded, PlanWithdrawn
from events.topics import DEAD_PLANS
from services.matcher.plan_decoding import PlanRecordAccepted
from services.messaging import dead_letter_queue
from services.platform import logs, metrics
from services.store import outbox, plans
from services.store.bulk_writes import bulk_writes
from services.store.plan_log import RecordOutcome

log: Final = logs.get(__name__)


async def keep_superseded(
    session: AsyncSession, items: Sequence[PlanRecordAccepted], outcomes: Sequence[RecordOutcome]
) -> int:
    """Write a dead letter for each superseded withdrawal or award whose plan is still active; return the number.

    The dead letters enter the outbox in the transaction that logs the events: a later copy is a duplicate and writes
    none. The plan log has the content, so the dead letter names only the plan and the revision.
    """
    late = [
        item
        for item, outcome in zip(items, outcomes, strict=True)
        if outcome is RecordOutcome.SUPERSEDED and isinstance(item.payload, PlanWithdrawn | PlanAwarded)
    ]
    if not late:
        return 0
    active = await plans.active_revisions(session, {item.payload.plan_id for item in late})
    letters = [_letter(item, active[item.payload.plan_id]) for item in late if item.payload.plan_id in active]
    async with bulk_writes(session) as writes:
        outbox.append(writes, letters)
    return len(letters)


def report_superseded(count: int) -> None:
    """Count and log the dead letters of `keep_superseded`, after their commit."""
    if count:
        metrics.DEAD_LETTERS.labels(family="plans", reason=DeadLetterReason.SUPERSEDED_WITHDRAWAL.value).inc(count)
        log.warning("withdrawals superseded, their plans still stand", count=count)


def _letter(item: PlanRecordAccepted, revision: int) -> dict[str, object]:
    record, payload = item.record, item.payload
    ended = "award" if isinstance(payload, PlanAwarded) else "withdrawal"
    message = dead_letter_queue.to_event(
        DeadLetterReason.SUPERSEDED_WITHDRAWAL,
        f"the {ended} has revision {payload.revision}, the plan stands at {revision}; publish it under a higher one",
        Origin(topic=record.topic, partition=record.partition, offset=record.offset),
        key=payload.plan_id.encode(),
        value=json.dumps(payload.model_dump(mode="json", include={"plan_id", "revision", "authority"})).encode(),
        headers=[("ce_id", item.event.id.encode()), ("ce_type", item.event.type.encode())],
    )
    return outbox.to_columns(DEAD_PLANS.name, item.event.id, message)
