"""Decodes a Kafka record into a validated response, or into the reason for its rejection."""

from dataclasses import dataclass, replace
from typing import Final, cast

from events.redaction import without_contacts
from events.responses import (
    RESPONSE_PAYLOADS,
    ResponseConvened,
    ResponseDocument,
    ResponseInvited,
    ResponseMembership,
    ResponsePayload,
    ResponseRoute,
)
from events.topics import RESPONSES
from services.messaging.authority_events import AuthorityRecord, read_event
from services.messaging.kafka import Record
from services.messaging.signature_policy import RecordRejected

NOT_THE_OWNER: Final = "the topic belongs to {owner}, the response to {authority}; nobody answers for another"


@dataclass(frozen=True, slots=True)
class Accepted(AuthorityRecord[ResponsePayload]):
    """A record with a response."""


def read(record: Record) -> Accepted | RecordRejected:
    """Decodes and validates one record, and checks that its topic belongs to its authority."""
    event = read_event(record, RESPONSE_PAYLOADS, RESPONSES, NOT_THE_OWNER)
    if isinstance(event, RecordRejected):
        return event
    return Accepted(record, replace(event, payload=_redacted(cast(ResponsePayload, event.payload))))


def _redacted(payload: ResponsePayload) -> ResponsePayload:
    """Removes email addresses and telephone numbers from texts that others read."""
    if isinstance(payload, ResponseRoute):
        lines = tuple(without_contacts(line) for line in payload.candidates)
        texts = {"by": without_contacts(payload.by), "note": without_contacts(payload.note), "candidates": lines}
        return payload.model_copy(update=texts)
    if isinstance(payload, ResponseConvened):
        return payload.model_copy(update={"scope": without_contacts(payload.scope)})
    if isinstance(payload, ResponseDocument):
        return payload.model_copy(update={"title": without_contacts(payload.title)})
    if isinstance(payload, ResponseMembership):
        return payload.model_copy(update={"decided_by": without_contacts(payload.decided_by)})
    if not isinstance(payload, ResponseInvited):
        return payload
    said = {"scope": without_contacts(payload.scope), "route": without_contacts(payload.route)}
    return payload.model_copy(update=said)
