"""The prefetcher, on polls that the test makes up."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from services.messaging.prefetch import MAX_AHEAD_BYTES, Prefetcher

PLACE = TopicPartition("t", 0)


class Source:
    """Gives the records of a partition one after the other; an exception among them is raised."""

    def __init__(self, *items: Any, value: bytes = b"") -> None:
        self.items = list(items)
        self.value = value

    async def poll(self, *_: Any, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        if not self.items:
            await asyncio.sleep(timeout_ms / 1000)
            return {}
        if isinstance(self.items[0], Exception):
            raise self.items.pop(0)
        sound = next((at for at, item in enumerate(self.items) if isinstance(item, Exception)), len(self.items))
        count = min(sound, max_records or sound)
        taken, self.items = self.items[:count], self.items[count:]
        rest = (0, 0, None, self.value, None, -1, len(self.value), ())
        return {PLACE: [ConsumerRecord(*PLACE, offset, *rest) for offset in taken]}


async def nothing(_: Any) -> None:
    """Prepares nothing."""


def offsets(found: Any) -> list[int]:
    return [record.offset for records in found.values() for record in records]


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():
            await asyncio.sleep(0)


async def test_the_queue_holds_two_batches() -> None:
    source = Source(*range(14))
    ahead = Prefetcher(source.poll, nothing, batch_records=4)
    assert offsets(await ahead.poll(timeout_ms=5000)) == [0, 1, 2, 3]
    await until(lambda: source.items == [12, 13])
    for _ in range(100):
        await asyncio.sleep(0)
    assert source.items == [12, 13], "the queue holds two batches"
    assert offsets(await ahead.poll(timeout_ms=5000)) == [4, 5, 6, 7]
    assert offsets(await ahead.poll(timeout_ms=5000)) == [8, 9, 10, 11]
    assert offsets(await ahead.poll(timeout_ms=5000)) == [12, 13]


async def test_the_queue_holds_no_more_large_records_than_its_bytes() -> None:
    source = Source(*range(60), value=bytes(MAX_AHEAD_BYTES // 10))
    source_poll = source.poll

    async def one_by_one(*_: Any, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        return await source_poll(timeout_ms=timeout_ms, max_records=min(1, max_records or 1))

    ahead = Prefetcher(one_by_one, nothing, batch_records=20)
    taken = offsets(await ahead.poll(timeout_ms=5000))
    while source.items:
        for _ in range(100):
            await asyncio.sleep(0)
        assert 60 - len(source.items) - len(taken) <= 10, "read and not taken"
        taken += offsets(await ahead.poll(timeout_ms=5000))
    while len(taken) < 60:
        taken += offsets(await ahead.poll(timeout_ms=5000))
    assert taken == list(range(60)), "each once, in order"
    await asyncio.sleep(0.01)  # until the reader has begun its next poll, and can be cancelled


async def test_a_batch_is_prepared_while_another_one_waits_to_be_handled() -> None:
    seen = list[list[int]]()

    async def prepare(records: Any) -> None:
        seen.append([record.offset for record in records])

    ahead = Prefetcher(Source(*range(9)).poll, prepare, batch_records=3)
    assert offsets(await ahead.poll(timeout_ms=5000)) == [0, 1, 2]
    await until(lambda: len(seen) == 3)
    assert seen == [[0, 1, 2], [3, 4, 5], [6, 7, 8]], "no batch is larger than what is handled at once"


async def test_records_during_preparation_are_read_together() -> None:
    ready, seen = asyncio.Event(), list[list[int]]()

    async def prepare(records: Any) -> None:
        seen.append([record.offset for record in records])
        if records[0].offset == 0:
            await ready.wait()

    source = Source(0)
    ahead = Prefetcher(source.poll, prepare, batch_records=10)
    assert offsets(await ahead.poll(timeout_ms=50)) == []
    for offset in (1, 2):
        source.items = [offset]
        await until(lambda: not source.items)
    assert offsets(await ahead.poll(timeout_ms=50)) == []
    assert seen == [[0]], "one portion at a time"
    ready.set()
    found: list[int] = []
    while len(found) < 3:
        found += offsets(await ahead.poll(timeout_ms=5000))
    assert (found, seen) == ([0, 1, 2], [[0], [1, 2]])


async def test_an_error_of_a_poll_comes_after_earlier_batches() -> None:
    ahead = Prefetcher(Source(0, OSError("gone")).poll, nothing, batch_records=1)
    assert offsets(await ahead.poll(timeout_ms=5000)) == [0]
    with pytest.raises(OSError, match="gone"):
        await ahead.poll(timeout_ms=5000)
    assert offsets(await ahead.poll(timeout_ms=10)) == []


async def test_a_preparation_that_fails_holds_nothing_up() -> None:
    async def fail(_: Any) -> None:
        raise ValueError("not to be prepared")

    assert offsets(await Prefetcher(Source(0).poll, fail, batch_records=1).poll(timeout_ms=5000)) == [0]


async def test_what_is_dropped_is_told_and_not_given() -> None:
    source = Source(0, 1, 2)
    ahead = Prefetcher(source.poll, nothing, batch_records=1)
    assert offsets(await ahead.poll(timeout_ms=5000)) == [0]
    await until(lambda: source.items == [2])
    assert [record.offset for record in ahead.discard()] == [1]
    assert offsets(await ahead.poll(timeout_ms=5000)) == [2]


async def test_what_waits_to_be_prepared_is_dropped_too() -> None:
    source = Source(0)
    ahead = Prefetcher(source.poll, lambda _: asyncio.Event().wait(), batch_records=10)  # type: ignore[arg-type]
    assert offsets(await ahead.poll(timeout_ms=50)) == []
    source.items = [1]
    await until(lambda: not source.items)
    assert [record.offset for record in ahead.discard()] == [0, 1]
