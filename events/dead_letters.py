"""Dead letters: events that could not be handled, with the original bytes, the reason and the origin."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from pydantic import Base64Bytes, Field

from events.fields import Payload

MAX_STORED_BYTES: Final = 64 * 1024
"""The number of bytes stored of an oversized value, together with its length and sha256."""


class DeadLetterReason(StrEnum):
    """The reason of a dead letter. Codes are stable: alerts and replays use them."""

    UNREADABLE_BATCH = "unreadable-batch"
    TOO_LARGE = "too-large"
    NOT_CLOUDEVENT = "not-cloudevent"
    NOT_JSON = "not-json"
    UNKNOWN_TYPE = "unknown-type"
    INVALID_PAYLOAD = "invalid-payload"
    AUTHORITY_MISMATCH = "authority-mismatch"
    TOPIC_MISMATCH = "topic-mismatch"
    BAD_SIGNATURE = "bad-signature"
    UNSIGNED = "unsigned"
    REVISION_CONFLICT = "revision-conflict"
    REVISION_TOO_HIGH = "revision-too-high"
    SUPERSEDED_WITHDRAWAL = "superseded-withdrawal"
    UNKNOWN_OPPORTUNITY = "unknown-opportunity"
    STALE_RESPONSE = "stale-response"
    UNKNOWN_SUBJECT = "unknown-subject"
    RESPONSE_REFUSED = "response-refused"
    RESPONSE_CONFLICT = "response-conflict"
    ASSESSMENT_FAILED = "assessment-failed"
    HANDLING_FAILED = "handling-failed"


SPOOFING: Final = frozenset(
    {
        DeadLetterReason.AUTHORITY_MISMATCH,
        DeadLetterReason.TOPIC_MISMATCH,
        DeadLetterReason.BAD_SIGNATURE,
        DeadLetterReason.UNSIGNED,
    }
)
"""Reasons that may mean that a sender impersonated an authority."""


class Origin(Payload):
    """The original position of the event."""

    topic: str
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)


class Header(Payload):
    """One Kafka header, value as bytes (base64 on the wire)."""

    name: str
    value: Base64Bytes


class DeadLetter(Payload):
    """One event that was not handled. `value` holds its bytes, or the first 64 KiB of them."""

    type: ClassVar[str] = "jointly.dead-letter.v1"

    dead_letter_id: str
    reason: DeadLetterReason
    detail: str = Field(max_length=2000, description="A sentence on the error and its place")
    origin: Origin
    key: Base64Bytes | None
    headers: tuple[Header, ...]
    value: Base64Bytes | None
    value_length: int = Field(ge=0)
    value_sha256: str
    complete: bool = Field(description="True if key, headers and value are complete, so that the event can be replayed")
    attempts: int = Field(ge=1)
    at: datetime


DEAD_LETTER_PAYLOADS: Final[tuple[type[DeadLetter], ...]] = (DeadLetter,)
