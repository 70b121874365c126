"""What a connection's time limits do, on a real server: for statements, and for a machine that says nothing more."""

import asyncio
import os
import signal
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.platform import retry
from services.platform.settings import Settings
from services.store.database import autocommit_session, make_engine, make_sessions
from services.store.pipelined_queries import PipelinedQuery, fetch


def url(database_url: str, *, limited: bool = True, query: str = "", **seconds: int) -> str:
    plain = database_url.replace("postgresql+psycopg://", "postgresql://") + query
    return Settings.model_validate({"database_url": plain, **seconds}).need_database(limited=limited)


async def shown(address: str, name: str) -> str:
    engine = make_engine(address, plan_once=True)
    try:
        async with engine.connect() as connection:
            return str((await connection.execute(text(f"SHOW {name}"))).scalar_one())
    finally:
        await engine.dispose()


@pytest.mark.parametrize(
    ("query", "limited", "limit"),
    [
        ("", True, "2min"),
        ("", False, "0"),
        ("?options=-c%20statement_timeout%3D7s", True, "7s"),
        ("?application_name=a%20b", True, "2min"),
    ],
)
async def test_statements_have_a_time_limit(database_url: str, query: str, limited: bool, limit: str) -> None:
    address = url(database_url, query=query, limited=limited)
    assert await shown(address, "statement_timeout") == limit
    assert await shown(address, "plan_cache_mode") == "force_generic_plan"
    assert await shown(address, "application_name") == ("a b" if "application" in query else "")


async def test_a_statement_over_its_limit_is_a_fault_that_passes(database_url: str) -> None:
    engine = make_engine(url(database_url, database_statement_seconds=1))
    started = time.monotonic()
    try:
        with pytest.raises(DBAPIError, match="statement timeout") as failed:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(60)"))
    finally:
        await engine.dispose()
    assert time.monotonic() - started < 30
    assert retry.is_transient(failed.value)


async def test_a_server_that_takes_nothing_more_counts_as_away(database: AsyncEngine, database_url: str) -> None:
    """The backend is stopped while 50 MB are sent to it: its socket's buffer is full, and nobody says so."""
    engine = make_engine(url(database_url, database_silence_seconds=1))
    large = PipelinedQuery(text("SELECT length(:sent)"), {"sent": "x" * 50 * 1024 * 1024}, len)
    started = time.monotonic()
    async with autocommit_session(make_sessions(engine)) as session:
        pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(DBAPIError) as failed:
                async with asyncio.timeout(60):
                    await fetch(session, large)
        finally:
            os.kill(pid, signal.SIGCONT)
    await engine.dispose()
    assert time.monotonic() - started < 60
    assert retry.is_transient(failed.value)


async def test_an_error_says_nothing_of_the_parameters(database_url: str) -> None:
    """Logs of a record that failed would otherwise hold the texts of a plan."""
    engine = make_engine(url(database_url))
    try:
        with pytest.raises(DBAPIError) as failed:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1 / length(:title) FROM nowhere"), {"title": "Quixotrix payroll"})
    finally:
        await engine.dispose()
    assert "nowhere" in str(failed.value)
    assert "Quixotrix" not in str(failed.value)
