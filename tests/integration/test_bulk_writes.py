"""Changes to different tables in one round trip."""

import asyncio
from typing import Any

import numpy as np
import pytest
from psycopg import AsyncCursor
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from events.cloudevents import Message
from services.store import embeddings, outbox
from services.store.bulk_writes import BulkWrites, bulk_writes
from services.store.database import make_sessions, transaction


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said to the database."""
    statements = list[str]()
    execute = AsyncCursor.execute

    async def noted(cursor: AsyncCursor, statement: Any, *args: Any, **kwargs: Any) -> Any:
        statements.append(str(statement))
        return await execute(cursor, statement, *args, **kwargs)

    monkeypatch.setattr(AsyncCursor, "execute", noted)
    return statements


async def test_one_statement_changes_several_tables(database: AsyncEngine, said: list[str]) -> None:
    sessions = make_sessions(database)
    vector = np.array([0.1, -1 / 3, 1e-8], dtype=np.float32)
    row = outbox.to_columns("topic", "1", Message(key=b"k", headers=(), value=b"\x00\xff"))
    async with sessions() as listening:
        await outbox.listen(listening)
        await listening.commit()
        said.clear()
        async with transaction(sessions) as session, bulk_writes(session) as writes:
            outbox.append(writes, [row])
            embeddings.put(writes, {"hash": vector}, "model")
        assert len(said) == 1, said
        connection = await (await listening.connection()).get_raw_connection()
        assert connection.driver_connection is not None
        heard = [note async for note in connection.driver_connection.notifies(timeout=30, stop_after=1)]
    assert len(heard) == 1
    async with transaction(sessions) as session:
        assert (await session.execute(text("SELECT value FROM outbox"))).scalar_one() == b"\x00\xff"
        found = (await embeddings.vectors_of(session, ["hash"], "model"))["hash"]
    assert np.array_equal(found, vector), "to the last bit"


async def test_50_mb_of_rows_go_in_one_statement(database: AsyncEngine) -> None:
    sessions = make_sessions(database)
    large = Message(key=b"k", headers=(), value=b"\x00\xff" * 512 * 1024)
    async with asyncio.timeout(60), transaction(sessions) as session, bulk_writes(session) as writes:
        outbox.append(writes, [outbox.to_columns("topic", str(number), large) for number in range(50)])
    async with transaction(sessions) as session:
        stored = await session.execute(text("SELECT count(*), sum(length(value)), min(value) = max(value) FROM outbox"))
        assert stored.one() == (50, 50 * 1024 * 1024, True)


async def test_nothing_to_change_says_nothing(database: AsyncEngine, said: list[str]) -> None:
    async with transaction(make_sessions(database)) as session, bulk_writes(session) as writes:
        outbox.append(writes, [])
    assert said == []


def test_two_parameters_of_one_name_are_refused() -> None:
    writes = BulkWrites()
    writes.add("DELETE FROM a WHERE x = :x", x=1)
    with pytest.raises(ValueError, match="name a parameter x"):
        writes.add("DELETE FROM b WHERE x = :x", x=2)
