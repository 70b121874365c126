"""Waits briefly until another process has handled a new event."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from services.store.database import Sessions

WAIT_SECONDS: Final = 3.0
LOOK_EVERY_SECONDS: Final = 0.1

Found = TypeVar("Found")


async def wait_for(sessions: Sessions, look: Callable[[AsyncSession], Awaitable[Found | None]]) -> Found | None:
    """Call `look` in new transactions until it finds something. None if it finds nothing within `WAIT_SECONDS`."""
    give_up = time.monotonic() + WAIT_SECONDS
    while True:
        async with sessions() as session:
            found = await look(session)
        if found is not None or time.monotonic() > give_up:
            return found
        await asyncio.sleep(LOOK_EVERY_SECONDS)
