"""How a command works on the database: one engine, its tables checked first, all of it closed at the end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from services.platform import retry
from services.platform.settings import settings
from services.store import schema
from services.store.database import Sessions, make_engine, make_sessions

T = TypeVar("T")


def with_database(work: Callable[[Sessions], Awaitable[T]], *, limited: bool = True) -> T:
    """Runs `work` on the settings' database and returns its result. `limited`: each statement has the limit of the
    settings, and the work is done again where it lost a race; else one may read or change everything.

    Raises SettingsError where none is set, SchemaError where this version can't work with it, what the driver raises.
    """
    return on_database(settings().need_database(limited=limited), work, check=True, repeat=limited)


def on_database(url: str, work: Callable[[Sessions], Awaitable[T]], *, check: bool = False, repeat: bool = False) -> T:
    """The same on another database; its tables are checked and lost races repeated only where asked."""

    async def run() -> T:
        engine = make_engine(url)
        try:
            sessions = make_sessions(engine)
            if check:
                await schema.require(sessions)
            return await (retry.retry_lost_races(lambda: work(sessions)) if repeat else work(sessions))
        finally:
            await engine.dispose()

    return asyncio.run(run())


def with_snapshot(read: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Runs `read` in one snapshot in which nothing can be written."""

    async def work(sessions: Sessions) -> T:
        async with sessions() as session:
            await session.connection(
                execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            )
            return await read(session)

    return with_database(work)
