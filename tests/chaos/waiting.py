"""Waiting for what a directed schedule brings about."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

PATIENCE: Final = 30
"""Seconds after which something that ought to come has not; nothing is measured by it."""


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Returns once it holds; TimeoutError where it does not."""
    async with asyncio.timeout(PATIENCE):
        while not await check():
            await asyncio.sleep(0.02)
