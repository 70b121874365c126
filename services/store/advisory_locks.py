"""PostgreSQL advisory locks. All lock numbers are declared here, so no two uses share one."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MIGRATE: Final = 7400
RELAY: Final = 7401
"""A class of locks: one lock for each outbox shard."""
SWEEP: Final = 7402
REBUILD: Final = 7403
PURGE: Final = 7405
COALITION_NOTICES: Final = 7407
"""A notifier holds it while it writes notices, so that two notifiers never write the same notice."""
CHECKPOINT: Final = 7408
"""A relay holds it while it signs the audit log, so that one relay signs at a time."""
COALITIONS: Final = 7406
"""A transaction holds it while it writes coalitions, so that one transaction writes them at a time, in any process."""


async def try_advisory_lock(session: AsyncSession, lock: int) -> bool:
    """Try to take the lock without waiting. On success the transaction holds it until it ends."""
    return bool((await session.execute(text(f"SELECT pg_try_advisory_xact_lock({lock})"))).scalar_one())


async def wait_for(session: AsyncSession, lock: int) -> None:
    """Wait for the lock. The transaction holds it until it ends."""
    await session.execute(text(f"SELECT pg_advisory_xact_lock({lock})"))
