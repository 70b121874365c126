"""Decodes a Kafka record into a validated contract event, or into the reason for its rejection."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from events.contracts import CONTRACT_PAYLOADS, ContractPayload
from events.dead_letters import DeadLetterReason
from events.limits import max_revision
from events.redaction import redact_contract
from events.topics import CONTRACTS
from services.messaging.authority_events import AuthorityRecord, read_event
from services.messaging.kafka import Record
from services.messaging.signature_policy import RejectedRecord

NOT_THE_OWNER: Final = "the topic belongs to {owner}, the contract to {authority}; nobody speaks for another"


@dataclass(frozen=True, slots=True)
class ContractRecord(AuthorityRecord[ContractPayload]):
    """A record with an authority's contract event."""


def read(record: Record, at: datetime) -> ContractRecord | RejectedRecord:
    """Decode and validate one record, and check that its topic belongs to its authority."""
    event = read_event(record, CONTRACT_PAYLOADS, CONTRACTS, NOT_THE_OWNER)
    if isinstance(event, RejectedRecord):
        return event
    payload = redact_contract(cast(ContractPayload, event.payload))
    if payload.revision > (highest := max_revision(at)):
        sentence = f"revision {payload.revision} is above {highest}, tomorrow in microseconds since 1970"
        return RejectedRecord(record, DeadLetterReason.REVISION_TOO_HIGH, sentence)
    return ContractRecord(record, replace(event, payload=payload))
