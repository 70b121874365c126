"""Polls that read ahead, on polls that the test makes up."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from services.messaging.prefetch import Ahead

PLACE = TopicPartition("t", 0)


class Source:
    """Gives the records of a partition one after the other; an exception among them is raised."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)

    async def poll(self, *_: Any, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        if not self.items:
            await asyncio.sleep(timeout_ms / 1000)
            return {}
        if isinstance(self.items[0], Exception):
            raise self.items.pop(0)
        taken, self.items = self.items[:max_records], self.items[max_records:]
        return {PLACE: [SimpleNamespace(topic="t", partition=0, offset=offset) for offset in taken]}


async def nothing(_: Any) -> None:
    """Prepares nothing."""


def offsets(found: Any) -> list[int]:
    return [record.offset for records in found.values() for record in records]


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():
            await asyncio.sleep(0)


async def test_no_more_is_held_than_is_taken_at_once() -> None:
    source = Source(*range(10))
    ahead = Ahead(source.poll, nothing, most=4)
    assert offsets(await ahead.getmany(timeout_ms=5000)) == [0, 1, 2, 3]
    await until(lambda: source.items == [8, 9])
    for _ in range(100):
        await asyncio.sleep(0)
    assert source.items == [8, 9], "four are held, which is all there is room for"
    assert offsets(await ahead.getmany(timeout_ms=5000)) == [4, 5, 6, 7]
    assert offsets(await ahead.getmany(timeout_ms=5000)) == [8, 9]


async def test_what_is_still_being_prepared_waits_and_what_comes_meanwhile_is_read_in_one_portion() -> None:
    ready, seen = asyncio.Event(), list[list[int]]()

    async def prepare(records: Any) -> None:
        seen.append([record.offset for record in records])
        if records[0].offset == 0:
            await ready.wait()

    source = Source(0)
    ahead = Ahead(source.poll, prepare, most=10)
    assert offsets(await ahead.getmany(timeout_ms=50)) == []
    for offset in (1, 2):
        source.items = [offset]
        await until(lambda: not source.items)
    assert offsets(await ahead.getmany(timeout_ms=50)) == []
    assert seen == [[0]], "one portion at a time"
    ready.set()
    found: list[int] = []
    while len(found) < 3:
        found += offsets(await ahead.getmany(timeout_ms=5000))
    assert (found, seen) == ([0, 1, 2], [[0], [1, 2]])


async def test_what_a_poll_raises_is_told_once_and_after_what_came_before_it() -> None:
    ahead = Ahead(Source(0, OSError("gone")).poll, nothing, most=1)
    assert offsets(await ahead.getmany(timeout_ms=5000)) == [0]
    with pytest.raises(OSError, match="gone"):
        await ahead.getmany(timeout_ms=5000)
    assert offsets(await ahead.getmany(timeout_ms=10)) == []


async def test_a_preparation_that_fails_holds_nothing_up() -> None:
    async def fail(_: Any) -> None:
        raise ValueError("not to be prepared")

    assert offsets(await Ahead(Source(0).poll, fail, most=1).getmany(timeout_ms=5000)) == [0]


async def test_what_is_dropped_is_told_and_not_given() -> None:
    source = Source(0, 1, 2)
    ahead = Ahead(source.poll, nothing, most=1)
    assert offsets(await ahead.getmany(timeout_ms=5000)) == [0]
    await until(lambda: source.items == [2])
    assert [record.offset for record in ahead.drop()] == [1]
    assert offsets(await ahead.getmany(timeout_ms=5000)) == [2]


async def test_what_waits_to_be_prepared_is_dropped_too() -> None:
    source = Source(0)
    ahead = Ahead(source.poll, lambda _: asyncio.Event().wait(), most=10)  # type: ignore[arg-type]
    assert offsets(await ahead.getmany(timeout_ms=50)) == []
    source.items = [1]
    await until(lambda: not source.items)
    assert [record.offset for record in ahead.drop()] == [0, 1]
