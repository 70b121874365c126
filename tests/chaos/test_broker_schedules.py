"""Directed schedules at the broker: relays and consumers are held up at the worst moment, never by luck.

Each of these turns red for one of the seeded bugs in `mutants.py`.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from sqlalchemy.ext.asyncio import AsyncEngine

from events.cloudevents import Message
from services.local_stack.tansu import Broker
from services.messaging import consumer as consuming
from services.messaging import kafka, topic_admin
from services.platform.settings import Settings
from services.relay.outbox_publisher import OutboxPublisher
from services.store import outbox
from services.store.database import Sessions, make_sessions, transaction
from tests.chaos.waiting import PATIENCE, until

TOPIC = "collaboration.opportunities.v1"


@pytest_asyncio.fixture
async def on_broker(tansu_broker: Broker, database_url: str) -> Settings:
    made = Settings(
        kafka_bootstrap_servers=tansu_broker.bootstrap, database_url=database_url, kafka_session_timeout_seconds=2
    )
    await topic_admin.create(made)
    return made


def message(revision: int, key: str = "k") -> outbox.Outbox:
    value = json.dumps({"revision": revision}).encode()
    return outbox.to_outbox_row(TOPIC, f"{key}-{revision}", Message(key.encode(), (("ce_id", b"1"),), value))


async def told(settings: Settings) -> dict[str, list[int]]:
    """What the topic holds, by key, in order."""
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[str, list[int]] = {}
    try:
        while batch := await consumer.getmany(timeout_ms=2000):
            for record in (record for records in batch.values() for record in records):
                found.setdefault(record.key.decode(), []).append(json.loads(record.value)["revision"])
    finally:
        await consumer.stop()
    return found


async def published(sessions: Sessions) -> bool:
    async with sessions() as session:
        return (await outbox.backlog(session))[0] == 0


class _Held:
    """A producer whose first message waits until it may go."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def send(self, *args: Any, **kwargs: Any) -> Any:
        if not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()
        return await self._producer.send(*args, **kwargs)


async def _stop(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_message_that_commits_late_is_published_all_the_same(
    database: AsyncEngine, on_broker: Settings
) -> None:
    """Ids are given in one order and committed in another."""
    sessions = make_sessions(database)
    producer = kafka.make_producer(on_broker, "relay")
    await producer.start()
    relaying = asyncio.create_task(OutboxPublisher(database, producer).run_for_ever())
    async with sessions() as late:
        late.add(message(1, key="late"))
        await late.flush()
        async with transaction(sessions) as session:
            session.add(message(1, key="early"))
        await until(lambda: published(sessions))
        await late.commit()
    with suppress(TimeoutError):
        await until(lambda: published(sessions))
    await _stop(relaying)
    await producer.stop()
    assert await told(on_broker) == {"early": [1], "late": [1]}


async def test_a_relay_that_is_held_up_is_not_overtaken(database: AsyncEngine, on_broker: Settings) -> None:
    """One has read a message and not sent it yet; a second one must leave that key alone until it has."""
    sessions = make_sessions(database)
    producers = [kafka.make_producer(on_broker, f"relay-{number}") for number in range(2)]
    for producer in producers:
        await producer.start()
    held = _Held(producers[0])
    second = OutboxPublisher(database, producers[1])
    async with transaction(sessions) as session:
        session.add(message(1))
    tasks = [asyncio.create_task(OutboxPublisher(database, held).run_for_ever())]  # type: ignore[arg-type]
    async with asyncio.timeout(PATIENCE):
        await held.reached.wait()
    async with transaction(sessions) as session:
        session.add(message(2))
    tasks.append(asyncio.create_task(second.run_for_ever()))
    rounds = {second.last_round}

    async def looked_or_published() -> bool:
        rounds.add(second.last_round)
        return len(rounds) > 4 or await published(sessions)

    await until(looked_or_published)
    held.go_on.set()
    await until(lambda: published(sessions))
    await _stop(*tasks)
    for producer in producers:
        await producer.stop()
    assert (await told(on_broker))["k"][-1] == 2


async def _send(settings: Settings, count: int) -> None:
    producer = kafka.make_producer(settings, "test")
    await producer.start()
    for number in range(count):
        await producer.send_and_wait(TOPIC, value=str(number).encode(), key=b"k", partition=0)
    await producer.stop()


async def _nothing(*_: Any) -> None:
    """Handled."""


async def test_only_what_was_handled_is_committed(on_broker: Settings) -> None:
    """Two batches are in the house, one is done: the position of the other is nobody's to commit."""
    await _send(on_broker, 2)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=on_broker.kafka_bootstrap_servers,
        group_id="g",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    partition = TopicPartition(TOPIC, 0)
    consumer.assign([partition])
    first = [await consumer.getone()]
    await consumer.getone()
    state = consuming.ConsumerState()
    await consuming._handle(consumer, first, _nothing, _nothing, state, 5)
    await state.offsets.flush()
    assert await consumer.committed(partition) == 1
    await consumer.stop()


@pytest.mark.parametrize("leaving", ["stopped", "revoked"])
async def test_nobody_leaves_while_offsets_are_on_their_way(
    on_broker: Settings, monkeypatch: pytest.MonkeyPatch, leaving: str
) -> None:
    """The next batch does not wait for them; who stops, or gives partitions away, does: or it is handled again. The
    later never overtake the earlier."""
    await _send(on_broker, 3)
    real, seen, waits, done = AIOKafkaConsumer.commit, asyncio.Queue[bytes](), [2.0], []

    async def late(consumer: Any, offsets: Any) -> None:
        await asyncio.sleep(waits.pop() if waits else 0)
        await real(consumer, offsets)
        done.extend(offsets.values())

    async def noted(records: Any) -> None:
        for record in records:
            seen.put_nowait(record.value)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", late)
    broker = kafka.make_broker(on_broker, "test")
    state = consuming.consume(broker, on_broker, group="g", handle=noted, refuse=_nothing, topics=[TOPIC])
    await broker.start()
    try:
        async with asyncio.timeout(PATIENCE):
            assert [await seen.get() for _ in range(3)] == [b"0", b"1", b"2"]
            await _send(on_broker, 1)
            assert await seen.get() == b"0"
            await (broker.stop() if leaving == "stopped" else state.on_partitions_revoked([]))
        assert done[-1:] == [4]
        assert done == sorted(done)
    finally:
        await broker.stop()


async def test_a_batch_cut_off_in_the_middle_comes_again(on_broker: Settings) -> None:
    """The consumer goes while its batch is being handled: nothing may count as handled."""
    await _send(on_broker, 3)
    begun, seen = asyncio.Event(), asyncio.Queue[bytes]()

    async def never_done(_: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def noted(records: Any) -> None:
        for record in records:
            seen.put_nowait(record.value)

    async def refuse(*_: Any) -> None:
        raise AssertionError("nothing is refused here")

    for handle in (never_done, noted):
        broker = kafka.make_broker(on_broker, "test")
        consuming.consume(broker, on_broker, group="g", handle=handle, refuse=refuse, topics=[TOPIC])
        await broker.start()
        (subscriber,) = broker.subscribers
        if handle is never_done:
            async with asyncio.timeout(PATIENCE):
                await begun.wait()
            leaving: Any = subscriber
            await leaving.consumer.stop()
            await _stop(*leaving.tasks)
        else:
            async with asyncio.timeout(PATIENCE):
                assert [await seen.get() for _ in range(3)] == [b"0", b"1", b"2"]
        await broker.stop()
