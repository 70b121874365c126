"""Blanks dead letters. Records of a topic can't be edited, so blanked copies are written and the old records deleted.

A blanked dead letter keeps its id, reason, origin, length and sha256. Copies keep their timestamp, so their retention
does not start again. An interrupted run leaves some letters twice; they share an id, and readers take the last.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from sqlalchemy.ext.asyncio import AsyncSession

from events.cloudevents import EnvelopeError, Message, decode, encode
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetter
from events.fields import canonical_authority
from events.responses import RESPONSE_PAYLOADS, ResponseConvened, ResponsePayload
from events.topics import (
    DEAD_COALITIONS,
    DEAD_CONTRACTS,
    DEAD_OPPORTUNITIES,
    DEAD_PLANS,
    DEAD_RESPONSES,
    PAGE_RESPONSES,
    Topic,
)
from services.cli.dead_letters import all_records
from services.messaging.kafka import Record, connection, make_producer
from services.platform.settings import Settings
from services.store import outbox

DETAIL: Final = "its content was forgotten on request"
TOPICS: Final = (DEAD_PLANS, DEAD_OPPORTUNITIES, DEAD_COALITIONS, DEAD_RESPONSES, DEAD_CONTRACTS)


def concerns(letter: DeadLetter, subject: str) -> bool:
    """Return whether a dead letter is about a plan, or about an authority, by its key, headers or value."""
    if letter.key is None and letter.value is None and letter.detail == DETAIL:
        return False
    return _names(subject, letter.value or b"", letter.key or b"", *(header.value for header in letter.headers))


def _names(subject: str, value: bytes, *others: bytes) -> bool:
    """Return whether a message is about a plan, or about any plan of an authority, or is the authority's own."""
    authority, colon, reference = subject.partition(":")
    code = _in_any_case(authority)
    named = rf"{code}:{re.escape(reference)}(?![A-Za-z0-9._-])" if colon else rf'{code}:|"authority":\s*"{code}"'
    pattern = re.compile(rf"(?<![A-Za-z0-9-])(?:{named})".encode())
    parts = [value, *others]
    with suppress(ValueError, RecursionError):
        # Encode it again without JSON's escapes for letters.
        parts.append(json.dumps(json.loads(value), ensure_ascii=False).encode(errors="replace"))
    return any(pattern.search(part) for part in parts)


def _in_any_case(code: str) -> str:
    """Return a pattern of all spellings that are the same authority, given its code in the spelling of its list."""
    if canonical_authority(code.swapcase()) == code:
        return f"(?i:{re.escape(code)})"
    prefix = re.match(r"[^-]*-[^-]*-|", code)
    assert prefix is not None
    return f"(?i:{re.escape(prefix[0])}){re.escape(code[prefix.end() :])}"


async def drop_waiting(session: AsyncSession, subject: str) -> None:
    """Delete the outbox's copies of dead letters that name the plan or authority, and of its own answers on the pages.

    Answers of others stay, also those that name the plan: they are refused, and their authors see that. An office's
    invitation of the plan loses its words, as one that has been recorded does.
    """
    letters = await outbox.of_topics(session, [topic.name for topic in TOPICS])
    ids = [row.id for row in letters if _concerned(row.message(), subject) is not None]
    for row in await outbox.of_topics(session, [PAGE_RESPONSES.name]):
        message = row.message()
        try:
            event = decode(message.headers, message.value, RESPONSE_PAYLOADS)
        except EnvelopeError:
            # An earlier version wrote it, and nobody can read it any more.
            ids += [row.id] if subject.encode() in (message.value or b"") else []
            continue
        said = cast(ResponsePayload, event.payload)
        if subject in (said.authority, getattr(said, "plan_id", None)):
            ids.append(row.id)
        elif isinstance(said, ResponseConvened) and _invites(said, subject):
            row.value = encode(replace(event, payload=said.model_copy(update={"scope": ""})), "").value
    await outbox.drop_messages(session, [number for number in ids if number is not None])


def _invites(said: ResponseConvened, subject: str) -> bool:
    return any(subject in (plan_id, plan_id.partition(":")[0]) for plan_id in said.plan_ids)


async def count_letters(using: Settings, subject: str) -> int:
    """Count the dead letters to blank."""
    found: set[str] = set()
    for topic in TOPICS:
        records = await _read(using, topic)
        found |= {letter.dead_letter_id for record in records if (letter := _concerned(record, subject))}
    return len(found)


async def blank_letters(using: Settings, subject: str) -> int:
    """Blank the dead letters that name the plan or authority; returns their number. Raises KafkaError."""
    blanked: set[str] = set()
    for topic in TOPICS:
        records = await _read(using, topic)
        letters = {id(record): letter for record in records if (letter := _concerned(record, subject))}
        if letters:
            await _rewrite(using, topic, records, letters)
            blanked |= {letter.dead_letter_id for letter in letters.values()}
    return len(blanked)


def blank(letter: DeadLetter) -> DeadLetter:
    """Return the dead letter without its content. It can't be replayed."""
    return letter.model_copy(update={"detail": DETAIL, "key": None, "headers": (), "value": None, "complete": False})


async def _read(using: Settings, topic: Topic) -> list[Record]:
    consumer = AIOKafkaConsumer(
        **connection(using),
        client_id="jointly-forget",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        await consumer.start()
        existing = [topic.name] if topic.name in await consumer.topics() else []
        return await all_records(consumer, existing)
    finally:
        await consumer.stop()


def _concerned(record: Record | Message, subject: str) -> DeadLetter | None:
    try:
        letter = cast(DeadLetter, decode(record.headers, record.value, DEAD_LETTER_PAYLOADS).payload)
    except EnvelopeError:
        return None
    return letter if concerns(letter, subject) else None


async def _rewrite(using: Settings, topic: Topic, records: Sequence[Record], letters: Mapping[int, DeadLetter]) -> None:
    """Write all of them again, then delete everything up to the last record read."""
    producer = make_producer(using, "jointly-forget")
    await producer.start()
    try:
        for record in records:
            await _copy(producer, topic, record, letters.get(id(record)))
    finally:
        await producer.stop()
    ends: dict[int, int] = {}
    for record in records:
        ends[record.partition] = max(ends.get(record.partition, 0), record.offset + 1)
    admin = AIOKafkaAdminClient(**connection(using), client_id="jointly-forget")
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(topic.name, partition): RecordsToDelete(end) for partition, end in ends.items()}
        )
    finally:
        await admin.close()


async def _copy(producer: AIOKafkaProducer, topic: Topic, record: Record, letter: DeadLetter | None) -> None:
    sent: dict[str, Any] = {"key": record.key, "value": record.value, "headers": list(record.headers)}
    if letter is not None:
        event = decode(record.headers, record.value, DEAD_LETTER_PAYLOADS)
        message = encode(replace(event, payload=blank(letter)), "")
        sent = {"key": b"", "value": message.value, "headers": list(message.headers)}
    await producer.send_and_wait(topic.name, partition=record.partition, timestamp_ms=record.timestamp, **sent)
