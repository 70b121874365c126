"""Statements that need nothing of each other's answers, sent one behind the other: one round trip for all of them.

They go to the driver itself. Through a session each takes a round trip, and more of the processor than the database
takes for most of them. What the driver can't convert by itself (vectors) is read through a session.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.generators import send
from sqlalchemy import ClauseElement, text
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Rows = Sequence[tuple[Any, ...]]

_DIALECT: Final = dialect()  # type: ignore[no-untyped-call]


class Query(Generic[T_co]):
    """A statement with what it is given; `read` makes the answer of its rows, once it was asked."""

    __slots__ = ("_answer", "_read", "given", "statement")

    def __init__(self, statement: ClauseElement, given: Mapping[str, Any], read: Callable[[Rows], T_co]) -> None:
        self.statement = statement
        self.given = given
        self._read = read
        self._answer: list[T_co] = []

    @property
    def result(self) -> T_co:
        """What it was answered. Raises LookupError where it was not asked."""
        if not self._answer:
            raise LookupError(f"not asked yet: {self.statement}")
        return self._answer[0]

    def set_rows(self, rows: Rows) -> None:
        """Takes the rows that came."""
        self._answer = [self._read(rows)]


async def execute_pipelined(session: AsyncSession, *queries: Query[Any], begin: str = "", commit: bool = False) -> None:
    """Asks all in one round trip, in their order; `begin` and `commit` go along with the first and the last.

    Each sees what those before it wrote. Raises what the driver raises, for the first that failed; none behind it is
    run. Where the connection broke it is as after any statement of the session: none of the pool is used again.
    """
    if not (queries or commit):
        return
    connection = (await (await session.connection()).get_raw_connection()).driver_connection
    assert connection is not None
    try:
        async with _together(connection) if len(queries) > 1 or begin or commit else nullcontext():
            if begin:
                await connection.execute(begin, prepare=False)
            cursors = [await connection.execute(*_sent(query)) for query in queries]
            if commit:
                await connection.execute("COMMIT", prepare=False)
        for query, cursor in zip(queries, cursors, strict=True):
            query.set_rows(await cursor.fetchall() if cursor.rownumber is not None else ())
    except psycopg.Error:
        if connection.closed:
            # Has the session find it out: it throws away what else is in the pool, and raises.
            await session.execute(text("SELECT 1"))
        raise


@asynccontextmanager
async def _together(connection: psycopg.AsyncConnection) -> AsyncIterator[None]:
    async with connection.pipeline() as pipeline:
        pipeline._exit_gen = lambda: _end(pipeline)  # type: ignore[method-assign]
        yield


def _end(pipeline: psycopg.AsyncPipeline) -> PQGen[None]:
    """As the driver's own end, which asks for a flush behind the last Sync besides: with that PostgreSQL (16 and 18) no
    longer watches whether we fall silent in a transaction, and locks of a stopped process would be held for ever."""
    pipeline._enqueue_sync()
    try:
        yield from pipeline._communicate_gen()
    except psycopg.Error:
        # PostgreSQL reported the error before all was sent. No connection leaves a pipeline with answers unread.
        with suppress(psycopg.Error):
            yield from _rest(pipeline)
        raise
    yield from _rest(pipeline)


def _rest(pipeline: psycopg.AsyncPipeline) -> PQGen[None]:
    """Sends what did not fit the socket's buffer, then reads the answers still to come.

    The driver's flush request did that, too. Without `send` both sides wait for each other for ever.
    """
    yield from send(pipeline.pgconn)
    yield from pipeline._fetch_gen(flush=False)


async def fetch(session: AsyncSession, query: Query[T]) -> T:
    """Asks one alone."""
    await execute_pipelined(session, query)
    return query.result


def _sent(query: Query[Any]) -> tuple[bytes, Mapping[str, Any]]:
    statement, fixed = _compiled(query.statement)
    return statement, {**fixed, **query.given}


@lru_cache(maxsize=1000)
def _compiled(statement: ClauseElement) -> tuple[bytes, Mapping[str, Any]]:
    """As the driver takes it, and the values that are part of it."""
    compiled = statement.compile(dialect=_DIALECT)
    return str(compiled).encode(), compiled.params
