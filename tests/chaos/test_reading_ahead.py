"""The next batch is read while one is handled: what then goes wrong with the one must lose nothing of the other."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from events.topics import OPPORTUNITIES
from services.local_stack.tansu import Broker
from services.messaging import consumer as consuming
from services.messaging import kafka, topic_admin
from services.platform.settings import Settings
from tests.brokers import ApacheKafka

PATIENCE = 60
"""Seconds after which something that ought to come has not; nothing is measured by it."""


class Scene:
    """A topic, and a member whose handling the test decides: `done` and `prepared` are (partition, offset)."""

    def __init__(self, settings: Settings, poll_seconds: float = 300) -> None:
        self.settings = settings.model_copy(update={"kafka_max_poll_interval_seconds": poll_seconds})
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.faults = 0
        self.done: list[tuple[int, int]] = []
        self.prepared: set[tuple[int, int]] = set()

    async def handle(self, records: Any) -> None:
        self.begun.set()
        await self.go_on.wait()
        if self.faults:
            self.faults -= 1
            raise ConnectionError("away for longer than is waited for")
        self.done += [(record.partition, record.offset) for record in records]

    async def prepare(self, records: Any) -> None:
        self.prepared |= {(record.partition, record.offset) for record in records}

    async def refuse(self, *_: Any) -> None:
        raise AssertionError("nothing is refused here")

    def member(self, name: str) -> tuple[Any, consuming.ConsumerState]:
        broker = kafka.make_broker(self.settings, name)
        state = consuming.consume(
            broker,
            self.settings,
            group="g",
            handle=self.handle,
            refuse=self.refuse,
            prepare=self.prepare,
            topics=[OPPORTUNITIES.name],
        )
        return broker, state

    async def send(self, count: int, partitions: int = 1) -> None:
        producer = kafka.make_producer(self.settings, "test")
        await producer.start()
        for number in range(count):
            await producer.send_and_wait(OPPORTUNITIES.name, key=b"k", value=b"v", partition=number % partitions)
        await producer.stop()

    async def committed(self) -> int:
        consumer = AIOKafkaConsumer(**kafka.connection(self.settings), group_id="g", enable_auto_commit=False)
        await consumer.start()
        try:
            places = [TopicPartition(OPPORTUNITIES.name, partition) for partition in range(6)]
            return sum([await consumer.committed(place) or 0 for place in places])
        finally:
            await consumer.stop()


async def scene(broker: Broker | ApacheKafka, **more: Any) -> Scene:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap, kafka_session_timeout_seconds=2)
    await topic_admin.create(settings)
    return Scene(settings, **more)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not reached():
            await asyncio.sleep(0.02)


async def test_what_was_read_behind_a_batch_that_is_put_back_comes_again_after_it(
    broker: Broker | ApacheKafka,
) -> None:
    made = await scene(broker, poll_seconds=1)
    made.faults = 10
    member, _ = made.member("one")
    await member.start()
    try:
        await made.send(1)
        await until(made.begun.is_set)
        await made.send(5)
        await until(lambda: (0, 5) in made.prepared)
        assert made.done == []
        made.go_on.set()
        await until(lambda: len(made.done) >= 6)
    finally:
        await member.stop()
    assert made.done == [(0, offset) for offset in range(6)]
    assert await made.committed() == 6


async def test_whoever_stops_hands_on_what_it_has_only_read(broker: Broker | ApacheKafka) -> None:
    made = await scene(broker)
    first, _ = made.member("one")
    await first.start()
    await made.send(1)
    await until(made.begun.is_set)
    await made.send(3)
    await until(lambda: (0, 3) in made.prepared)
    stopping = asyncio.create_task(first.stop())
    await asyncio.sleep(0.1)
    made.go_on.set()
    await stopping
    assert made.done == [(0, 0)]
    assert await made.committed() == 1
    second, _ = made.member("two")
    await second.start()
    try:
        await until(lambda: len(made.done) >= 4)
    finally:
        await second.stop()
    assert made.done == [(0, offset) for offset in range(4)]


async def test_another_member_joins_while_a_batch_is_handled_and_the_next_is_read(
    broker: Broker | ApacheKafka,
) -> None:
    made = await scene(broker)
    (first, state), (second, other) = made.member("one"), made.member("two")
    await first.start()
    try:
        await made.send(6, partitions=6)
        await until(made.begun.is_set)
        await made.send(18, partitions=6)
        await until(lambda: len(made.prepared) > 6)
        joining = asyncio.create_task(second.start())
        await asyncio.sleep(1.0)
        made.go_on.set()
        await joining
        await until(lambda: len(set(made.done)) == 24 and other.assigned is not None)
        async with asyncio.timeout(PATIENCE):
            while await made.committed() < 24:
                await asyncio.sleep(0.1)
    finally:
        await first.stop()
        await second.stop()
    assert state.revoked >= 1
    for partition in range(6):
        first_times = list(dict.fromkeys(offset for one, offset in made.done if one == partition))
        assert first_times == sorted(first_times), "none is skipped for a later one"


async def test_reading_ahead_is_no_sign_of_life_of_a_batch_that_hangs(tansu_broker: Broker) -> None:
    made = await scene(tansu_broker)
    member, state = made.member("one")
    await member.start()
    try:
        await made.send(1)
        await until(made.begun.is_set)
        before = state.last_poll
        await made.send(2)
        await until(lambda: (0, 2) in made.prepared)
        assert state.last_poll == before
    finally:
        made.go_on.set()
        await member.stop()
