"""Records on a broker: read by a client that knows nothing of ours, or refused by the matcher."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from events.topics import DEAD_PLANS
from services.matcher.plan_decoding import read
from services.messaging import dead_letter_queue, topic_admin
from services.messaging.kafka import Record, connection, make_producer
from services.messaging.signature_policy import RejectedRecord
from services.platform.settings import Settings

Sent = tuple[str, bytes, list[tuple[str, bytes]], bytes]


async def everything_on(using: Settings, *names: str, at_least: int) -> Sequence[Record]:
    """All records of topics, once there are that many."""
    consumer = AIOKafkaConsumer(*names, **connection(using), auto_offset_reset="earliest")
    await consumer.start()
    found: list[Record] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < at_least:
                found += [r for some in (await consumer.getmany(timeout_ms=200)).values() for r in some]
    finally:
        await consumer.stop()
    return found


async def refuse_all(using: Settings, sent: Sequence[Sent]) -> None:
    """Publishes records and has the matcher's own reading refuse them."""
    await topic_admin.create(using, ["E08000032"])
    producer = make_producer(using, "tests")
    await producer.start()
    try:
        for name, key, headers, value in sent:
            await producer.send_and_wait(name, key=key, value=value, headers=headers)
        names = {name for name, *_ in sent}
        for record in await everything_on(using, *names, at_least=len(sent)):
            item = read(record, datetime.now(UTC))
            assert isinstance(item, RejectedRecord)
            await dead_letter_queue.dead_letter(producer, DEAD_PLANS, record, item.reason, item.sentence)
    finally:
        await producer.stop()


async def first_records(settings: Settings, topic: str, count: int) -> list[ConsumerRecord]:
    """The first `count` records of a topic, read by a client that knows nothing of ours."""
    records: list[ConsumerRecord] = []
    async with AIOKafkaConsumer(bootstrap_servers=list(settings.kafka_bootstrap_servers)) as consumer:
        await consumer._client.force_metadata_update()
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        async with asyncio.timeout(60):
            while len(records) < count:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records.extend(batch)
    return records
