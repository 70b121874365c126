"""Checks the dependencies of a process every few seconds, for health and as a metric."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from services.platform import metrics, retry

Check = Callable[[], Awaitable[str | None]]
"""Returns a sentence about the problem, or None."""

EVERY_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 5.0
"""How long a dependency may take to answer."""


class Dependencies:
    """The dependencies by their names in the metric, and the latest result of each."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._away: dict[str, tuple[float, str]] = {}
        self.answering_since = time.monotonic()
        """When all dependencies began to answer."""

    async def watch_for_ever(self, pause_seconds: float = EVERY_SECONDS) -> None:
        """Check each dependency forever, and set `jointly_dependency_up`."""
        while True:
            await asyncio.gather(*(self._ask(name, check) for name, check in self._checks.items()))
            await asyncio.sleep(pause_seconds)

    def all_answer(self) -> bool:
        """Return whether every dependency answered its latest check."""
        return not self._away

    def answers(self, name: str) -> Check:
        """Build a check that returns the latest result of a dependency, at no cost."""

        async def check() -> str | None:
            since, problem = self._away.get(name, (0.0, ""))
            return f"{problem}, for {time.monotonic() - since:.0f} s" if problem else None

        return check

    def rounds(self, last: Callable[[], float], limit_seconds: float, sentence: str) -> Check:
        """Build a check that a loop has come round within the limit, counted while every dependency answers.

        It says the sentence, and for how long. While a dependency is away, waiting is right: a restart would not help.
        """

        async def check() -> str | None:
            age = time.monotonic() - max(last(), self.answering_since)
            return f"{sentence}, for {age:.0f} s" if self.all_answer() and age > limit_seconds else None

        return check

    async def _ask(self, name: str, check: Check) -> None:
        problem = await answer(check)
        if problem is not None:
            self._away[name] = (self._away.get(name, (time.monotonic(), ""))[0], problem)
        elif self._away.pop(name, None) is not None:
            self.answering_since = time.monotonic()
        metrics.DEPENDENCY_UP.labels(dependency=name).set(problem is None)


async def answer(check: Check) -> str | None:
    """Run the check, within PATIENCE_SECONDS."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await check()
    except Exception as error:
        return f"no answer ({retry.one_line(error)})"
