"""Opportunity events become intents. Consuming twice changes nothing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiokafka import ConsumerRecord as Record

from events.dead_letters import Reason
from events.envelope import EnvelopeError, Event, decode
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from services.notifier.intents import News, meaning
from services.notifier.schedule import next_digest
from services.runtime import logs, metrics
from services.store import notifications
from services.store.base import Sessions, transaction
from services.store.notifications import WAITING, Intent

CORRECTION_GATHER_SECONDS: Final = 5.0
"""Corrections go at once; but one withdrawn plan ends several opportunities, and they belong into one mail."""

Clock = Callable[[], datetime]

log: Final = logs.get(__name__)


Refuse = Callable[[Record, Reason, str], Awaitable[None]]
"""Keeps a record that can't be handled as a dead letter; returns once it is kept."""


@dataclass(frozen=True, slots=True)
class Told:
    """An opportunity's state and the id of the event that brought it."""

    event_id: str
    state: OpportunityState


def read(record: Record) -> Told:
    """Reads one Kafka record. Raises EnvelopeError where it is no opportunity event."""
    event: Event = decode(record.headers, record.value, OPPORTUNITY_PAYLOADS)
    assert isinstance(event.payload, OpportunityState)
    return Told(event.id, event.payload)


async def handle(
    records: Sequence[Record], *, sessions: Sessions, refuse: Refuse, clock: Clock, gather_seconds: float
) -> None:
    """Handles a batch: what can't be an opportunity event is refused, the rest becomes intents."""
    with metrics.HANDLING.labels(process="notifier").time():
        told = []
        for record in records:
            try:
                told.append(read(record))
            except EnvelopeError as error:
                await refuse(record, error.reason, str(error))
        if told:
            await note(sessions, told, clock(), gather_seconds)
    # Counted once handled, not once read: whoever waits for the notifier waits for this.
    metrics.EVENTS_IN.labels(family="opportunities").inc(len(records))


async def note(sessions: Sessions, told: Sequence[Told], at: datetime, gather_seconds: float) -> int:
    """Writes the intents that these states ask for, and cancels those they overtake, in one transaction.

    Returns how many intents are new. A state that the database has already moved on from is left to its successor.
    """
    newest = _newest(told)
    added: list[Intent] = []
    async with transaction(sessions) as session:
        current = await notifications.current_revisions(session, list(newest))
        locked: dict[str, list[Intent]] = {}
        for intent in await notifications.locked_of(session, list(newest)):
            locked.setdefault(intent.opportunity_id, []).append(intent)
        for opportunity_id, item in sorted(newest.items()):
            if current.get(opportunity_id, 0) > item.state.material_revision:
                continue
            earlier = locked.get(opportunity_id, [])
            means = meaning(item.state, earlier)
            for intent in earlier:
                if means.outdated and intent.state in WAITING and not intent.maybe_told:
                    notifications.cancel(intent, means.outdated, at)
            added += [_intent(item, news, at, gather_seconds) for news in means.news]
        count = await notifications.add(session, added)
    for intent in added:
        log.info(
            "intent",
            event_id=intent.cause,
            opportunity_id=intent.opportunity_id,
            authority=intent.authority,
            purpose=intent.purpose,
            change=intent.change,
        )
        metrics.INTENTS.labels(purpose=intent.purpose, change=intent.change).inc()
    return count


def _newest(told: Sequence[Told]) -> dict[str, Told]:
    """The last state of each opportunity in a batch; what it overtook need not be told."""
    newest: dict[str, Told] = {}
    for item in told:
        known = newest.get(item.state.opportunity_id)
        if known is None or item.state.revision >= known.state.revision:
            newest[item.state.opportunity_id] = item
    return newest


def _intent(item: Told, news: News, at: datetime, gather_seconds: float) -> Intent:
    due = {
        "immediate": at + timedelta(seconds=gather_seconds),
        "correction": at + timedelta(seconds=min(gather_seconds, CORRECTION_GATHER_SECONDS)),
        "digest": next_digest(at),
    }
    return Intent(
        opportunity_id=item.state.opportunity_id,
        material_revision=item.state.material_revision,
        authority=news.authority,
        partner=news.partner,
        purpose=news.purpose,
        band=news.band,
        change=news.change,
        needs_told=news.needs_told,
        cause=item.event_id,
        due_at=due[news.purpose],
        created_at=at,
        updated_at=at,
    )
