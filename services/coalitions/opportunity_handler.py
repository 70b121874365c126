"""Opportunity events have the coalitions around their plans looked at again. Consuming twice changes nothing."""

from collections.abc import Sequence
from typing import Final

from events.cloudevents import EnvelopeError, decode
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from services.coalitions.writing import Moment, lock, regroup
from services.messaging.kafka import Record
from services.platform import logs, metrics
from services.platform.clock import today
from services.platform.settings import Settings
from services.store.database import Sessions, transaction

log: Final = logs.get(__name__)


async def handle(records: Sequence[Record], *, sessions: Sessions, settings: Settings) -> None:
    """Handles a batch: the database has the opportunities, an event only says where to look."""
    with metrics.HANDLING.labels(process="coalitions").time():
        plan_ids: set[str] = set()
        cause = None
        for record in records:
            event_plans, event_cause = _read(record)
            plan_ids |= event_plans
            cause = event_cause or cause
        if plan_ids:
            async with transaction(sessions) as session:
                await lock(session)
                # One event behind many changes is named; of several, the last stands for all.
                await regroup(session, plan_ids, Moment(today(settings.as_of), cause))
    metrics.EVENTS_IN.labels(family="opportunities").inc(len(records))


def _read(record: Record) -> tuple[set[str], str | None]:
    """The plans of an event, and the plan event behind it; none of a tombstone or of plans that are not shared."""
    if record.value is None:
        return set(), None
    try:
        event = decode(record.headers, record.value, OPPORTUNITY_PAYLOADS)
    except EnvelopeError as error:
        # The notifier reads the same topic, and keeps it as a dead letter.
        log.warning("no opportunity event", error=str(error), partition=record.partition, offset=record.offset)
        return set(), None
    assert isinstance(event.payload, OpportunityState)
    return {side.plan_id for side in event.payload.plans if side.plan_id is not None}, event.causation_id
