"""Statements that go together, on a real database: what they see of each other, and what a fault leaves behind."""

import asyncio
import time
from itertools import count as count_from
from typing import Any

import psycopg
import psycopg.waiting
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.platform import retry
from services.store.database import Sessions, autocommit_session, make_sessions, transaction
from services.store.pipelined_queries import PipelinedQuery, Rows, execute_pipelined, fetch


@pytest.fixture
async def sessions(database: AsyncEngine) -> Sessions:
    made = make_sessions(database)
    async with transaction(made) as session:
        await session.execute(text("CREATE TABLE numbers (n int PRIMARY KEY)"))
    return made


def first(rows: Rows) -> int:
    found: int = rows[0][0]
    return found


def adding(number: int) -> PipelinedQuery[int]:
    return PipelinedQuery(text("INSERT INTO numbers VALUES (:number)"), {"number": number}, len)


def counted() -> PipelinedQuery[int]:
    return PipelinedQuery(text("SELECT count(*) FROM numbers"), {}, first)


def running(statement: str) -> PipelinedQuery[int]:
    return PipelinedQuery(text(statement), {}, len)


async def count(sessions: Sessions) -> int:
    async with autocommit_session(sessions) as session:
        return await fetch(session, counted())


async def test_each_query_sees_what_those_before_it_wrote(sessions: Sessions) -> None:
    before, after = counted(), counted()
    async with transaction(sessions, before, adding(1)) as session:
        assert before.result == 0
        await execute_pipelined(session, adding(2), after)
        assert (after.result, await count(sessions)) == (2, 0), "not committed yet"
        await execute_pipelined(session, adding(3), commit=True)
        assert await count(sessions) == 3


async def test_one_transaction_from_its_first_query_on(sessions: Sessions) -> None:
    async def given_up() -> None:
        async with transaction(sessions, adding(1)) as session:
            await session.execute(text("INSERT INTO numbers VALUES (2)"))
            raise ValueError("by us")

    with pytest.raises(ValueError, match="by us"):
        await given_up()
    assert await count(sessions) == 0
    before, after = counted(), counted()
    async with transaction(sessions, before, isolation="REPEATABLE READ") as session:
        async with transaction(sessions) as other:
            await other.execute(text("INSERT INTO numbers VALUES (3)"))
        await execute_pipelined(session, after)
    assert (before.result, after.result) == (0, 0), "one snapshot"
    assert await count(sessions) == 1


async def test_the_first_that_fails_is_told_and_nothing_stays(sessions: Sessions) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero) as failed:
        async with transaction(sessions, adding(1)) as session:
            await execute_pipelined(session, adding(2), running("SELECT 1 / 0"), adding(3), commit=True)
    assert not retry.is_transient(failed.value), "it would fail again"
    assert await count(sessions) == 0


@pytest.mark.parametrize("when", range(12))
@pytest.mark.parametrize(("behind", "commit"), [(0, False), (0, True), (1, True), (2, True)])
async def test_a_failure_told_before_all_was_sent_leaves_nothing_behind(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch, behind: int, commit: bool, when: int
) -> None:
    async def fail() -> None:
        async with transaction(sessions) as session:
            failing = running("SELECT 1 / 0")
            await execute_pipelined(session, adding(0), failing, *map(adding, range(1, behind + 1)), commit=commit)

    look, looks = psycopg.waiting._ready, count_from()

    def later(*given: Any) -> int:
        time.sleep(0.02 * (next(looks) == when))  # the server answers meanwhile
        return look(*given)

    monkeypatch.setattr("psycopg.waiting._ready", later)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await fail()
    assert await count(sessions) == 0


LARGE = 50 * 1024 * 1024
"""Bytes: far more than the buffers of both sockets hold."""


def measuring(size: int) -> PipelinedQuery[int]:
    return PipelinedQuery(text("SELECT length(:sent)"), {"sent": "x" * size}, first)


def producing(size: int) -> PipelinedQuery[int]:
    return PipelinedQuery(text("SELECT repeat('x', :size)"), {"size": size}, lambda rows: len(rows[0][0]))


