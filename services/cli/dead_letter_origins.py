"""Checks that a dead letter's event is at the origin that the letter names. Only then is the event sent there again.

Anybody with write access to the dead-letter topic could name any topic, and have the operator's account write there. So
the record at the origin must equal the letter's event, byte for byte.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from events.dead_letters import DeadLetter
from services.messaging.kafka import Record, connection
from services.platform.settings import Settings

PATIENCE_SECONDS: Final = 15.0
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
UNPROVEN: Final = "its origin does not hold this event (any more); have it published again"


async def find_unproven(using: Settings, letters: Sequence[DeadLetter]) -> set[str]:
    """Return the ids of letters whose event is not at its origin, or differs from it. Raises KafkaError."""
    consumer = AIOKafkaConsumer(
        **connection(using),
        client_id="jointly-dead-letters",
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=MAX_BATCH_BYTES,
    )
    await consumer.start()
    try:
        existing = await consumer.topics()
        return {
            letter.dead_letter_id
            for letter in letters
            if letter.origin.topic not in existing or not _is_same(await _record_at(consumer, letter), letter)
        }
    finally:
        await consumer.stop()


async def _record_at(consumer: AIOKafkaConsumer, letter: DeadLetter) -> Record | None:
    place = TopicPartition(letter.origin.topic, letter.origin.partition)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            # Beyond the end, a consumer would wait for new records.
            if letter.origin.offset >= (await consumer.end_offsets([place]))[place]:
                return None
            consumer.assign([place])
            consumer.seek(place, letter.origin.offset)
            record = await consumer.getone(place)
    except (TimeoutError, OffsetOutOfRangeError, UnicodeDecodeError):
        return None
    return record if record.offset == letter.origin.offset else None


def _is_same(record: Record | None, letter: DeadLetter) -> bool:
    if record is None:
        return False
    headers = [(name, value or b"") for name, value in record.headers]
    kept = [(header.name, header.value) for header in letter.headers]
    return (record.key, record.value, headers) == (letter.key, letter.value, kept)
