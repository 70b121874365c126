"""Makes the weekly digests due now."""

from services.platform import retry
from services.store import digests
from services.store.database import Sessions, now, transaction


async def flush_all(sessions: Sessions) -> int:
    """Make every authority's next digest due now; returns the number of intents in them."""

    async def flush_once() -> int:
        async with transaction(sessions) as session:
            return await digests.flush_digests(session, now())

    return await retry.retry_lost_races(flush_once)
