"""The offsets of a batch are on their way to the broker while the next batch is handled."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from services.messaging.kafka import Records
from services.platform import logs

log = logs.get(__name__)


class Offsets:
    """Commits what was handled, one batch's offsets after the other's. `at_work` is held meanwhile."""

    def __init__(self) -> None:
        self.at_work: Callable[[], AbstractContextManager[object]] = nullcontext
        self._going: asyncio.Task[None] | None = None

    async def commit(self, consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
        """Has the broker told; only what it is told already is waited for."""
        await self.settled()
        held = ExitStack()
        held.enter_context(self.at_work())  # now, and not when the task begins: the batch itself ends in between
        self._going = asyncio.create_task(_commit(consumer, offsets))
        self._going.add_done_callback(lambda _: held.close())

    async def settled(self) -> None:
        """Until the broker was told of all. Wait for it before partitions go, or what was handled is handled again."""
        going, self._going = self._going, None
        if going is not None:
            await going


def behind(records: Records) -> dict[TopicPartition, int]:
    """The offset behind the last record of each partition."""
    offsets: dict[TopicPartition, int] = {}
    for record in records:
        partition = TopicPartition(record.topic, record.partition)
        offsets[partition] = max(record.offset + 1, offsets.get(partition, 0))
    return offsets


async def _commit(consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
    """Never the bare `commit()`: that one commits the position of every assigned partition."""
    try:
        await consumer.commit({p: o for p, o in offsets.items() if p in consumer.assignment()})
    except (CommitFailedError, IllegalStateError) as error:
        # The partitions have gone to somebody else, who will see these records again; handling is repeatable.
        log.warning("offsets not committed", error=str(error))
    except KafkaError as error:
        log.warning("offsets not committed, the next batch's will cover them", error=str(error))
