"""Aborted transactions are no plans and leave no lag; a partition that stands still is seen beside one that works."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from events.topics import OPPORTUNITIES
from services.local_stack.tansu import Broker
from services.messaging import consumer as consuming
from services.messaging import consumer_health, consumer_metrics, kafka, topic_admin
from services.platform.dependencies import Dependencies
from services.platform.settings import Settings
from tests.brokers import ApacheKafka

PATIENCE = 60
"""Seconds after which something that ought to come has not; nothing is measured by it."""
TOPIC = OPPORTUNITIES.name


class Member:
    """A consuming process that notes the values it handled."""

    def __init__(self, settings: Settings) -> None:
        self.values: list[bytes] = []
        self.broker = kafka.make_broker(settings, "test")
        self.state = consuming.consume(
            self.broker, settings, group="g", handle=self.handle, refuse=self.refuse, topics=[TOPIC]
        )
        self.dependencies = Dependencies({})

    async def handle(self, records: Any) -> None:
        self.values += [record.value for record in records]

    async def refuse(self, *_: Any) -> None:
        raise AssertionError("nothing is refused here")

    async def live(self, limit: float) -> str | None:
        return await consumer_health.loop_advances(self.state, self.dependencies, limit)()

    async def ready(self, limit: float) -> str | None:
        return await consumer_health.partitions_advance(self.state, limit)()


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await reached():
            await asyncio.sleep(0.1)


async def send(settings: Settings, values: list[bytes], partition: int) -> None:
    producer = kafka.make_producer(settings, "test")
    await producer.start()
    for value in values:
        await producer.send_and_wait(TOPIC, value, key=b"k", partition=partition)
    await producer.stop()


async def committed(settings: Settings, partition: int) -> int | None:
    consumer = AIOKafkaConsumer(**kafka.connection(settings), group_id="g", enable_auto_commit=False)
    await consumer.start()
    try:
        offset: int | None = await consumer.committed(TopicPartition(TOPIC, partition))
        return offset
    finally:
        await consumer.stop()


@pytest.mark.kafka
async def test_an_aborted_transaction_is_not_handled_and_leaves_no_lag(apache_broker: ApacheKafka) -> None:
    settings = Settings(kafka_bootstrap_servers=apache_broker.bootstrap, kafka_session_timeout_seconds=2)
    await topic_admin.create(settings)
    producer = AIOKafkaProducer(bootstrap_servers=apache_broker.bootstrap, transactional_id="council")
    await producer.start()
    for outcome in ("committed", "aborted", "committed", "aborted"):
        await producer.begin_transaction()
        for number in range(3):
            await producer.send_and_wait(TOPIC, f"{outcome} {number}".encode(), key=b"k", partition=0)
        await (producer.commit_transaction() if outcome == "committed" else producer.abort_transaction())
    await producer.stop()
    member = Member(settings)
    await member.broker.start()
    try:

        async def all_done() -> bool:
            await consumer_metrics.measure(member.state)
            return len(member.values) >= 6 and member.state.progress.lag() == 0

        await until(all_done)
        assert member.values == [f"committed {number}".encode() for number in range(3)] * 2
        await member.state.offsets.flush()
        assert await committed(settings, 0) == 16, "four transactions of three records and a mark each"
        assert await member.live(0.5) is None
    finally:
        await member.broker.stop()


@pytest.mark.kafka
async def test_what_lies_behind_a_transaction_that_nobody_ends_waits(apache_broker: ApacheKafka) -> None:
    settings = Settings(kafka_bootstrap_servers=apache_broker.bootstrap, kafka_session_timeout_seconds=2)
    await topic_admin.create(settings)
    producer = AIOKafkaProducer(bootstrap_servers=apache_broker.bootstrap, transactional_id="council")
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(TOPIC, b"open", key=b"k", partition=0)
    await send(settings, [b"behind"], 0)
    member = Member(settings)
    await member.broker.start()
    try:

        async def seen() -> bool:
            await consumer_metrics.measure(member.state)
            return await member.ready(0.5) is not None

        await until(seen)
        assert member.values == []
        await producer.abort_transaction()

        async def mended() -> bool:
            await consumer_metrics.measure(member.state)
            return member.values == [b"behind"] and await member.ready(0.5) is None

        await until(mended)
    finally:
        await producer.stop()
        await member.broker.stop()


async def test_a_partition_that_stands_still_is_seen_beside_one_that_works(broker: Broker | ApacheKafka) -> None:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap, kafka_session_timeout_seconds=2)
    await topic_admin.create(settings)
    member = Member(settings)
    await member.broker.start()
    try:
        await send(settings, [b"0"], 0)
        await until(lambda: _is(member.values == [b"0"]))
        consumer = member.state.consumer()
        assert consumer is not None
        consumer.pause(TopicPartition(TOPIC, 0))  # as whatever keeps the client from fetching it
        await send(settings, [b"frozen"], 0)

        async def seen() -> bool:
            await send(settings, [b"1"], 1)
            await consumer_metrics.measure(member.state)
            return await member.ready(1.0) is not None

        await until(seen)
        said = await member.ready(1.0)
        assert said is not None
        assert said.startswith(f"no progress although records are waiting: {TOPIC}-0 for ")
        assert f"{TOPIC}-1" not in said
        assert b"frozen" not in member.values
        assert await member.live(1.0) is None, "the loop does not stand still"
        consumer.resume(TopicPartition(TOPIC, 0))

        async def mended() -> bool:
            await consumer_metrics.measure(member.state)
            return b"frozen" in member.values and await member.ready(1.0) is None

        await until(mended)
    finally:
        await member.broker.stop()


async def test_a_loop_that_stands_still_is_not_alive_unless_what_it_needs_is_away(tansu_broker: Broker) -> None:
    settings = Settings(kafka_bootstrap_servers=tansu_broker.bootstrap, kafka_session_timeout_seconds=2)
    await topic_admin.create(settings)
    answers = True

    async def database() -> str | None:
        return None if answers else "the database does not answer"

    member = Member(settings)
    member.dependencies = Dependencies({"postgresql": database})
    watch = asyncio.create_task(member.dependencies.watch_for_ever(0.1))
    await member.broker.start()
    try:
        await asyncio.sleep(1.5)
        await consumer_metrics.measure(member.state)
        assert await member.live(1.0) is None, "it polls, and nothing waits"
        consumer = member.state.consumer()
        assert consumer is not None
        for partition in consumer.assignment():
            consumer.pause(partition)
        await send(settings, [b"0"], 0)
        begun = time.monotonic()

        async def dead() -> bool:
            await consumer_metrics.measure(member.state)
            return await member.live(1.0) is not None

        await until(dead)
        assert time.monotonic() - begun > 1.0
        assert "records are waiting and none was handled" in str(await member.live(1.0))
        answers = False
        await until(lambda: _is(not member.dependencies.all_answer()))
        assert await member.live(1.0) is None, "a restart would mend nothing"
        assert "the database does not answer, for " in str(await member.dependencies.answers("postgresql")())
        answers = True
        await until(lambda: _is(member.dependencies.all_answer()))
        assert await member.live(1.0) is None, "it has just come back"
        await until(dead)
    finally:
        watch.cancel()
        await member.broker.stop()


async def _is(reached: bool) -> bool:
    return reached