@pytest.mark.parametrize("commit", [False, True])
@pytest.mark.parametrize(
    ("sent", "received"), [([LARGE], []), ([], [LARGE]), ([LARGE], [LARGE]), ([LARGE // 10] * 10, [LARGE // 10] * 10)]
)
async def test_50_mb_go_either_way(sessions: Sessions, sent: list[int], received: list[int], commit: bool) -> None:
    there, back = list(map(measuring, sent)), list(map(producing, received))
    async with asyncio.timeout(30), transaction(sessions, counted()) as session:
        await execute_pipelined(session, adding(1), *back, *there, adding(2), commit=commit)
        assert [query.result for query in (*there, *back)] == [*sent, *received]
    assert await count(sessions) == 2


@pytest.mark.parametrize("commit", [False, True])
async def test_a_failure_before_50_mb_were_sent_leaves_nothing_behind(sessions: Sessions, commit: bool) -> None:
    async def fail() -> None:
        async with asyncio.timeout(30), transaction(sessions) as session:
            await execute_pipelined(
                session, adding(1), running("SELECT 1 / 0"), measuring(LARGE), measuring(LARGE), commit=commit
            )

    with pytest.raises(psycopg.errors.DivisionByZero):
        await fail()
    assert await count(sessions) == 0


async def test_a_lost_race_is_a_fault_that_passes(sessions: Sessions) -> None:
    async with transaction(sessions) as holder:
        await holder.execute(text("LOCK TABLE numbers"))
        with pytest.raises(psycopg.Error) as failed:
            async with transaction(sessions, running("SET LOCAL lock_timeout = 50"), adding(1)):
                raise AssertionError("it has no lock")
    assert retry.is_transient(failed.value)
    assert await count(sessions) == 0


async def test_a_broken_connection_empties_the_pool(sessions: Sessions, database: AsyncEngine) -> None:
    async with database.connect() as one, database.connect() as two:
        for connection in (one, two):
            await connection.execute(text("SELECT 1"))
    ended = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND pid <> :own")
    async with database.connect() as connection:
        own = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        name = (await connection.execute(text("SELECT current_database()"))).scalar_one()
        await connection.execute(ended, {"name": name, "own": own})
        with pytest.raises(DBAPIError) as failed:
            await count(sessions)
    assert retry.is_transient(failed.value)
    assert failed.value.connection_invalidated
    assert await count(sessions) == 0


async def test_who_is_cancelled_while_waiting_leaves_nothing_behind(sessions: Sessions) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def until(number: int) -> None:
        async with asyncio.timeout(30), autocommit_session(sessions) as session:
            while (await session.execute(waiting)).scalar_one() != number:
                await asyncio.sleep(0.01)

    async def add() -> None:
        async with transaction(sessions, counted()) as session:
            await execute_pipelined(session, running("SELECT 1"), adding(1), adding(2), commit=True)

    async with transaction(sessions) as holder:
        await holder.execute(text("LOCK TABLE numbers IN EXCLUSIVE MODE"))
        adds = asyncio.create_task(add())
        await until(1)
        adds.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adds
        await until(0)
    assert await count(sessions) == 0
    await add()
    assert await count(sessions) == 2


async def test_who_falls_silent_in_a_transaction_loses_it(sessions: Sessions) -> None:
    silent = running("SELECT set_config('idle_in_transaction_session_timeout', '200ms', true)")
    holding = text("SELECT count(*) FROM pg_locks WHERE relation = 'numbers'::regclass")

    async def fall_silent() -> None:
        async with transaction(sessions, silent, running("LOCK TABLE numbers")) as session:
            async with asyncio.timeout(30), autocommit_session(sessions) as other:
                while (await other.execute(holding)).scalar_one():
                    await asyncio.sleep(0.05)
            await execute_pipelined(session, adding(1), commit=True)

    with pytest.raises(DBAPIError) as failed:
        await fall_silent()
    assert retry.is_transient(failed.value)
    assert await count(sessions) == 0


async def test_values_that_are_part_of_a_statement_go_along(sessions: Sessions) -> None:
    said = list[str]()
    async with transaction(sessions) as session:
        event.listen(session.bind.sync_engine, "before_cursor_execute", lambda *given: said.append(given[2]))  # type: ignore[union-attr]
        assert await fetch(session, PipelinedQuery(text("SELECT 100 % :n"), {"n": 7}, first)) == 2
    assert said == [], "not through the session"


def test_what_was_not_asked_has_no_answer() -> None:
    with pytest.raises(LookupError, match="not asked yet: SELECT count"):
        counted().result  # noqa: B018 (it raises)
