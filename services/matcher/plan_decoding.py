"""Decodes a Kafka record into a validated plan event, or into the reason for its rejection."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from events.dead_letters import DeadLetterReason
from events.fields import Origin
from events.limits import find_excess
from events.plans import PLAN_PAYLOADS, PlanPayload, PlanState
from events.redaction import redact
from events.topics import NOTICES, PLANS
from services.messaging.authority_events import AuthorityRecord, read_event
from services.messaging.kafka import Record
from services.messaging.signature_policy import RejectedRecord

NOT_THE_OWNER: Final = "the topic belongs to {owner}, the plan to {authority}; nobody speaks for another"


@dataclass(frozen=True, slots=True)
class PlanRecordAccepted(AuthorityRecord[PlanPayload]):
    """A record that holds a plan event.

    Email addresses and telephone numbers are removed from the event's texts. If there were any, `sent` is the original
    payload; only its hash is used.
    """

    sent: PlanPayload | None = None


def read(record: Record, at: datetime) -> PlanRecordAccepted | RejectedRecord:
    """Decode and validate one record as of `at`, and check that its topic belongs to its authority."""
    event = read_event(record, PLAN_PAYLOADS, PLANS, NOT_THE_OWNER)
    if isinstance(event, RejectedRecord):
        return event
    payload = cast(PlanPayload, event.payload)
    redacted = redact(payload)
    if record.topic == NOTICES.name and isinstance(payload, PlanState) and payload.origin is Origin.AUTHORITY:
        return RejectedRecord(
            record,
            DeadLetterReason.TOPIC_MISMATCH,
            "the topic is for plans from public notices, and this one says that its authority sent it",
        )
    if excess := find_excess(redacted, at):
        return RejectedRecord(record, excess.reason, f"{excess.field}: {excess.sentence}")
    return PlanRecordAccepted(record, replace(event, payload=redacted), sent=None if redacted is payload else payload)
