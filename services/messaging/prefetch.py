"""Polls that read ahead: while one batch is handled, the next is read, and prepared as far as that changes nothing."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from services.messaging.kafka import Record, Records
from services.messaging.record_batches import readable
from services.platform import logs, retry

Poll = Callable[..., Awaitable[dict[TopicPartition, list[Any]]]]
Prepare = Callable[[Records], Awaitable[None]]

GLANCE_SECONDS: Final = 0.2
"""How long a poll waits for records; then it is looked whether anybody still wants them."""
LOOKING_SECONDS: Final = 5.0
"""For how long is read on while nobody takes anything: a member of a group is taken to be alive by its polls."""

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A portion of what was read, and its preparation."""

    records: Records
    prepared: asyncio.Task[None]


class Ahead:
    """Reads on by `poll`, holds no more than `most` records, and gives them in the order in which they came."""

    def __init__(self, poll: Poll, prepare: Prepare, most: int) -> None:
        self._poll = poll
        self._prepare = prepare
        self._most = most
        self._new: list[Record] = []
        self._held: deque[Held] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._asked = 0.0
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()

    async def getmany(
        self, *_: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Any]]:
        """In the consumer's own place: what was read and prepared, or nothing in time. Raises what a poll raised."""
        most = self._most if max_records is None else max_records
        until = time.monotonic() + timeout_ms / 1000
        while not (taken := self._ready(most)) and (left := until - time.monotonic()) > 0:
            self._say_what_failed()
            self._read_on()
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                continue
        self._read_on()
        return _by_partition(taken)

    def drop(self) -> Records:
        """Forgets what is held, and says what it was: it was read from partitions that go, or behind a batch that has
        to be read again."""
        dropped = [*(record for held in self._held for record in held.records), *self._new]
        self._held.clear()
        self._new = []
        self._taken.set()
        self._changed.set()
        return dropped

    def _ready(self, most: int) -> list[Record]:
        taken: list[Record] = []
        while self._held and self._held[0].prepared.done() and len(taken) + len(self._held[0].records) <= most:
            taken += self._held.popleft().records
            self._taken.set()
        return taken

    def _say_what_failed(self) -> None:
        if self._reading is not None and self._reading.done():
            ended, self._reading = self._reading, None
            ended.result()

    def _read_on(self) -> None:
        self._asked = time.monotonic()
        if self._reading is None or (self._reading.done() and self._reading.exception() is None):
            self._reading = self._task(self._read())

    async def _read(self) -> None:
        while time.monotonic() - self._asked < LOOKING_SECONDS:
            room = self._most - len(self._new) - sum(len(held.records) for held in self._held)
            if room <= 0:
                self._taken.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._taken.wait(), GLANCE_SECONDS)
                continue
            # At once again: the client asks the broker for nothing more of a partition of which it holds something.
            found = await self._poll(timeout_ms=int(GLANCE_SECONDS * 1000), max_records=room)
            # Nothing is waited for from here on until it is held: `drop` has to find all that was read of an
            # assignment, and between two assignments a poll gives nothing.
            self._new += [record for some in found.values() for record in some]
            self._hold()

    def _hold(self) -> None:
        """Has what is new prepared, as one portion, once nothing else is: a few large portions cost less than many
        small ones."""
        if self._new and not (self._held and not self._held[-1].prepared.done()):
            records, self._new = self._new, []
            self._held.append(Held(records, self._task(self._prepared(records))))

    async def _prepared(self, records: Records) -> None:
        try:
            await self._prepare(readable(records))
        except Exception as fault:
            # Whoever handles them will meet it again, where it is waited out or narrowed down.
            log.info("not prepared", error=retry.one_line(fault), records=len(records))

    def _task(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        task.add_done_callback(self._notice)
        return task

    def _notice(self, ended: asyncio.Task[None]) -> None:
        self._hold()
        self._changed.set()
        if not ended.cancelled():
            ended.exception()  # asked for, so that nobody complains of one that no poll came to hear of


def _by_partition(records: Records) -> dict[TopicPartition, list[Any]]:
    found: dict[TopicPartition, list[Any]] = {}
    for record in records:
        found.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    return found
