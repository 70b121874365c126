"""Statements that lock several rows take them in one order: two processes never wait for each other in a circle.

The rows lie in the table in another order than their ids, and somebody holds the middle one: each of the two has
locked what it could before the other goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from services.application.digests import flush_all
from services.platform import metrics
from services.store import digests, intents, outbox
from services.store.database import Sessions, make_engine, make_sessions, now, transaction
from tests.support.intents import IDS, LEEDS, put_intents

WAITING: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

Work = Callable[[AsyncSession], Awaitable[Any]]


async def put_messages(sessions: Sessions, published: bool) -> None:
    statement = text(
        "INSERT INTO outbox (id, topic, key, shard, event_id, headers, value, created_at, published_at)"
        " OVERRIDING SYSTEM VALUE VALUES (:id, 't', :key, 0, 'e', '[]', '', :at, :published)"
    )
    async with transaction(sessions) as session:
        for number in IDS:
            at = now() - timedelta(days=30)
            given = {"id": number, "key": f"k{number}", "at": at, "published": at if published else None}
            await session.execute(statement, given)


async def until_waiting(sessions: Sessions, number: int) -> None:
    async with asyncio.timeout(30):
        while True:
            async with transaction(sessions) as session:
                if (await session.execute(WAITING)).scalar_one() == number:
                    return
            await asyncio.sleep(0.02)


async def meet(sessions: Sessions, table: str, one: Work, other: Work) -> None:
    """Has both lock what they can while somebody holds the middle row; then lets them go on."""

    async def work(what: Work) -> None:
        async with transaction(sessions) as session:
            await session.execute(text("SET LOCAL enable_indexscan = off"))
            await session.execute(text("SET LOCAL enable_bitmapscan = off"))
            await what(session)

    async with transaction(sessions) as holder:
        await holder.execute(text(f"SELECT 1 FROM {table} WHERE id = 2 FOR UPDATE"))
        going = [asyncio.create_task(work(one))]
        await until_waiting(sessions, 1)
        going.append(asyncio.create_task(work(other)))
        await until_waiting(sessions, 2)
    async with asyncio.timeout(30):
        # Both to their end: one that fails must not leave the other with a connection that nobody closes.
        await asyncio.wait(going)
    for task in going:
        task.result()


async def a_notifier_reads(session: AsyncSession) -> None:
    await intents.locked_of(session, ["o1", "o2", "o3"])


async def digests_are_flushed(session: AsyncSession) -> None:
    await digests.flush_digests(session, now())


async def failed_ones_are_tried_again(session: AsyncSession) -> None:
    await intents.requeue_failed(session, LEEDS, now())


async def messages_are_said_again(session: AsyncSession) -> None:
    await outbox.requeue_latest(session, [("t", f"k{number}") for number in IDS])


async def a_relay_marks(session: AsyncSession) -> None:
    await outbox.mark_published(session, [1, 2, 3])


@pytest.mark.parametrize(("one", "state"), [(digests_are_flushed, "pending"), (failed_ones_are_tried_again, "failed")])
@pytest.mark.parametrize("first", [True, False])
async def test_of_intents(sessions: Sessions, one: Work, state: str, first: bool) -> None:
    await put_intents(sessions, state)
    both = (one, a_notifier_reads) if first else (a_notifier_reads, one)
    await meet(sessions, "notification_intents", *both)


@pytest.mark.parametrize("first", [True, False])
async def test_of_messages_that_are_marked_and_said_again(sessions: Sessions, first: bool) -> None:
    await put_messages(sessions, published=True)
    both = (a_relay_marks, messages_are_said_again) if first else (messages_are_said_again, a_relay_marks)
    await meet(sessions, "outbox", *both)


async def test_messages_that_somebody_holds_are_pruned_later(sessions: Sessions) -> None:
    await put_messages(sessions, published=True)
    async with transaction(sessions) as holder:
        await holder.execute(text("SELECT 1 FROM outbox WHERE id = 2 FOR UPDATE"))
        async with asyncio.timeout(30), transaction(sessions) as session:
            await outbox.prune(session, now())
    async with transaction(sessions) as session:
        assert (await session.execute(text("SELECT array_agg(id) FROM outbox"))).scalar_one() == [2]


async def test_messages_are_pruned_in_parts_the_oldest_first(sessions: Sessions) -> None:
    await put_messages(sessions, published=True)
    async with transaction(sessions) as session:
        last = (await session.execute(text("SELECT max(id) FROM outbox"))).scalar_one()
        assert await outbox.prune(session, now(), limit=last - 1) == last - 1
        assert (await session.execute(text("SELECT array_agg(id) FROM outbox"))).scalar_one() == [last]
        assert await outbox.prune(session, now(), limit=last - 1) == 1


async def test_a_command_that_loses_a_deadlock_does_its_work_again(sessions: Sessions, database_url: str) -> None:
    """Against somebody who locks in another order all the same: an older version, a person at a prompt. PostgreSQL ends
    the one that looks for a deadlock first, and the command is impatient."""
    await put_intents(sessions)
    impatient = make_engine(f"{database_url}?options=-c%20deadlock_timeout%3D20ms")
    held = "SELECT 1 FROM notification_intents WHERE id = {} FOR UPDATE"

    async def in_another_order() -> None:
        async with transaction(sessions) as session:
            for number in (3, 1):
                await session.execute(text(held.format(number)))

    try:
        async with transaction(sessions) as holder:
            await holder.execute(text(held.format(2)))
            flushed = asyncio.create_task(flush_all(make_sessions(impatient)))
            await until_waiting(sessions, 1)
            other = asyncio.create_task(in_another_order())
            await until_waiting(sessions, 2)
        async with asyncio.timeout(30):
            await other
            assert await flushed == len(IDS)
    finally:
        await impatient.dispose()
    assert metrics.TRANSIENT_ERRORS.labels(kind="OperationalError")._value.get() > 0, "it was the one that lost"


async def test_the_test_would_see_a_deadlock(sessions: Sessions) -> None:
    await put_intents(sessions)

    async def in_no_order(session: AsyncSession) -> None:
        await session.execute(text("UPDATE notification_intents SET due_at = now() WHERE state = 'pending'"))

    with pytest.raises(OperationalError) as failed:
        await meet(sessions, "notification_intents", in_no_order, a_notifier_reads)
    assert isinstance(failed.value.orig, psycopg.errors.DeadlockDetected)
