"""What the Kafka client can't read is refused once and stepped over, and whatever lies beside it is handled."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from events.dead_letters import DeadLetterReason
from events.topics import DEAD_OPPORTUNITIES, OPPORTUNITIES
from services.local_stack.tansu import Broker
from services.messaging import consumer as consuming
from services.messaging import kafka, topic_admin
from services.messaging.authority_events import accept
from services.messaging.record_batches import MAX_BATCH_BYTES
from services.messaging.signature_policy import RejectedRecord
from services.messaging.unreadable_records import UnreadableRecord, UnreadableRecordError
from services.platform.settings import Settings
from tests.brokers import ApacheKafka
from tests.chaos.odd_batches import batch, many_headers, produce, record

PATIENCE = 60
"""Seconds after which something that ought to come has not; nothing is measured by it."""
HEADED = 12
"""How many records with millions of headers are sent: Apache Kafka takes a second to check each."""
BAD_HEADER = [(b"\xff", b"x")]
CODECS = ("none", "gzip", "snappy", "xerial", "lz4", "zstd")
TOPIC = OPPORTUNITIES.name


class Member:
    """A consuming process: what it handled and what it refused, by partition and offset."""

    def __init__(self, settings: Settings, *, ahead: bool) -> None:
        self.settings = settings
        self.handled: list[tuple[int, int]] = []
        self.refused: list[tuple[int, int, DeadLetterReason]] = []
        self.broker = kafka.make_broker(settings, "test")
        self.state = consuming.consume(
            self.broker,
            settings,
            group="g",
            handle=self.handle,
            refuse=self.refuse,
            prepare=self.prepare if ahead else None,
            topics=[TOPIC],
        )

    async def handle(self, records: Any) -> None:
        assert not any(isinstance(one, UnreadableRecord) for one in records)
        self.handled += [(one.partition, one.offset) for one in records]

    async def prepare(self, records: Any) -> None:
        assert not any(isinstance(one, UnreadableRecord) for one in records)

    async def refuse(self, record: Any, fault: BaseException) -> None:
        assert isinstance(fault, UnreadableRecordError)
        self.refused.append((record.partition, record.offset, fault.reason))


def too_large(delta: int) -> bytes:
    """A record of two megabytes: next to nothing where it is compressed."""
    return record(delta, b"k", bytes(2 * 1024 * 1024))


async def committed(settings: Settings) -> dict[int, int]:
    consumer = AIOKafkaConsumer(**kafka.connection(settings), group_id="g", enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(TOPIC, partition) for partition in range(OPPORTUNITIES.partitions)]
        return {place.partition: offset for place in places if (offset := await consumer.committed(place))}
    finally:
        await consumer.stop()


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await reached():
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("ahead", [False, True])
async def test_whatever_comes_every_partition_goes_on(broker: Broker | ApacheKafka, ahead: bool) -> None:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap, kafka_session_timeout_seconds=2, max_poll_records=10)
    await topic_admin.create(settings)
    good = batch([record(0, b"k", b"v"), record(1, b"k", b"v")])
    pair = batch([record(at, b"k", b"v", BAD_HEADER) for at in range(2)])
    one_of_three = batch([record(at, b"k", b"v", BAD_HEADER if at == 1 else ()) for at in range(3)], codec="gzip")
    bombs = [batch([record(0, b"k", b"\0" * (MAX_BATCH_BYTES + 1))], codec=codec) for codec in CODECS[1:]]
    large = batch([record(0, b"k", b"v"), *(too_large(at) for at in (1, 2)), record(3, b"k", b"v")], codec="zstd")
    by_codec = [batch([record(0, b"k", b"v" * 1000)], codec=codec) for codec in CODECS]
    sent = {0: [good, pair, good], 1: [one_of_three, pair, pair], 2: [*bombs, good], 3: by_codec, 4: [good], 5: [large]}
    producer = kafka.make_producer(settings, "test")
    await producer.start()
    for partition, batches in sent.items():
        for raw in batches:
            assert await produce(producer, TOPIC, partition, raw) == 0
    await producer.stop()
    member = Member(settings, ahead=ahead)
    await member.broker.start()
    ends = {0: 6, 1: 7, 2: 7, 3: 6, 4: 2, 5: 4}

    async def all_committed() -> bool:
        return await committed(settings) == ends

    try:
        await until(all_committed)
    finally:
        await member.broker.stop()
    unreadable = [
        *((partition, offset, DeadLetterReason.NOT_CLOUDEVENT) for partition, offset in [(0, 2), (0, 3), (1, 1)]),
        *((1, offset, DeadLetterReason.NOT_CLOUDEVENT) for offset in range(3, 7)),
        *((2, offset, DeadLetterReason.UNREADABLE_BATCH) for offset in range(5)),
        *((5, offset, DeadLetterReason.TOO_LARGE) for offset in (1, 2)),
    ]
    assert Counter(member.refused) == Counter(unreadable), "each once"
    left_out = {place[:2] for place in unreadable}
    wanted = {(partition, offset) for partition, end in ends.items() for offset in range(end)} - left_out
    assert Counter(member.handled) == Counter(wanted), "each once"


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [False, True])
async def test_memory_stays_flat_while_gigabytes_come_in_kilobytes(broker: Broker | ApacheKafka, ahead: bool) -> None:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap)
    await topic_admin.create(settings)
    value = batch([record(0, b"k", bytes(15 * 1024 * 1024))], codec="zstd")
    headers = batch([many_headers(0, 7_000_000)], codec="zstd")
    allowed = batch([record(0, b"k", bytes(1_000_000))], codec="zstd")
    producer = kafka.make_producer(settings, "test")
    await producer.start()
    for number in range(200):
        for raw in (value, headers, allowed) if number < HEADED else (value, allowed):
            assert await produce(producer, TOPIC, number % OPPORTUNITIES.partitions, raw) == 0
    await producer.stop()
    before = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is forgotten
    member = Member(settings, ahead=ahead)
    await member.broker.start()

    async def all_seen() -> bool:
        return len(member.handled) + len(member.refused) == 400 + HEADED

    try:
        await until(all_seen)
    finally:
        await member.broker.stop()
    assert Counter(reason for _, _, reason in member.refused) == {DeadLetterReason.TOO_LARGE: 200 + HEADED}
    assert memory_mb("VmHWM") - before < 250


def memory_mb(what: str) -> int:
    """VmRSS or VmHWM of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(what))


