"""The dead-letter queue: before an event counts as handled, the consumer stores one it can't handle, with the
reason."""

import hashlib
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer

from events.cloudevents import Event, Message, encode
from events.dead_letters import MAX_STORED_BYTES, DeadLetter, DeadLetterReason, Header, Origin
from events.signing import MAX_HEADER_BYTES
from events.topics import Topic
from services.domain.ids import event_id
from services.messaging import kafka
from services.messaging.private_plans import is_private
from services.messaging.unreadable_records import UnreadableRecord, UnreadableRecordError
from services.platform import logs, metrics
from services.store.database import now

MAX_STORED_HEADERS: Final = 50
MAX_STORED_HEADER_BYTES: Final = MAX_HEADER_BYTES
"""The longest header that any reader needs is a signature. Without it, nobody could replay the event."""
MAX_STORED_HEADERS_BYTES: Final = 64 * 1024
MAX_STORED_NAME: Final = 200
MAX_STORED_KEY_BYTES: Final = 4096
"""A dead letter must fit into one message, whatever the record held. The broker would refuse a longer key."""

log: Final = logs.get(__name__)


def to_event(
    reason: DeadLetterReason,
    sentence: str,
    origin: Origin,
    *,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]] = (),
    attempts: int = 1,
    exact: bool = True,
    whole: tuple[int, str] | None = None,
) -> Message:
    """Build a dead letter as a Kafka message. It holds the original bytes, or their head with length and sha256.

    `exact`: key, headers and value are the record's, so the event can be sent again. The dead letter of an event
    that may be about a private plan holds no bytes of the value.
    `whole`: length and sha256 of a value that nobody kept.
    """
    length, sha256 = whole or (len(value or b""), hashlib.sha256(value or b"").hexdigest())
    private = is_private(value)
    kept = _truncate_headers(headers)
    # model_construct keeps raw bytes, which become base64 when encoded; validation would try to decode them.
    letter = DeadLetter.model_construct(
        dead_letter_id=event_id("dead-letter", origin.topic, origin.partition, origin.offset, reason),
        reason=reason,
        detail=sentence[:2000],
        origin=origin,
        key=key[:MAX_STORED_KEY_BYTES] if key is not None else None,
        headers=tuple(Header.model_construct(name=name, value=raw) for name, raw in kept),
        value=None if value is None or private else value[:MAX_STORED_BYTES],
        value_length=length,
        value_sha256=sha256,
        complete=exact
        and not private
        and length <= MAX_STORED_BYTES
        and len(key or b"") <= MAX_STORED_KEY_BYTES
        and kept == [(name, raw or b"") for name, raw in headers],
        attempts=attempts,
        at=now(),
    )
    return encode(
        Event(id=letter.dead_letter_id, type=DeadLetter.type, source="/dead-letters", time=letter.at, payload=letter),
        (key or b"")[:MAX_STORED_KEY_BYTES].decode(errors="replace"),
    )


def _truncate_headers(headers: Sequence[tuple[str, bytes | None]]) -> list[tuple[str, bytes]]:
    """Truncate the headers to the limits of a dead letter: their number, the length of each, and the total length."""
    kept = []
    left = MAX_STORED_HEADERS_BYTES
    for name, raw in headers[:MAX_STORED_HEADERS]:
        value = (raw or b"")[: min(MAX_STORED_HEADER_BYTES, left)]
        left -= len(value)
        kept.append((name[:MAX_STORED_NAME], value))
    return kept


def from_record(record: kafka.Record, reason: DeadLetterReason, sentence: str) -> Message:
    """Build the dead letter of one Kafka record."""
    origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
    unkept = isinstance(record, UnreadableRecord) and record.value_sha256
    return to_event(
        reason,
        sentence,
        origin,
        key=record.key,
        value=record.value,
        headers=record.headers,
        exact=not isinstance(record, UnreadableRecord),
        whole=(max(0, record.serialized_value_size), unkept) if unkept else None,
    )


async def dead_letter_unexpected(
    producer: AIOKafkaProducer, topic: Topic, record: kafka.Record, fault: BaseException
) -> None:
    """Store a record whose handling raised an unexpected error, so that the consumer can go on with the next."""
    if isinstance(fault, UnreadableRecordError):
        await dead_letter(producer, topic, record, fault.reason, str(fault))
        return
    sentence = f"handling it raised {type(fault).__name__}; the log has the details"
    await dead_letter(producer, topic, record, DeadLetterReason.HANDLING_FAILED, sentence)


async def dead_letter(
    producer: AIOKafkaProducer, topic: Topic, record: kafka.Record, reason: DeadLetterReason, sentence: str
) -> None:
    """Send a record to the dead-letter topic and wait for the broker's acknowledgement."""
    await (await kafka.send(producer, topic.name, from_record(record, reason, sentence)))
    metrics.DEAD_LETTERS.labels(family=topic.name.split(".")[1], reason=reason.value).inc()
    log.warning(
        "event refused",
        reason=reason.value,
        detail=sentence[:300],
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )
