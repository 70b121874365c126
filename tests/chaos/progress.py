"""How far the pipeline has come: what a canary has reached, and whether everything has drained."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from psycopg import OperationalError

from events.topics import OPPORTUNITIES, PLANS
from tests.chaos.cluster import Arena
from tests.chaos.stream import CANARIES

GROUPS: Final = {"jointly-matcher": PLANS, "jointly-notifier": OPPORTUNITIES}
_LEFT: Final = """
SELECT (SELECT count(*) FROM plans WHERE assessed_revision < revision),
       (SELECT count(*) FROM outbox WHERE published_at IS NULL),
       (SELECT count(*) FROM notification_intents WHERE state IN ('pending', 'queued', 'sending')),
       (SELECT count(*) FROM notification_mails WHERE state IN ('queued', 'claimed', 'sending', 'ambiguous')
        AND (attempts > 0 OR next_attempt_at <= now()))
"""
"""A reminder waits for its day, and is nothing left to do."""


def canary_arrived(arena: Arena, revision: int) -> bool:
    """Whether this revision of the canary was matched, its opportunity published, and the notifier has handled that."""
    with suppress(OperationalError):
        found = arena.sql(
            "SELECT 1 FROM opportunities JOIN outbox ON key = opportunity_id WHERE plan_a = %(plan)s "
            "AND revision_a >= %(revision)s GROUP BY key HAVING count(*) FILTER (WHERE published_at IS NULL) = 0",
            plan=CANARIES[0],
            revision=revision,
        )
        return bool(found) and behind(arena, "jointly-notifier") == 0
    return False


def left(arena: Arena) -> dict[str, int]:
    """What is still to do, by what it is; nothing where all has drained. Raises OperationalError, KafkaError."""
    found = {group: behind(arena, group) for group in GROUPS}
    ((plans, outbox, intents, mails),) = arena.sql(_LEFT)
    found |= {"plans": plans, "outbox": outbox, "intents": intents, "mails": mails}
    return {name: count for name, count in found.items() if count}


def idle(arena: Arena) -> bool:
    """Whether nothing is left to do.

    Asked twice: what came into the topic after the topic was looked at, and had left the database when that was looked
    at, is seen by the second look.
    """
    with suppress(OperationalError, KafkaError):
        return not left(arena) and not left(arena)
    return False


def drained(arena: Arena) -> bool:
    """Whether nothing is left to do; digests are made due, so that they count."""
    with suppress(OperationalError, KafkaError):
        # The weekly limit is for people; here it would leave news waiting for days.
        arena.sql(
            "WITH these AS (SELECT id FROM notification_intents WHERE state = 'pending'"
            " AND (due_at > now() OR purpose = 'immediate') ORDER BY id FOR UPDATE)"
            " UPDATE notification_intents i SET due_at = now(),"
            " purpose = CASE purpose WHEN 'immediate' THEN 'digest' ELSE purpose END FROM these WHERE i.id = these.id"
        )
        return idle(arena)
    return False


def behind(arena: Arena, group: str) -> int:
    """How many records of its topic a group has not committed; a large number while the broker does not say."""
    with suppress(KafkaError, OSError, TimeoutError):
        return asyncio.run(_behind(arena.bootstrap, group))
    return 1_000_000


async def _behind(bootstrap: str, group: str) -> int:
    topic = GROUPS[group]
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    async with asyncio.timeout(8):
        try:
            await admin.start()
            committed = await admin.list_consumer_group_offsets(group)
            await consumer.start()
            ends = await consumer.end_offsets(partitions)
        finally:
            await admin.close()
            await consumer.stop()
    return sum(end - max(0, committed[p].offset if p in committed else 0) for p, end in ends.items())
