"""Pipelined queries: independent statements share one round trip.

They go to the driver directly. Through a session, each statement costs a round trip, and for most of them more
processor time than PostgreSQL needs. Types that the driver can't convert itself (vectors) are read through a session.
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


class PipelinedQuery(Generic[T_co]):
    """A statement with its parameters; `read` converts the rows into the result."""

    __slots__ = ("_answer", "_read", "given", "statement")

    def __init__(self, statement: ClauseElement, given: Mapping[str, Any], read: Callable[[Rows], T_co]) -> None:
        self.statement = statement
        self.given = given
        self._read = read
        self._answer: list[T_co] = []

    @property
    def result(self) -> T_co:
        """The result. Raises LookupError before the query has been executed."""
        if not self._answer:
            raise LookupError(f"not asked yet: {self.statement}")
        return self._answer[0]

    def set_rows(self, rows: Rows) -> None:
        """Store the rows received."""
        self._answer = [self._read(rows)]


async def execute_pipelined(
    session: AsyncSession, *queries: PipelinedQuery[Any], begin: str = "", commit: bool = False
) -> None:
    """Execute all queries in one round trip, in order. `begin` and `commit` join the same round trip.

    Each query sees the writes of those before it. Raises the driver's error of the first that fails; PostgreSQL skips
    the rest. A broken connection discards the pool, as with any statement of the session.
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
            # Let the session notice the broken connection: it discards the pool, and raises.
            await session.execute(text("SELECT 1"))
        raise


@asynccontextmanager
async def _together(connection: psycopg.AsyncConnection) -> AsyncIterator[None]:
    async with connection.pipeline() as pipeline:
        pipeline._exit_gen = lambda: _end(pipeline)  # type: ignore[method-assign]
        yield


def _end(pipeline: psycopg.AsyncPipeline) -> PQGen[None]:
    """End the pipeline like the driver does, without its flush request after the last Sync. With that request
    PostgreSQL (16 and 18) stops enforcing the idle-in-transaction timeout, and a stopped process would hold its locks
    forever."""
    pipeline._enqueue_sync()
    try:
        yield from pipeline._communicate_gen()
    except psycopg.Error:
        # PostgreSQL reported the error before the driver had sent everything. Read all results before leaving the
        # pipeline.
        with suppress(psycopg.Error):
            yield from _rest(pipeline)
        raise
    yield from _rest(pipeline)


def _rest(pipeline: psycopg.AsyncPipeline) -> PQGen[None]:
    """Send the data that did not fit the socket's buffer, then read the remaining results.

    The driver's flush request did that, too. Without `send`, client and server would wait for each other forever.
    """
    yield from send(pipeline.pgconn)
    yield from pipeline._fetch_gen(flush=False)


async def fetch(session: AsyncSession, query: PipelinedQuery[T]) -> T:
    """Execute one query alone."""
    await execute_pipelined(session, query)
    return query.result


def _sent(query: PipelinedQuery[Any]) -> tuple[bytes, Mapping[str, Any]]:
    statement, fixed = _compiled(query.statement)
    return statement, {**fixed, **query.given}


@lru_cache(maxsize=1000)
def _compiled(statement: ClauseElement) -> tuple[bytes, Mapping[str, Any]]:
    """Compile a statement into the driver's SQL and its bound values."""
    compiled = statement.compile(dialect=_DIALECT)
    return str(compiled).encode(), compiled.params
