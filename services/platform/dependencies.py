"""Whether the parts that a process needs answer it: asked every few seconds, for health and as a metric."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from services.platform import metrics, retry

Check = Callable[[], Awaitable[str | None]]
"""Says in a sentence what is wrong, or None."""

EVERY_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 5.0
"""How long a part may take to answer."""


class Dependencies:
    """The parts by the names that the metric has for them, and what each said last."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._away: dict[str, tuple[float, str]] = {}
        self.answering_since = time.monotonic()
        """Since when all of them answer."""

    async def watch_for_ever(self, pause_seconds: float = EVERY_SECONDS) -> None:
        """Asks each part again and again, and sets `jointly_dependency_up`."""
        while True:
            await asyncio.gather(*(self._ask(name, check) for name, check in self._checks.items()))
            await asyncio.sleep(pause_seconds)

    def all_answer(self) -> bool:
        """Whether every part answered when it was asked last."""
        return not self._away

    def answers(self, name: str) -> Check:
        """A check of what was heard last of a part, which costs nothing."""

        async def check() -> str | None:
            since, problem = self._away.get(name, (0.0, ""))
            return f"{problem}, for {time.monotonic() - since:.0f} s" if problem else None

        return check

    async def _ask(self, name: str, check: Check) -> None:
        problem = await answer(check)
        if problem is not None:
            self._away[name] = (self._away.get(name, (time.monotonic(), ""))[0], problem)
        elif self._away.pop(name, None) is not None:
            self.answering_since = time.monotonic()
        metrics.DEPENDENCY_UP.labels(dependency=name).set(problem is None)


async def answer(check: Check) -> str | None:
    """What the check says, within PATIENCE_SECONDS."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await check()
    except Exception as error:
        return f"no answer ({retry.one_line(error)})"
