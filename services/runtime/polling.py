"""Polls that a record which the client can't even read does not stop.

A header whose name is not UTF-8 makes aiokafka's `getmany` raise, again and again, and what it had taken from
other partitions in that call is gone. Here the call is made good: every partition is read once more from where
it was handled, record by record, and what can't be read is refused and stepped over.
"""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime import logs

WAIT_MS: Final = 500
AT_ONCE: Final = 64

log: Final = logs.get(__name__)
Poll = Callable[..., Awaitable[dict[TopicPartition, list[Any]]]]
Refuse = Callable[[Any, BaseException], Awaitable[None]]


class UnreadableRecordError(Exception):
    """The Kafka client can't read a record at all; only where it stands is known."""


class Life(Protocol):
    """What is known of a consuming loop: how far each partition is handled, and how often partitions were revoked."""

    handled: dict[TopicPartition, int]
    revoked: int


def guarded(consumer: AIOKafkaConsumer, life: Life, refuse: Refuse) -> Poll:
    """The consumer's poll, made good; to be put in the place of its own."""
    poll: Poll = consumer.getmany

    async def getmany(*partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        try:
            return await poll(*partitions, timeout_ms=timeout_ms, max_records=max_records)
        except UnicodeDecodeError:
            log.error("a record can't be read, looking for it")
            return await _around(consumer, poll, life, refuse, max_records or AT_ONCE)

    return getmany


async def _around(
    consumer: AIOKafkaConsumer, poll: Poll, life: Life, refuse: Refuse, most: int
) -> dict[TopicPartition, list[Any]]:
    revoked, assigned = life.revoked, sorted(consumer.assignment())
    for partition in assigned:
        await _rewind(consumer, life, partition)
    found = {partition: await _readable(consumer, poll, refuse, partition, most) for partition in assigned}
    if life.revoked != revoked:
        # Partly read before the assignment ended: the next poll reads it again, from where the new one stands.
        for partition in sorted(consumer.assignment()):
            await _rewind(consumer, life, partition)
        return {}
    return {partition: records for partition, records in found.items() if records}


async def _rewind(consumer: AIOKafkaConsumer, life: Life, partition: TopicPartition) -> None:
    """Back to where the partition is handled to: what the failed call had taken is taken again."""
    offset = life.handled.get(partition)
    if offset is None:
        offset = await consumer.committed(partition)
    if offset is None:
        await consumer.seek_to_beginning(partition)
    else:
        consumer.seek(partition, offset)


async def _readable(
    consumer: AIOKafkaConsumer, poll: Poll, refuse: Refuse, partition: TopicPartition, most: int
) -> list[Any]:
    """The records up to the first that can't be read; that one is refused, and stepped over."""
    records: list[Any] = []
    while len(records) < most:
        try:
            taken = (await poll(partition, timeout_ms=WAIT_MS, max_records=1)).get(partition)
        except UnicodeDecodeError as error:
            offset = await consumer.position(partition)
            await refuse(_nothing_of(partition, offset), UnreadableRecordError(f"the record can't be read: {error}"))
            consumer.seek(partition, offset + 1)
            break
        if not taken:
            break
        records += taken
    return records


def _nothing_of(partition: TopicPartition, offset: int) -> Any:
    return SimpleNamespace(
        topic=partition.topic, partition=partition.partition, offset=offset, key=None, value=None, headers=()
    )
