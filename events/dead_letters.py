"""Dead letters: what could not be handled, kept as it came, with the reason and where it came from."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from pydantic import Base64Bytes, Field

from events.fields import Payload

MAX_STORED_BYTES: Final = 64 * 1024
"""How much of an oversized value is kept; its length and sha256 stand for the rest."""


class Reason(StrEnum):
    """Why an event is a dead letter. Codes are stable: alerts and replays name them."""

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


SPOOFING: Final = frozenset({Reason.AUTHORITY_MISMATCH, Reason.TOPIC_MISMATCH, Reason.BAD_SIGNATURE, Reason.UNSIGNED})
"""The reasons that may mean that somebody spoke for an authority that is not theirs."""


class Origin(Payload):
    """Where the event stood."""

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
    reason: Reason
    detail: str = Field(max_length=2000, description="What was wrong and where, in a sentence")
    origin: Origin
    key: Base64Bytes | None
    headers: tuple[Header, ...]
    value: Base64Bytes | None
    value_length: int = Field(ge=0)
    value_sha256: str
    complete: bool = Field(description="Whether key, headers and value are all there, so that it can be replayed")
    attempts: int = Field(ge=1)
    at: datetime


DEAD_LETTER_PAYLOADS: Final[tuple[type[DeadLetter], ...]] = (DeadLetter,)
