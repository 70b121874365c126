"""Publishes the outbox to Kafka: at least once, in order within a key, one relay per shard.

A relay owns a shard by an advisory lock on the same connection that reads and marks its messages. A relay that takes a
shard over publishes again the newest message of every key that its predecessor may have had in flight. If a stopped
relay resumes without its locks, the owner does the same for that relay's messages. So, once the topic is drained, the
last record of every key is the current one.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from services.messaging import kafka
from services.platform import logs, metrics, retry
from services.store import advisory_locks, outbox
from services.store.database import now
from services.store.outbox import OUTBOX_SHARDS, Outbox

AT_ONCE: Final = 500
IDLE_SECONDS: Final = 0.2
"""The longest wait between two reads of the outbox without a notification; older versions send none."""
LOCKS_EVERY_SECONDS: Final = 2.0
PRUNE_EVERY_SECONDS: Final = 600.0
STALE_SECONDS: Final = 10.0
"""A message read longer ago is not sent: this process may have been stopped, and the shard may have a new owner."""
SILENCE_SECONDS = 20
"""PostgreSQL releases the locks of a relay that is silent for this long, unless it is given another time."""
IN_FLIGHT: Final = timedelta(minutes=2)
"""A takeover publishes the last messages of this period again. It is longer than the request timeout."""

log: Final = logs.get(__name__)


class OutboxPublisher:
    """Publishes the shards that it can lock.

    `last_round` is the time of its last read of the outbox, even if empty; `last_turn` also counts those that failed.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        producer: AIOKafkaProducer,
        kept: timedelta = timedelta(days=7),
        silence_seconds: int | None = None,
    ) -> None:
        self._engine = engine
        self._producer = producer
        self._kept = kept
        self._silence_seconds = silence_seconds or SILENCE_SECONDS
        self._in_flight: set[tuple[str, str]] = set()
        self.last_round = self.last_turn = time.monotonic()

    async def run_for_ever(self) -> None:
        """Publish until cancelled. A lost connection loses the shards, and the publisher starts again."""
        attempt = 0
        while True:
            try:
                await self._run_session()
            except Exception as error:
                attempt = attempt + 1 if time.monotonic() - self.last_round > STALE_SECONDS else 1
                self.last_turn = time.monotonic()
                metrics.RELAY_SHARDS_HELD.set(0)
                log.warning("relay interrupted", error=retry.one_line(error))
                await asyncio.sleep(retry.backoff_seconds(attempt))

    async def _run_session(self) -> None:
        """Run one session on one connection: a session on the engine would take another connection after each commit.

        Its statements run outside a transaction: the session holds the locks that make this relay the only publisher.
        """
        async with self._engine.connect() as connection:
            try:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                async with AsyncSession(connection, expire_on_commit=False) as session:
                    await self._hold_and_publish(session)
            finally:
                # Close the connection to release its locks. Back in the pool it would keep them, and nobody would
                # publish the shards.
                await connection.invalidate()

    async def _hold_and_publish(self, session: AsyncSession) -> None:
        # If this process stalls, PostgreSQL ends the session, and releases the locks, after this long.
        await session.execute(text(f"SET idle_session_timeout = '{self._silence_seconds}s'"))
        await outbox.listen(session)
        await outbox.requeue_latest(session, self._in_flight)
        self._in_flight.clear()
        held: set[int] = set()
        looked = pruned = float("-inf")
        while True:
            if time.monotonic() - looked > LOCKS_EVERY_SECONDS:
                looked = time.monotonic()
                held |= await self._acquire_shards(session, held)
                metrics.RELAY_SHARDS_HELD.set(len(held))
            published = await self._publish(session, held)
            self.last_round = self.last_turn = time.monotonic()
            # Behind what waits, and in parts: to delete all after a long outage would exceed a statement's time.
            due = time.monotonic() - pruned > PRUNE_EVERY_SECONDS
            if due and await outbox.prune(session, now() - self._kept) < outbox.PRUNED_AT_ONCE:
                pruned = time.monotonic()
            if published < AT_ONCE:
                # Everything read has been sent. A notification of new messages ends the wait immediately.
                await outbox.wait_for_notify(session, IDLE_SECONDS)

    async def _acquire_shards(self, session: AsyncSession, held: set[int]) -> set[int]:
        taken = set()
        for shard in sorted(set(range(OUTBOX_SHARDS)) - held):
            query = text("SELECT pg_try_advisory_lock(:lock_class, :shard)")
            if (await session.execute(query, {"lock_class": advisory_locks.RELAY, "shard": shard})).scalar_one():
                taken.add(shard)
        if taken:
            again = await outbox.last_published_since(session, taken, now() - IN_FLIGHT)
            metrics.REPUBLISHED.inc(len(again))
            await self._send(again)
            log.info("shards taken", shards=sorted(taken), republished=len(again))
        return taken

    async def _publish(self, session: AsyncSession, held: set[int]) -> int:
        read_at = time.monotonic()
        rows = await outbox.unpublished(session, held, AT_ONCE)
        if not rows:
            return 0
        if time.monotonic() - read_at > STALE_SECONDS:
            raise TimeoutError("reading the outbox took so long that its shards may have a new owner")
        self._in_flight.update((row.topic, row.key) for row in rows)
        failed = await self._send(rows)
        # A later message of a failed key may have got through, so it is sent again after the failed one.
        done = _acknowledged_prefix(rows, failed)
        await outbox.mark_published(session, done)
        self._in_flight.clear()
        if failed:
            raise ConnectionError(f"{len(failed)} of {len(rows)} messages were not acknowledged")
        return len(rows)

    async def _send(self, rows: Sequence[Outbox]) -> set[int]:
        """Send messages in order; return the ids of those that the broker did not acknowledge."""
        failed = set()
        sending = [(row, await kafka.send(self._producer, row.topic, row.message())) for row in rows]
        for row, acknowledged in sending:
            try:
                await acknowledged
                metrics.EVENTS_OUT.labels(topic=row.topic).inc()
                log.info("event published", event_id=row.event_id, topic=row.topic, causation_id=row.causation_id)
            except Exception as error:
                failed.add(row.id or 0)
                log.warning(
                    "event not published",
                    event_id=row.event_id,
                    causation_id=row.causation_id,
                    error=retry.one_line(error),
                )
        return failed


def _acknowledged_prefix(rows: Sequence[Outbox], failed: set[int]) -> list[int]:
    stuck: set[tuple[str, str]] = set()
    done = []
    for row in rows:
        if row.id in failed:
            stuck.add((row.topic, row.key))
        elif (row.topic, row.key) not in stuck and row.id is not None:
            done.append(row.id)
    return done
