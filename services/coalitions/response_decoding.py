"""From a Kafka record to a validated response, or to the reason why it is none."""

from dataclasses import dataclass, replace
from typing import cast

from events.cloudevents import EnvelopeError, Event, decode
from events.dead_letters import Reason
from events.redaction import without_contacts
from events.responses import RESPONSE_PAYLOADS, ResponseInvited, ResponsePayload, ResponseRoute
from events.signing import Signature
from events.topics import RESPONSES, NotAnAuthorityTopicError, authority_of
from services.messaging.kafka import Record
from services.messaging.signature_policy import RecordRejected


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record that holds a response, and the signature that came with it, if one was looked for."""

    record: Record
    event: Event
    signature: Signature | None = None

    @property
    def payload(self) -> ResponsePayload:
        """The response."""
        return cast(ResponsePayload, self.event.payload)

    @property
    def authority(self) -> str:
        """The authority that responds."""
        return self.payload.authority

    def with_signature(self, signature: Signature | None) -> "Accepted":
        """The same response with the signature that came with it."""
        return replace(self, signature=signature)


def read(record: Record) -> Accepted | RecordRejected:
    """Decodes and validates one record, and holds its authority against the topic it came by."""
    try:
        event = decode(record.headers, record.value, RESPONSE_PAYLOADS)
        owner = authority_of(record.topic, RESPONSES)
    except EnvelopeError as error:
        return RecordRejected(record, error.reason, str(error))
    except NotAnAuthorityTopicError as error:
        return RecordRejected(record, Reason.TOPIC_MISMATCH, str(error))
    accepted = Accepted(record, replace(event, payload=_redacted(cast(ResponsePayload, event.payload))))
    if owner is not None and accepted.authority != owner:
        return RecordRejected(
            record,
            Reason.TOPIC_MISMATCH,
            f"the topic belongs to {owner}, the response to {accepted.authority}; nobody answers for another",
        )
    return accepted


def _redacted(payload: ResponsePayload) -> ResponsePayload:
    """Without e-mail addresses and telephone numbers in the texts that others read."""
    if isinstance(payload, ResponseRoute):
        lines = tuple(without_contacts(line) for line in payload.candidates)
        texts = {"by": without_contacts(payload.by), "note": without_contacts(payload.note), "candidates": lines}
        return payload.model_copy(update=texts)
    if not isinstance(payload, ResponseInvited):
        return payload
    said = {"scope": without_contacts(payload.scope), "route": without_contacts(payload.route)}
    return payload.model_copy(update=said)
