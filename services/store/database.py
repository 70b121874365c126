"""The database: engine, sessions, and the columns every table shares."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Column, ColumnElement, DateTime, Table, any_, bindparam, literal, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlmodel import SQLModel

from services.platform.dependencies import Check
from services.store.pipelined_queries import Query, execute_pipelined

Sessions = async_sessionmaker[AsyncSession]

IDLE_IN_TRANSACTION_SECONDS = 60
"""How long a process may say nothing to the database while it holds locks: far longer than any of ours computes."""

CONNECT_SECONDS = 10
"""How long a connection may take to come about: a host that drops packets would be waited for two minutes."""

_GENERIC_PLANS = "-c plan_cache_mode=force_generic_plan"


def make_engine(url: str, *, pool: int = 5, plan_once: bool = False) -> AsyncEngine:
    """An engine on PostgreSQL (`postgresql+psycopg://...`) with at most `pool` connections kept.

    `plan_once`: for a process whose statements look up by keys, so that their plans depend on no values: they are
    planned once a connection, which is a third of what short ones cost the database.

    A connection is not tried before it is used: where the server went away, the first one to notice has all others
    thrown away too, and does its work again, as after any fault that passes.
    """
    told = make_url(url).query.get("options", ())
    options = " ".join([*([told] if isinstance(told, str) else told), *([_GENERIC_PLANS] if plan_once else [])])
    return create_async_engine(
        url,
        pool_size=pool,
        max_overflow=5,
        json_deserializer=from_json,
        connect_args={"connect_timeout": CONNECT_SECONDS} | ({"options": options} if options else {}),
    )


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Sessions whose objects stay readable after a commit."""
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)


@asynccontextmanager
async def transaction(
    sessions: Sessions, *first: Query[Any], isolation: str | None = None
) -> AsyncIterator[AsyncSession]:
    """One transaction: committed at the end, rolled back on an error. What is to be asked `first` goes along with its
    BEGIN, in one round trip, and is answered when the block begins."""
    async with sessions() as session:
        if first:
            # The driver's own BEGIN would be waited for; with what it takes for autocommit it leaves that to us.
            await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
            await execute_pipelined(session, *first, begin=f"BEGIN ISOLATION LEVEL {isolation or 'READ COMMITTED'}")
        elif isolation:
            await session.connection(execution_options={"isolation_level": isolation})
        yield session
        await session.commit()


@asynccontextmanager
async def autocommit_session(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """For statements that only read, each of them what is committed when it begins: without a transaction around them,
    two round trips less."""
    async with sessions() as session:
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield session


async def limit_idle_in_transaction(session: AsyncSession) -> None:
    """Call before taking locks that others wait for: a process that falls silent in this transaction loses them.

    One that was stopped (a frozen machine, a signal) would otherwise hold them until it is woken, and everybody who
    needs the same rows would wait with it. It finds its transaction gone, and does it again.
    """
    await session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_SECONDS}s'"))


def in_array(column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """That a column has one of these values. They go as one array: the statement reads the same however many there are,
    so it is compiled and planned once."""
    found: ColumnElement[bool] = column == any_(literal(list(values), ARRAY(column.type)))
    return found


def in_array_param(column: Any, name: str = "ids") -> ColumnElement[bool]:
    """The same for a statement that is built once, where building it each time would cost more than running it: the
    values are given with it, as the array `name`."""
    found: ColumnElement[bool] = column == any_(bindparam(name, type_=ARRAY(column.type)))
    return found


def table_of(model: type[SQLModel]) -> Table:
    """The table of a model."""
    found: Table = model.__table__  # type: ignore[attr-defined]
    return found


def now() -> datetime:
    """This moment, in UTC: for records of when something was done, never for judging plans."""
    return datetime.now(UTC)


def timestamp(*, nullable: bool = False, index: bool = False) -> Column[datetime]:
    """A column for a moment with its time zone."""
    return Column(DateTime(timezone=True), nullable=nullable, index=index)


def json_column(*, nullable: bool = False) -> Column[Any]:
    """A column for a JSON document."""
    return Column(JSONB, nullable=nullable)


def database_responds(sessions: Sessions) -> Check:
    """The database answers."""

    async def check() -> str | None:
        try:
            async with sessions() as session:
                await session.execute(text("SELECT 1"))
        except Exception as error:
            return f"the database does not answer ({type(error).__name__})"
        return None

    return check
