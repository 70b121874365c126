"""The advisory locks of the database, all in one place: no number stands for two things."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MIGRATE: Final = 7400
RELAY: Final = 7401
"""A class of locks: one for each slice of the outbox."""
SWEEP: Final = 7402
REBUILD: Final = 7403
PURGE: Final = 7405
COALITION_NOTICES: Final = 7407
"""Held while notices are written: two notifiers that handle one coalition write none twice."""
CHECKPOINT: Final = 7408
"""Held while the audit log is signed: one relay does it."""
COALITIONS: Final = 7406
"""Held while coalitions are written: one transaction at a time, whichever process it is of."""


async def try_advisory_lock(session: AsyncSession, lock: int) -> bool:
    """Whether this transaction now has the lock; it waits for nobody, and has it until it ends."""
    return bool((await session.execute(text(f"SELECT pg_try_advisory_xact_lock({lock})"))).scalar_one())


async def wait_for(session: AsyncSession, lock: int) -> None:
    """Waits until this transaction has the lock; it has it until it ends."""
    await session.execute(text(f"SELECT pg_advisory_xact_lock({lock})"))
