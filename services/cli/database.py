"""Database access for commands: one engine, tables checked first, everything closed at the end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from services.application.known_authorities import require_known
from services.platform import retry
from services.platform.settings import settings
from services.store import schema
from services.store.database import Sessions, begin_snapshot, open_sessions

T = TypeVar("T")


def with_database(work: Callable[[Sessions], Awaitable[T]], *, limited: bool = True) -> T:
    """Run `work` on the settings' database and return its result. With `limited`, statements have the settings' time
    limit, and lost races are retried; without it, `work` may read or change everything.

    Raises SettingsError if no database is set, SchemaError if this version can't work with it, and the driver's errors.
    """
    return on_database(settings().need_database(limited=limited), work, check=True, repeat=limited)


def on_database(url: str, work: Callable[[Sessions], Awaitable[T]], *, check: bool = False, repeat: bool = False) -> T:
    """Run `work` on another database. Its tables are checked, and lost races retried, only on request."""

    async def run() -> T:
        async with open_sessions(url) as sessions:
            if check:
                await schema.require(sessions)
            return await (retry.retry_lost_races(lambda: work(sessions)) if repeat else work(sessions))

    return asyncio.run(run())


def with_snapshot(read: Callable[[AsyncSession], Awaitable[T]], *, authority: str | None = None) -> T:
    """Run `read` in one read-only snapshot. Raises UnknownAuthorityError if nobody knows the authority asked about."""

    async def work(sessions: Sessions) -> T:
        async with sessions() as session:
            await begin_snapshot(session)
            await require_known(session, authority)
            return await read(session)

    return with_database(work)
