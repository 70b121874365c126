"""Turns opportunity events into intents. Consuming an event twice changes nothing."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiokafka import ConsumerRecord as Record

from events.cloudevents import EnvelopeError, Event, decode
from events.dead_letters import DeadLetterReason
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from services.domain.notification_rules import NotificationDraft, plan_notifications
from services.domain.notification_schedule import next_digest
from services.domain.notifications import UNSENT, Purpose
from services.platform import logs, metrics
from services.store import coalitions, intents
from services.store.database import Sessions, transaction
from services.store.intents import Intent, Stand

CORRECTION_GATHER_SECONDS: Final = 5.0
"""Corrections are urgent, but one withdrawn plan ends several opportunities, and one email should carry them all."""

UNKNOWN: Final = "the database has no such opportunity at this revision: it did not come from the matcher"

Clock = Callable[[], datetime]

log: Final = logs.get(__name__)


DeadLetterHandler = Callable[[Record, DeadLetterReason, str], Awaitable[None]]
"""Writes a dead letter for a record that can't be handled; returns once the broker has it."""


@dataclass(frozen=True, slots=True)
class OpportunityEvent:
    """An opportunity's state, its event's id, its record, and the id of the plan event behind it."""

    event_id: str
    state: OpportunityState
    record: Record
    causation_id: str | None = None


def read(record: Record) -> OpportunityEvent:
    """Decode one Kafka record. Raises EnvelopeError if it is no opportunity event."""
    event: Event = decode(record.headers, record.value, OPPORTUNITY_PAYLOADS)
    assert isinstance(event.payload, OpportunityState)
    return OpportunityEvent(event.id, event.payload, record, event.causation_id)


async def handle(
    records: Sequence[Record],
    *,
    sessions: Sessions,
    refuse: DeadLetterHandler,
    clock: Clock,
    notify_batch_seconds: float,
) -> None:
    """Handle a batch: dead-letter records that are no opportunity events, and turn the others into intents."""
    with metrics.HANDLING.labels(process="notifier").time():
        told = []
        for record in records:
            if record.value is None:
                continue  # A tombstone: the opportunity ended long ago, and its correction was sent then.
            try:
                told.append(read(record))
            except EnvelopeError as error:
                await refuse(record, error.reason, str(error))
        if told:
            for item in await record_intents(sessions, told, clock(), notify_batch_seconds):
                await refuse(item.record, DeadLetterReason.UNKNOWN_OPPORTUNITY, UNKNOWN)
    # Count handled records, not read ones: code that waits for the notifier relies on it.
    metrics.EVENTS_IN.labels(family="opportunities").inc(len(records))


async def record_intents(
    sessions: Sessions, told: Sequence[OpportunityEvent], at: datetime, notify_batch_seconds: float
) -> list[OpportunityEvent]:
    """Add the intents that follow from these states, and cancel outdated ones, in one transaction.

    A state older than the database's is skipped, since a newer event follows. Returns states that the database never
    had: the matcher writes an opportunity before the relay publishes it, so they come from another source.
    """
    added: list[Intent] = []
    async with transaction(sessions) as session:
        stands = await intents.current_stands(session, list({item.state.opportunity_id for item in told}))
        strange = [item for item in told if not _was_written(item.state, stands.get(item.state.opportunity_id))]
        newest = _newest(item for item in told if item not in strange)
        together = await coalitions.pairs_inside(session, list(newest))
        ended = [key for key, item in newest.items() if item.state.status == "withdrawn"]
        actors = await intents.actors(session, ended)
        locked: dict[str, list[Intent]] = {}
        # Intents caused by people's acts do not depend on the state, and are not outdated by it.
        for intent in (one for one in await intents.locked_of(session, list(newest)) if not one.occasion):
            locked.setdefault(intent.opportunity_id, []).append(intent)
        for opportunity_id, item in sorted(newest.items()):
            if stands[opportunity_id].material_revision > item.state.material_revision:
                continue
            earlier = locked.get(opportunity_id, [])
            means = plan_notifications(item.state, earlier)
            for intent in earlier:
                if means.outdated and intent.state in UNSENT and not intent.possibly_delivered:
                    intents.cancel(intent, means.outdated, at)
            # Members of a coalition get no correction: their windows may close, but their coalition stands.
            apart = item.state.status == "active" or opportunity_id not in together
            # No authority is notified of its own act.
            actor = actors.get(opportunity_id)
            added += [
                _intent(item, news, at, notify_batch_seconds)
                for news in means.drafts
                if apart and news.authority != actor
            ]
        await intents.add(session, added)
    for intent in added:
        log.info(
            "intent",
            event_id=intent.source_event_id,
            causation_id=intent.causation_id,
            opportunity_id=intent.opportunity_id,
            authority=intent.authority,
            purpose=intent.purpose,
            change=intent.change,
        )
        metrics.INTENTS.labels(purpose=intent.purpose, change=intent.change).inc()
    return strange


def _was_written(state: OpportunityState, stand: Stand | None) -> bool:
    """Whether the database has, or had, this revision of an opportunity between these authorities."""
    if stand is None or state.revision > stand.revision:
        return False
    return {side.authority for side in state.plans} == stand.authorities


def _newest(told: Iterable[OpportunityEvent]) -> dict[str, OpportunityEvent]:
    """The newest state of each opportunity in a batch; older ones need no notification."""
    newest: dict[str, OpportunityEvent] = {}
    for item in told:
        known = newest.get(item.state.opportunity_id)
        if known is None or item.state.revision >= known.state.revision:
            newest[item.state.opportunity_id] = item
    return newest


def _intent(item: OpportunityEvent, news: NotificationDraft, at: datetime, notify_batch_seconds: float) -> Intent:
    due = {
        Purpose.IMMEDIATE: at + timedelta(seconds=notify_batch_seconds),
        Purpose.CORRECTION: at + timedelta(seconds=min(notify_batch_seconds, CORRECTION_GATHER_SECONDS)),
        Purpose.DIGEST: next_digest(at),
    }
    return Intent(
        opportunity_id=item.state.opportunity_id,
        material_revision=item.state.material_revision,
        authority=news.authority,
        partner=news.partner,
        purpose=news.purpose,
        band=news.band,
        change=news.change,
        only_if_notified=news.only_if_notified,
        source_event_id=item.event_id,
        causation_id=item.causation_id,
        due_at=due[news.purpose],
        created_at=at,
        updated_at=at,
    )
