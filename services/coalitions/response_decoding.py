"""Decodes a Kafka record into a validated response, or into the reason for its rejection."""

from dataclasses import dataclass, replace
from typing import Final, cast

from events.redaction import redact_response
from events.responses import RESPONSE_PAYLOADS, ResponsePayload
from events.topics import RESPONSES
from services.messaging.authority_events import AuthorityRecord, read_event
from services.messaging.kafka import Record
from services.messaging.signature_policy import RejectedRecord

NOT_THE_OWNER: Final = "the topic belongs to {owner}, the response to {authority}; nobody answers for another"


@dataclass(frozen=True, slots=True)
class ResponseRecord(AuthorityRecord[ResponsePayload]):
    """A record with a response."""


def read(record: Record) -> ResponseRecord | RejectedRecord:
    """Decode and validate one record, and check that its topic belongs to its authority."""
    event = read_event(record, RESPONSE_PAYLOADS, RESPONSES, NOT_THE_OWNER)
    if isinstance(event, RejectedRecord):
        return event
    return ResponseRecord(record, replace(event, payload=redact_response(cast(ResponsePayload, event.payload))))
