"""The database: engine, sessions, and the columns every table shares."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Column, ColumnElement, DateTime, Table, any_, bindparam, literal, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlmodel import SQLModel

# Rows carry the time of one clock. Modules that write rows import it from here.
from services.platform.clock import now as now
from services.platform.dependencies import Check
from services.store.pipelined_queries import PipelinedQuery, execute_pipelined

Sessions = async_sessionmaker[AsyncSession]

IDLE_IN_TRANSACTION_SECONDS = 60
"""PostgreSQL ends a transaction that sends no statement for this long while it holds locks. Our longest computation is
far shorter."""

CONNECT_SECONDS = 10
"""The connection timeout. Without it, a host that drops packets would block the process for two minutes."""

_GENERIC_PLANS = "-c plan_cache_mode=force_generic_plan"


def make_engine(url: str, *, pool: int = 5, plan_once: bool = False) -> AsyncEngine:
    """Create an engine for PostgreSQL (`postgresql+psycopg://...`) that keeps at most `pool` connections.

    `plan_once` suits processes that look rows up by key: PostgreSQL makes one generic plan per connection. Planning
    is a third of a short statement's cost.

    No pre-ping. The first broken connection discards the pool, and the caller retries its work.
    """
    told = make_url(url).query.get("options", ())
    options = " ".join([*([told] if isinstance(told, str) else told), *([_GENERIC_PLANS] if plan_once else [])])
    return create_async_engine(
        url,
        pool_size=pool,
        max_overflow=5,
        json_deserializer=from_json,
        hide_parameters=True,  # errors are logged, and parameters hold texts of plans and addresses
        connect_args={"connect_timeout": CONNECT_SECONDS} | ({"options": options} if options else {}),
    )


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Create sessions whose objects stay readable after a commit."""
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)


@asynccontextmanager
async def open_sessions(url: str, *, pool: int = 5) -> AsyncIterator[Sessions]:
    """Open a database for one piece of work, and close its connections at the end."""
    engine = make_engine(url, pool=pool)
    try:
        yield make_sessions(engine)
    finally:
        await engine.dispose()


@asynccontextmanager
async def transaction(
    sessions: Sessions, *first: PipelinedQuery[Any], isolation: str | None = None
) -> AsyncIterator[AsyncSession]:
    """Run one transaction: commit at the end, roll back on an error. The queries `first` share the round trip of BEGIN;
    their results are ready when the block starts."""
    async with sessions() as session:
        if first:
            # In autocommit mode the driver sends no BEGIN of its own, which would cost another round trip.
            await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
            await execute_pipelined(session, *first, begin=f"BEGIN ISOLATION LEVEL {isolation or 'READ COMMITTED'}")
        elif isolation:
            await session.connection(execution_options={"isolation_level": isolation})
        yield session
        await session.commit()


@asynccontextmanager
async def autocommit_session(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """Open a session for reads. Each statement sees the rows committed when it starts. Without a transaction around
    them, two round trips are saved."""
    async with sessions() as session:
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield session


async def limit_idle_in_transaction(session: AsyncSession) -> None:
    """Call before taking locks that others wait for. PostgreSQL then ends the transaction if this process stalls.

    Otherwise a stopped process (a frozen machine, a signal) would hold its locks until it resumes and block everybody
    who needs the same rows. After a stall the process finds its transaction gone and repeats the work.
    """
    await session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_SECONDS}s'"))


def in_array(column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """Return a condition: the column has one of these values. They are sent as one array, so the SQL text is the same
    for any number of values, and is compiled and planned once."""
    found: ColumnElement[bool] = column == any_(literal(list(values), ARRAY(column.type)))
    return found


def in_array_param(column: Any, name: str = "ids") -> ColumnElement[bool]:
    """Return the same condition for a statement that is built once. Pass the values at execution, as the array
    `name`."""
    found: ColumnElement[bool] = column == any_(bindparam(name, type_=ARRAY(column.type)))
    return found


def table_of(model: type[SQLModel]) -> Table:
    """The table of a model."""
    found: Table = model.__table__  # type: ignore[attr-defined]
    return found


def assign(row: object, columns: Mapping[str, Any]) -> None:
    """Set these columns of a row."""
    for name, value in columns.items():
        setattr(row, name, value)


def timestamp(*, nullable: bool = False) -> Column[datetime]:
    """Declare a timestamp column with a time zone."""
    return Column(DateTime(timezone=True), nullable=nullable)


def json_column(*, nullable: bool = False) -> Column[Any]:
    """Declare a column for a JSON document. A missing one is NULL, not JSON's own null: `IS NULL` finds it."""
    return Column(JSONB(none_as_null=nullable), nullable=nullable)


async def begin_snapshot(session: AsyncSession) -> None:
    """Make a new session's transaction read-only; all its reads see the same state of the database."""
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})


def database_responds(sessions: Sessions) -> Check:
    """Check that the database answers."""

    async def check() -> str | None:
        try:
            async with sessions() as session:
                await session.execute(text("SELECT 1"))
        except Exception as error:
            return f"the database does not answer ({type(error).__name__})"
        return None

    return check
