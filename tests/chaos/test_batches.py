"""How a batch is taken: what can't be handled is found quickly, and what is larger than a fetch comes all the same."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from events.topics import OPPORTUNITIES
from services.local_stack.tansu import Broker
from services.messaging import consumer, kafka, topic_admin
from services.platform.settings import Settings
from tests.brokers import ApacheKafka
from tests.pipeline import kafka_requests

PATIENCE = 60
"""Seconds after which something that ought to come has not; nothing is measured by it."""


@pytest.mark.parametrize(
    ("bad", "attempts"), [({0}, 13), ({63}, 13), ({20}, 13), ({20, 21}, 13), ({0, 63}, 23), ({0, 20, 63}, 31)]
)
async def test_a_record_that_can_not_be_handled_is_found_by_halves(bad: set[int], attempts: int) -> None:
    """All others are handled once the attempts end, in their order, and nothing else is refused."""
    records = [SimpleNamespace(topic="t", partition=number % 6, offset=number) for number in range(64)]
    tried: list[int] = []
    handled: list[int] = []
    refused: list[int] = []

    async def handle(batch: Any) -> None:
        tried.append(len(batch))
        if bad & {record.offset for record in batch}:
            raise ValueError("not to be handled")
        handled.extend(record.offset for record in batch)

    async def refuse(record: Any, _: BaseException) -> None:
        refused.append(record.offset)

    await consumer._handle_all(records, handle, refuse, asyncio.get_running_loop().time() + PATIENCE)
    assert refused == sorted(bad)
    assert handled == sorted(set(range(64)) - bad)
    assert len(tried) == attempts


async def test_a_batch_is_acknowledged_once_whatever_its_size(broker: Broker | ApacheKafka) -> None:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap, kafka_session_timeout_seconds=2)
    await topic_admin.create(settings)
    producer = kafka.make_producer(settings, "test")
    await producer.start()
    for number in range(600):
        await producer.send(OPPORTUNITIES.name, key=str(number).encode(), value=b"{}")
    await producer.stop()
    batches: list[int] = []

    async def note(records: Any) -> None:
        batches.append(len(records))

    async def refuse(*_: Any) -> None:
        raise AssertionError("nothing is refused here")

    taking = kafka.make_broker(settings, "test")
    consumer.consume(taking, settings, group="g", handle=note, refuse=refuse, topics=[OPPORTUNITIES.name])
    with kafka_requests() as asked:
        await taking.start()
        async with asyncio.timeout(PATIENCE):
            while sum(batches) < 600:
                await asyncio.sleep(0.05)
        await taking.stop()
    assert 0 < asked["OffsetCommitRequest"] <= len(batches), (asked, batches)
    assert len(batches) <= 60, "records come by the batch"


async def test_what_is_larger_than_a_fetch_comes_all_the_same(broker: Broker | ApacheKafka) -> None:
    """A producer may have put a record, or many into one batch, that is larger than what is fetched at once."""
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap, kafka_session_timeout_seconds=2)
    await topic_admin.create(settings)
    sizes = [10, consumer.PARTITION_BYTES * 2, 20, consumer.PARTITION_BYTES * 3, 30]
    producer = kafka.make_producer(settings, "test")
    await producer.start()
    for number, size in enumerate(sizes):
        # Bytes that gzip makes no smaller.
        value = bytes((number * 7919 + place * place * 31 + place // 251) % 256 for place in range(size))
        await producer.send_and_wait(OPPORTUNITIES.name, key=b"k", value=value, partition=0)
    await producer.stop()
    seen: asyncio.Queue[int] = asyncio.Queue()

    async def note(records: Any) -> None:
        for record in records:
            seen.put_nowait(len(record.value))

    async def refuse(*_: Any) -> None:
        raise AssertionError("nothing is refused here")

    taking = kafka.make_broker(settings, "test")
    consumer.consume(taking, settings, group="g", handle=note, refuse=refuse, topics=[OPPORTUNITIES.name])
    await taking.start()
    try:
        async with asyncio.timeout(PATIENCE):
            assert [await seen.get() for _ in sizes] == sizes
    finally:
        await taking.stop()
