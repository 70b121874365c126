"""Builds the events that publish an opportunity's state."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from events import opportunities as wire
from events.cloudevents import Event
from services.domain.disclosure import names_plans
from services.domain.ids import IdKey, cause_id, event_id


class EventKind(StrEnum):
    """The event that publishes a transition."""

    IDENTIFIED = "identified"
    UPDATED = "updated"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Cause:
    """The plan event behind a change: its CloudEvents id, and its trace. `keyed_id` stands for it in events that don't
    name its plan."""

    event_id: str
    keyed_id: str
    traceparent: str | None = None

    @classmethod
    def build(cls, key: IdKey, event_id: str, traceparent: str | None = None) -> Self:
        """Build the cause of changes from an event's id."""
        return cls(event_id, cause_id(key, event_id), traceparent)


_PAYLOADS: Final[Mapping[EventKind, type[wire.OpportunityPayload]]] = {
    EventKind.IDENTIFIED: wire.OpportunityIdentified,
    EventKind.UPDATED: wire.OpportunityUpdated,
    EventKind.WITHDRAWN: wire.OpportunityWithdrawn,
}


def opportunity_event(state: wire.OpportunityState, kind: EventKind, cause: Cause | None, at: datetime) -> Event:
    """Build the event that publishes an opportunity's state."""
    payload_type = _PAYLOADS[kind]
    causation_id = None
    if cause is not None:
        causation_id = cause.event_id if names_plans(state) else cause.keyed_id
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
        causation_id=causation_id,
    )
