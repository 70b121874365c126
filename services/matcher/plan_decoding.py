"""From a Kafka record to a validated plan event, or to the reason why it is none."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from events.cloudevents import EnvelopeError, Event, decode
from events.dead_letters import Reason
from events.fields import Origin
from events.limits import find_excess
from events.plans import PLAN_PAYLOADS, PlanPayload, PlanState
from events.redaction import redact
from events.signing import Signature
from events.topics import NOTICES, NotAnAuthorityTopicError, authority_of
from services.messaging.kafka import Record
from services.messaging.signature_policy import RecordRejected


@dataclass(frozen=True, slots=True)
class PlanRecordAccepted:
    """A record that holds a plan event, and the signature that came with it, if one was looked for.

    The event's texts are without e-mail addresses and telephone numbers. Where they had some, `sent` is the payload as
    it came, for nothing but its hash.
    """

    record: Record
    event: Event
    signature: Signature | None = None
    sent: PlanPayload | None = None

    @property
    def authority(self) -> str:
        """The authority whose plan it is."""
        return self.payload.authority

    def with_signature(self, signature: Signature | None) -> "PlanRecordAccepted":
        """The same event with the signature that came with it."""
        return replace(self, signature=signature)

    @property
    def payload(self) -> PlanPayload:
        """The plan event's payload."""
        return cast(PlanPayload, self.event.payload)


def read(record: Record, at: datetime) -> PlanRecordAccepted | RecordRejected:
    """Decodes and validates one record at a moment, and holds its authority against the topic it came by."""
    try:
        event = decode(record.headers, record.value, PLAN_PAYLOADS)
        owner = authority_of(record.topic)
    except EnvelopeError as error:
        return RecordRejected(record, error.reason, str(error))
    except NotAnAuthorityTopicError as error:
        return RecordRejected(record, Reason.TOPIC_MISMATCH, str(error))
    payload = cast(PlanPayload, event.payload)
    redacted = redact(payload)
    accepted = PlanRecordAccepted(
        record, replace(event, payload=redacted), sent=None if redacted is payload else payload
    )
    if owner is not None and accepted.payload.authority != owner:
        return RecordRejected(
            record,
            Reason.TOPIC_MISMATCH,
            f"the topic belongs to {owner}, the plan to {accepted.payload.authority}; nobody speaks for another",
        )
    if record.topic == NOTICES.name and isinstance(payload, PlanState) and payload.origin is Origin.AUTHORITY:
        return RecordRejected(
            record,
            Reason.TOPIC_MISMATCH,
            "the topic is for plans from public notices, and this one says that its authority sent it",
        )
    if excess := find_excess(accepted.payload, at):
        return RecordRejected(record, excess.reason, f"{excess.field}: {excess.sentence}")
    return accepted
