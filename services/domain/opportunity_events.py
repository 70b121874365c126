"""Builds the events that publish an opportunity's state."""

from dataclasses import dataclass
from datetime import datetime

from events import opportunities as wire
from events.cloudevents import Event
from services.domain.ids import event_id


@dataclass(frozen=True, slots=True)
class Cause:
    """The plan event behind a change: its CloudEvents id, and its trace."""

    event_id: str
    traceparent: str | None = None


def opportunity_event(state: wire.OpportunityState, change: str, cause: Cause | None, at: datetime) -> Event:
    """Builds the event that publishes an opportunity's state; `change` is identified, updated or withdrawn."""
    kinds: dict[str, type[wire.OpportunityPayload]] = {
        "identified": wire.OpportunityIdentified,
        "updated": wire.OpportunityUpdated,
        "withdrawn": wire.OpportunityWithdrawn,
    }
    payload_type = kinds[change]
    # The fields are the same and already validated.
    payload = payload_type.model_construct(**{name: getattr(state, name) for name in payload_type.model_fields})
    return Event(
        id=event_id("opportunity", state.opportunity_id, state.revision),
        type=payload_type.type,
        source="/matcher",
        subject=state.opportunity_id,
        time=at,
        payload=payload,
        traceparent=cause.traceparent if cause else None,
        causation_id=cause.event_id if cause else None,
    )
