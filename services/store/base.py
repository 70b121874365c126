"""The database: engine, sessions, and the columns every table shares."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

Sessions = async_sessionmaker[AsyncSession]


def make_engine(url: str, *, pool: int = 5) -> AsyncEngine:
    """An engine on PostgreSQL (`postgresql+psycopg://...`) with at most `pool` connections kept."""
    return create_async_engine(url, pool_size=pool, max_overflow=5, pool_pre_ping=True)


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Sessions whose objects stay readable after a commit."""
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)


@asynccontextmanager
async def transaction(sessions: Sessions, *, isolation: str | None = None) -> AsyncIterator[AsyncSession]:
    """One transaction: committed at the end, rolled back on an error."""
    async with sessions() as session:
        if isolation:
            await session.connection(execution_options={"isolation_level": isolation})
        yield session
        await session.commit()


def now() -> datetime:
    """This moment, in UTC: for records of when something was done, never for judging plans."""
    return datetime.now(UTC)


def timestamp(*, nullable: bool = False, index: bool = False) -> Column[datetime]:
    """A column for a moment with its time zone."""
    return Column(DateTime(timezone=True), nullable=nullable, index=index)


def json_column(*, nullable: bool = False) -> Column[Any]:
    """A column for a JSON document."""
    return Column(JSONB, nullable=nullable)
