"""Offset commits. They run while the next batch is handled."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from services.messaging.kafka import Records
from services.platform import logs

log = logs.get(__name__)


class OffsetCommitter:
    """Commits offsets of handled batches, one batch after the other. A commit holds the lock of `in_flight`."""

    def __init__(self) -> None:
        self.in_flight: Callable[[], AbstractContextManager[object]] = nullcontext
        self._going: asyncio.Task[None] | None = None

    async def commit(self, consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
        """Start the commit. Wait only for the previous one."""
        await self.flush()
        held = ExitStack()
        held.enter_context(self.in_flight())  # Take the lock here, not in the task: the batch itself ends in between.
        self._going = asyncio.create_task(_commit(consumer, offsets))
        self._going.add_done_callback(lambda _: held.close())

    async def flush(self) -> None:
        """Wait until the broker has acknowledged all commits. Call it before partitions are revoked, or the next
        consumer would handle the records again."""
        going, self._going = self._going, None
        if going is not None:
            await going


def next_offsets(records: Records) -> dict[TopicPartition, int]:
    """Return the offset after the last record of each partition."""
    offsets: dict[TopicPartition, int] = {}
    for record in records:
        partition = TopicPartition(record.topic, record.partition)
        offsets[partition] = max(record.offset + 1, offsets.get(partition, 0))
    return offsets


async def _commit(consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
    """Commit these offsets. A bare `commit()` would commit the position of every assigned partition."""
    try:
        await consumer.commit({p: o for p, o in offsets.items() if p in consumer.assignment()})
    except (CommitFailedError, IllegalStateError) as error:
        # Another consumer has the partitions and will read these records again. Handling is idempotent.
        log.warning("offsets not committed", error=str(error))
    except KafkaError as error:
        log.warning("offsets not committed, the next batch's will cover them", error=str(error))
