"""The consumer loop of every process: when it commits offsets, and its state for health checks."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.kafka.subscriber.usecase import BatchSubscriber

from events.topics import TOPICS
from services.messaging.kafka import Record, Records
from services.messaging.offsets import OffsetCommitter, next_offsets
from services.messaging.poll_limits import Poll, limited
from services.messaging.prefetch import Prefetcher, Prepare
from services.messaging.progress import ConsumerProgress
from services.messaging.unreadable_records import UnreadableRecord, UnreadableRecordError, readable
from services.platform import logs, metrics, retry
from services.platform.settings import Settings

Handler = Callable[[Records], Awaitable[None]]
DeadLetterHandler = Callable[[Record, BaseException], Awaitable[None]]

PARTITION_BYTES: Final = 256 * 1024
"""The maximum number of bytes fetched per partition and request. A larger record is fetched alone."""
FETCH_BYTES: Final = 4 * 1024 * 1024
"""The maximum number of bytes fetched per request, over all assigned partitions."""

FETCH_WAIT_MS: Final = 50
"""How long the broker may wait for records. Some brokers (Tansu) wait this long even if records are there."""

POLL_FAILED_SECONDS: Final = 1.0
"""The pause after a failed poll."""

log: Final = logs.get(__name__)


class ConsumerState(ConsumerRebalanceListener):  # type: ignore[misc]
    """The state of a consumer loop: its last poll, its assignment, and whether a batch is in flight.

    Even if the broker answers, the loop may have stopped; the age of the last poll shows that. The consumer gives up
    partitions only after the batch in flight, or another consumer would handle the batch again.
    """

    def __init__(self, topics: Sequence[str] = ()) -> None:
        self.topics = topics
        self.last_poll = time.monotonic()
        self.assigned: frozenset[TopicPartition] | None = None
        self._unassigned_since: float | None = time.monotonic()
        self.in_flight = asyncio.Lock()
        self.halted: str | None = None
        self.revoked = 0
        self.progress = ConsumerProgress()
        self.offsets = OffsetCommitter()
        self.consumer: Callable[[], AIOKafkaConsumer | None] = lambda: None
        self.before_reading: Callable[[], None] = lambda: None
        self.drop_read_ahead: Callable[[], Records] = tuple

    def record_poll(self) -> None:
        """Record that the loop is alive."""
        self.last_poll = time.monotonic()

    def unassigned_seconds(self) -> float:
        """Return for how long the consumer has been no member of its group; 0 if it is one."""
        return 0.0 if self._unassigned_since is None else time.monotonic() - self._unassigned_since

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        async with self.in_flight:
            self.revoked += 1
            if self._unassigned_since is None:  # each attempt to join revokes again
                self._unassigned_since = time.monotonic()
            self.drop_read_ahead()
            await self.offsets.flush()
            log.info("partitions revoked", partitions=_names(revoked))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        # The client calls this before the first fetch of an assignment.
        self.before_reading()
        self.assigned = frozenset(assigned)
        self._unassigned_since = None
        self.progress.assign(self.assigned)
        log.info("partitions assigned", partitions=_names(assigned))


def consume(
    broker: KafkaBroker,
    settings: Settings,
    *,
    group: str,
    handle: Handler,
    refuse: DeadLetterHandler,
    prepare: Prepare | None = None,
    topics: Sequence[str] = (),
    pattern: str | None = None,
) -> ConsumerState:
    """Call `handle` with every batch of raw records, at least once each, in order within a partition.

    After `handle` has returned, the consumer commits offsets, explicitly and only of the batch's partitions; meanwhile
    it handles the next batch. It retries transient errors; if one outlasts the retries, it reads the batch again later.
    For any other error, it halves the batch until it finds the record, and calls `refuse` with that one.

    While one batch is handled, the consumer fetches the next and calls `prepare` with it. `prepare` must have no side
    effects: a batch that is rewound or revoked is prepared for nothing.
    """
    state = ConsumerState(topics or [topic.name for topic in TOPICS if re.fullmatch(pattern or "", topic.name)])
    subscriber = _subscribe(broker, settings, group, topics, pattern, state)
    state.before_reading = partial(_replace_poll, subscriber, state, prepare, settings.max_poll_records)
    state.consumer = lambda: subscriber.consumer
    # While a commit is in flight, this lock keeps the subscriber busy, so the consumer stops only after the commit.
    state.offsets.in_flight = lambda: subscriber.lock

    @subscriber
    async def _batch(message: KafkaMessage) -> None:
        consumer = subscriber.consumer
        records: Records = message.raw_message
        if consumer is None:
            return
        state.record_poll()
        async with state.in_flight:
            await _handle(consumer, records, handle, refuse, state, settings.kafka_max_poll_interval_seconds * 0.6)
        state.record_poll()

    return state


def _subscribe(
    broker: KafkaBroker,
    settings: Settings,
    group: str,
    topics: Sequence[str],
    pattern: str | None,
    state: ConsumerState,
) -> BatchSubscriber:
    interval_ms = settings.kafka_max_poll_interval_seconds * 1000
    session_ms = int(settings.kafka_session_timeout_seconds * 1000)
    return broker.subscriber(
        *topics,
        pattern=pattern,
        batch=True,
        group_id=group,
        max_records=settings.max_poll_records,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_poll_interval_ms=interval_ms,
        rebalance_timeout_ms=interval_ms,
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=int(settings.kafka_session_timeout_seconds * 1000 / 3),
        max_partition_fetch_bytes=PARTITION_BYTES,
        fetch_max_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        listener=state,
        ack_policy=AckPolicy.MANUAL,
        parser=_keep_raw,
        decoder=_no_decoding,
    )


def _replace_poll(subscriber: BatchSubscriber, state: ConsumerState, prepare: Prepare | None, max_records: int) -> None:
    """Replace the `getmany` of the consumer that FastStream has made. The new one has the same contract: each record
    once, in order. FastStream reads by this public method, and offers no hook around it."""
    consumer = subscriber.consumer
    if consumer is None or getattr(consumer.getmany, "ours", False):
        return
    poll = _with_progress(unbroken(limited(consumer.getmany)), state)
    if prepare is not None:
        prefetcher = Prefetcher(poll, prepare, max_records)
        poll, state.drop_read_ahead = prefetcher.poll, prefetcher.discard
    consumer.getmany = _with_poll_times(poll, state)


def unbroken(poll: Poll, pause_seconds: float = POLL_FAILED_SECONDS) -> Poll:
    """Wrap the consumer's poll: if it raises, log the error, pause, and return no records.

    No record can make a poll raise. Only the client itself does: missing rights, or an invalid response of the broker.
    """

    async def getmany(*partitions: TopicPartition, **options: Any) -> dict[TopicPartition, list[Any]]:
        try:
            return await poll(*partitions, **options)
        except ConsumerStoppedError:
            raise
        except Exception as error:
            log.error("poll failed, retrying", error=retry.one_line(error))
            metrics.TRANSIENT_ERRORS.labels(kind=type(error).__name__).inc()
            await asyncio.sleep(pause_seconds)
            return {}

    return getmany


def _with_progress(poll: Poll, state: ConsumerState) -> Poll:
    async def getmany(*partitions: TopicPartition, **options: Any) -> dict[TopicPartition, list[Any]]:
        found = await poll(*partitions, **options)
        state.progress.read(found)
        return found

    return getmany


def _with_poll_times(poll: Poll, state: ConsumerState) -> Poll:
    async def getmany(*partitions: TopicPartition, **options: Any) -> dict[TopicPartition, list[Any]]:
        state.record_poll()
        return await poll(*partitions, **options)

    getmany.ours = True  # type: ignore[attr-defined]
    return getmany


async def _handle(
    consumer: AIOKafkaConsumer,
    records: Records,
    handle: Handler,
    refuse: DeadLetterHandler,
    state: ConsumerState,
    budget: float,
) -> None:
    try:
        await _handle_all(readable(records), handle, refuse, time.monotonic() + budget)
        for record in records:
            if isinstance(record, UnreadableRecord):
                await refuse(record, UnreadableRecordError(record))
    except retry.HaltConsumerError as halt:
        state.halted = str(halt)
        log.error("halted", error=str(halt))
        _rewind(consumer, state, records)
        await asyncio.sleep(retry.MAX_BACKOFF_SECONDS)
        return
    except Exception as fault:
        log.error("batch rewound, retries exhausted", error=retry.one_line(fault), records=len(records))
        metrics.BATCHES_REWOUND.inc()
        _rewind(consumer, state, records)
        return
    state.halted = None
    done = next_offsets(records)
    state.progress.handle(done)
    await state.offsets.commit(consumer, done)


async def _handle_all(records: Records, handle: Handler, refuse: DeadLetterHandler, deadline: float) -> None:
    """Handle a batch. If it raises an error that is not transient, halve it, down to the record to refuse.

    Halving spares the other records a long wait: one such record among 64 takes 13 attempts, not 65.
    """
    if not records:
        return
    try:
        await retry.retry_transient(lambda: handle(records), deadline - time.monotonic())
    except (retry.TransientTimeoutError, retry.HaltConsumerError):
        raise
    except Exception as fault:
        log.warning("batch failed", error=type(fault).__name__, records=len(records))
        if len(records) == 1:
            log.exception("record failed", topic=records[0].topic, partition=records[0].partition)
            await refuse(records[0], fault)
            return
        middle = len(records) // 2
        for half in (records[:middle], records[middle:]):
            await _handle_all(half, handle, refuse, deadline)


def _rewind(consumer: AIOKafkaConsumer, state: ConsumerState, records: Records) -> None:
    """Seek back to the start of the batch, and drop everything fetched after it."""
    first: dict[TopicPartition, int] = {}
    for record in [*records, *state.drop_read_ahead()]:
        partition = TopicPartition(record.topic, record.partition)
        first[partition] = min(record.offset, first.get(partition, record.offset))
    for partition, offset in first.items():
        if partition in consumer.assignment():
            consumer.seek(partition, offset)


async def _keep_raw(records: Any) -> KafkaMessage:
    """Leave the records raw. FastStream's own parser decodes headers and raises on bytes that are not UTF-8."""
    return KafkaMessage(body=b"", headers={}, raw_message=records, consumer=FAKE_CONSUMER)


async def _no_decoding(message: Any) -> Any:
    return message.body


def _names(partitions: Iterable[TopicPartition]) -> list[str]:
    return sorted(f"{partition.topic}-{partition.partition}" for partition in partitions)