class Witness:
    """A producer that notes how many turns others had had when each message was made."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer, self.turns, self.noted = producer, 0, list[int]()

    async def send(self, *args: Any, **options: Any) -> Any:
        self.noted.append(self.turns)
        return await self.producer.send(*args, **options)

    async def take_turns(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


async def test_refusals_leave_the_loop_its_turns(broker: Broker | ApacheKafka) -> None:
    """Each has its value parsed, and a heartbeat must not wait for all of them."""
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap)
    await topic_admin.create(settings)
    refused = [
        RejectedRecord(
            ConsumerRecord(TOPIC, 0, offset, 0, 0, b"k", b"v", None, 1, 1, ()),
            DeadLetterReason.NOT_CLOUDEVENT,
            "no event",
        )
        for offset in range(10)
    ]
    producer = kafka.make_producer(settings, "test")
    await producer.start()
    witness = Witness(producer)
    other = asyncio.create_task(witness.take_turns())
    try:
        assert await accept(witness, DEAD_OPPORTUNITIES, refused) == []  # type: ignore[arg-type]
    finally:
        other.cancel()
        await producer.stop()
    assert len(set(witness.noted)) == len(refused)


async def test_a_poll_that_raises_is_tried_again() -> None:
    asked = 0

    async def poll(*_: Any, **__: Any) -> Any:
        nonlocal asked
        asked += 1
        raise ValueError("what nobody foresaw")

    unbroken = consuming.unbroken(poll, pause_seconds=0)
    assert [await unbroken(), await unbroken(), asked] == [{}, {}, 2]
