"""Matchers come and go while batches are slow: nothing is lost, nothing acted on twice, and there is an end to it.

The database answers each of the matchers' statements late, so that a batch takes seconds and every change of the group
comes into the middle of one.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from events.topics import OPPORTUNITIES, PLANS
from services.messaging import consumer, kafka, topic_admin
from services.platform.settings import Settings
from tests.brokers import ApacheKafka
from tests.chaos import stream
from tests.chaos.schedules import PATIENCE_SECONDS, Run, run, until
from tests.chaos.slow_database import MATCHERS, slow_database
from tests.pipeline import records_of

pytestmark = [pytest.mark.slow, pytest.mark.kafka]


def changes(made: Run) -> int:
    """How often partitions were given out, by all matchers' logs."""
    return sum(made.log_of(name).count('"event": "partitions assigned"') for name in MATCHERS if there(made, name))


def there(made: Run, name: str) -> bool:
    return (made.arena.folder / f"{name}.log").exists()


def leave(made: Run, name: str) -> None:
    """Asks a matcher to go, in the middle of its batch, and waits until it has gone."""
    child = made.arena.crew.pop(name)
    os.kill(child.pid, signal.SIGTERM)
    child.join(PATIENCE_SECONDS)
    assert child.exitcode is not None, f"{name} never ended"


def handled(made: Run) -> Counter[str]:
    """How often each event was handled, by its id."""
    found: Counter[str] = Counter()
    for name in MATCHERS:
        for line in made.log_of(name).splitlines():
            if '"event": "plan event"' in line:
                found[line.partition('"event_id": "')[2].partition('"')[0]] += 1
    return found


def test_who_comes_and_goes_in_order_leaves_nothing_to_do_twice(tmp_path: Path) -> None:
    with run(tmp_path) as made, slow_database(made) as (link, slow):
        made.start("relay-1", "notifier-1")
        made.start("matcher-1", **slow)
        made.feed(stream.make(41, 50), seconds=5)
        for comes, goes in (("matcher-2", None), ("matcher-3", "matcher-1")):
            before = changes(made)
            made.start(comes, **slow)
            until(lambda before=before: changes(made) > before, f"partitions for {comes}")  # type: ignore[misc]
            if goes:
                leave(made, goes)
        link.toxics.clear()
        made.conclude()
        sent = Counter(_event_id(record) for record in records_of(made.arena.bootstrap, PLANS.name))
        times = handled(made)
        assert len(times) > 0.8 * len(sent), "the logs tell of them"
        often = {key: (count, sent[key]) for key, count in times.items() if count != sent[key]}
        assert not often, f"handled so often, not as often as they came: {often}"


def _event_id(record: Any) -> str:
    return dict(record.headers).get("ce_id", b"").decode()


def test_who_is_taken_for_gone_and_comes_back_does_nothing_twice(tmp_path: Path) -> None:
    """Stopped in its batch for longer than the session: another takes the same records, then both have them."""
    with run(tmp_path) as made, slow_database(made) as (link, slow):
        made.start("relay-1", "notifier-1")
        slow["JOINTLY_KAFKA_SESSION_TIMEOUT_SECONDS"] = "3"
        made.start("matcher-1", "matcher-2", **slow)
        made.feed(stream.make(42, 50), seconds=5)
        for name, other in (MATCHERS[:2], MATCHERS[1::-1]):
            before = made.log_of(other).count('"event": "partitions assigned"')
            made.arena.pause(name)
            until(
                lambda other=other, before=before: made.log_of(other).count('"event": "partitions assigned"') > before,  # type: ignore[misc]
                f"{other} with the partitions of {name}",
            )
            made.arena.resume(name)
        link.toxics.clear()
        made.conclude()
        assert made.arena.fallen() == []


async def test_batches_longer_than_the_poll_interval_come_to_an_end(apache_broker: ApacheKafka) -> None:
    """Such a member counts as gone each time it is slow, its offsets are refused, and others have its records again."""
    allowed = Settings(
        kafka_bootstrap_servers=apache_broker.bootstrap, kafka_session_timeout_seconds=2, max_poll_records=4
    )
    settings = allowed.model_copy(update={"kafka_max_poll_interval_seconds": 1})
    await topic_admin.create(settings)
    producer = kafka.make_producer(settings, "test")
    await producer.start()
    for number in range(24):
        key, value = str(number).encode(), b"v"
        await producer.send_and_wait(OPPORTUNITIES.name, key=key, value=value, partition=number % 6)
    await producer.stop()
    seen: Counter[bytes] = Counter()

    async def slowly(records: Any) -> None:
        await asyncio.sleep(2.5)
        seen.update(record.key for record in records)

    async def refuse(*_: Any) -> None:
        raise AssertionError("nothing is refused here")

    brokers = [kafka.make_broker(settings, f"member-{number}") for number in range(2)]
    for broker in brokers:
        consumer.consume(broker, settings, group="g", handle=slowly, refuse=refuse, topics=[OPPORTUNITIES.name])
        await broker.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await committed(settings) < 24:
                await asyncio.sleep(0.2)
    finally:
        for broker in brokers:
            await broker.stop()
    assert len(seen) == 24, "every record was handled"


async def committed(settings: Settings) -> int:
    """How many records of the topic the group has committed."""
    admin = AIOKafkaAdminClient(**kafka.connection(settings))
    await admin.start()
    try:
        return sum(found.offset for found in (await admin.list_consumer_group_offsets("g")).values())
    finally:
        await admin.close()
