"""From a Kafka record to a validated contract event, or to the reason why it is none."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from events.cloudevents import EnvelopeError, Event, decode
from events.contracts import CONTRACT_PAYLOADS, ContractPayload
from events.dead_letters import Reason
from events.limits import max_revision
from events.redaction import redact_contract
from events.signing import Signature
from events.topics import CONTRACTS, NotAnAuthorityTopicError, authority_of
from services.messaging.kafka import Record
from services.messaging.signature_policy import RecordRejected


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """A record that holds a contract event, and the signature that came with it, if one was looked for."""

    record: Record
    event: Event
    signature: Signature | None = None

    @property
    def payload(self) -> ContractPayload:
        """What the authority says of its contract."""
        return cast(ContractPayload, self.event.payload)

    @property
    def authority(self) -> str:
        """The authority that speaks."""
        return self.payload.authority

    def with_signature(self, signature: Signature | None) -> "ContractRecord":
        """The same with the signature that came with it."""
        return replace(self, signature=signature)


def read(record: Record, at: datetime) -> ContractRecord | RecordRejected:
    """Decodes and validates one record, and holds its authority against the topic it came by."""
    try:
        event = decode(record.headers, record.value, CONTRACT_PAYLOADS)
        owner = authority_of(record.topic, CONTRACTS)
    except EnvelopeError as error:
        return RecordRejected(record, error.reason, str(error))
    except NotAnAuthorityTopicError as error:
        return RecordRejected(record, Reason.TOPIC_MISMATCH, str(error))
    payload = redact_contract(cast(ContractPayload, event.payload))
    if owner is not None and payload.authority != owner:
        sentence = f"the topic belongs to {owner}, the contract to {payload.authority}; nobody speaks for another"
        return RecordRejected(record, Reason.TOPIC_MISMATCH, sentence)
    if payload.revision > (highest := max_revision(at)):
        sentence = f"revision {payload.revision} is above {highest}, tomorrow in microseconds since 1970"
        return RecordRejected(record, Reason.REVISION_TOO_HIGH, sentence)
    return ContractRecord(record, replace(event, payload=payload))
