"""Prefetch, the first stage of the consumer's pipeline: while one batch is handled, it reads and prepares the next.

    poll -> prepare (one batch at a time) -> queue of MAX_BATCHES -> handle (in order) -> commit (in order)

Preparing has no side effects, so a batch that is rewound or revoked is prepared for nothing.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from services.messaging.kafka import Record, Records
from services.messaging.poll_limits import Poll, size_of
from services.messaging.unreadable_records import readable
from services.platform import logs, retry

Prepare = Callable[[Records], Awaitable[None]]

MAX_BATCHES: Final = 2
"""The queue's capacity in batches: one is ready while the next is being prepared."""
MAX_AHEAD_BYTES: Final = 16 * 1024 * 1024
"""The queue's capacity in bytes. Above it, no further poll reads ahead."""
POLL_TIMEOUT_SECONDS: Final = 0.2
"""How long a poll waits for records before it checks whether the handler still takes any."""
MAX_IDLE_READ_SECONDS: Final = 5.0
"""Reading stops after this long without a taker: polls tell the group that the member is alive."""

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class PrefetchedBatch:
    """Records that were read together, and the task that prepares them."""

    records: Records
    prepared: asyncio.Task[None]


class Prefetcher:
    """Reads ahead with `poll` while earlier batches are handled, and returns batches in order.

    A batch has at most `batch_records` records; the queue holds at most `MAX_BATCHES` times as many, and little more
    than `MAX_AHEAD_BYTES`.
    """

    def __init__(self, poll: Poll, prepare: Prepare, batch_records: int) -> None:
        self._poll = poll
        self._prepare = prepare
        self._batch_records = batch_records
        self._unprepared: list[Record] = []
        self._queue: deque[PrefetchedBatch] = deque()
        self._reader: asyncio.Task[None] | None = None
        self._last_asked = 0.0
        self._state_changed = asyncio.Event()
        self._space_freed = asyncio.Event()

    async def poll(
        self, *_: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Any]]:
        """Return prepared records, or none after the timeout. Raises the error of a failed poll."""
        limit = self._batch_records if max_records is None else max_records
        until = time.monotonic() + timeout_ms / 1000
        while not (taken := self._take_prepared(limit)) and (left := until - time.monotonic()) > 0:
            self._raise_reader_error()
            self._ensure_reading()
            self._state_changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._state_changed.wait(), left)
        self._ensure_reading()
        return _by_partition(taken)

    def discard(self) -> Records:
        """Drop and return everything in the queue: its partitions are revoked, or an earlier batch is rewound."""
        dropped = self._held()
        self._queue.clear()
        self._unprepared = []
        self._space_freed.set()
        self._state_changed.set()
        return dropped

    def _take_prepared(self, limit: int) -> list[Record]:
        taken: list[Record] = []
        while self._queue and self._queue[0].prepared.done() and len(taken) + len(self._queue[0].records) <= limit:
            taken += self._queue.popleft().records
            self._space_freed.set()
        return taken

    def _held(self) -> list[Record]:
        """Return everything that was read ahead, in order."""
        return [*(record for batch in self._queue for record in batch.records), *self._unprepared]

    def _raise_reader_error(self) -> None:
        if self._reader is not None and self._reader.done():
            ended, self._reader = self._reader, None
            ended.result()

    def _ensure_reading(self) -> None:
        self._last_asked = time.monotonic()
        if self._reader is None or (self._reader.done() and self._reader.exception() is None):
            self._reader = self._start(self._read())

    async def _read(self) -> None:
        while time.monotonic() - self._last_asked < MAX_IDLE_READ_SECONDS:
            held = self._held()
            room = MAX_BATCHES * self._batch_records - len(held)
            if room <= 0 or sum(map(size_of, held)) >= MAX_AHEAD_BYTES:
                self._space_freed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._space_freed.wait(), POLL_TIMEOUT_SECONDS)
                continue
            # Poll again immediately: the client fetches no more of a partition while it holds records of it.
            found = await self._poll(timeout_ms=int(POLL_TIMEOUT_SECONDS * 1000), max_records=room)
            # No await from here until the records are queued: `discard` must find every record of an assignment, and
            # between two assignments a poll returns nothing.
            self._unprepared += [record for some in found.values() for record in some]
            self._start_prepare()

    def _start_prepare(self) -> None:
        """Prepare the next batch unless one is being prepared. A few large batches cost less than many small ones."""
        if self._unprepared and not (self._queue and not self._queue[-1].prepared.done()):
            records = self._unprepared[: self._batch_records]
            self._unprepared = self._unprepared[self._batch_records :]
            self._queue.append(PrefetchedBatch(records, self._start(self._prepare_batch(records))))

    async def _prepare_batch(self, records: Records) -> None:
        try:
            await self._prepare(readable(records))
        except Exception as fault:
            # The handler will meet the same error, and retry it or find the record.
            log.info("batch not prepared", error=retry.one_line(fault), records=len(records))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, ended: asyncio.Task[None]) -> None:
        self._start_prepare()
        self._state_changed.set()
        if not ended.cancelled():
            ended.exception()  # Retrieve the exception, or asyncio would report it as never retrieved.


def _by_partition(records: Records) -> dict[TopicPartition, list[Any]]:
    found: dict[TopicPartition, list[Any]] = {}
    for record in records:
        found.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    return found
