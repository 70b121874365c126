"""The coalitions process dies at a statement of its choice."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

from tests.support.coalitions import CoalitionsHarness

TABLES = (
    "coalitions",
    "coalition_members",
    "responses",
    "pair_verdicts",
    "contracts",
    "benchmark_requests",
    "benchmark_enquiries",
    "benchmark_notices",
    "notification_mails",
    "outbox",
)


class CrashError(Exception):
    """The process is gone."""


@dataclass
class CrashHarness:
    """A harness, and the engine whose statements can be cut off."""

    harness: CoalitionsHarness
    engine: Any

    @contextmanager
    def dying_at(self, number: int) -> Iterator[list[str]]:
        """Statement number so-and-so is not run any more: the connection breaks before it."""
        seen: list[str] = []

        def count(_: Any, __: Any, statement: str, *___: Any) -> None:
            seen.append(statement)
            if len(seen) == number:
                raise CrashError(statement[:60])

        event.listen(self.engine.sync_engine, "before_cursor_execute", count)
        try:
            yield seen
        finally:
            event.remove(self.engine.sync_engine, "before_cursor_execute", count)

    async def rows(self) -> dict[str, list[Any]]:
        """Everything that a batch may write."""
        return {table: sorted(map(str, await self.harness.rows(f"SELECT * FROM {table}"))) for table in TABLES}

    async def dies_everywhere(self, work: Callable[[], Awaitable[None]]) -> int:
        """Does the work again and again, dead at a later statement each time, until it ends; how often it died."""
        before = await self.rows()
        deaths = 0
        while True:
            with self.dying_at(deaths + 1):
                try:
                    await work()
                except CrashError:
                    deaths += 1
                else:
                    return deaths
            assert await self.rows() == before, f"something of a batch stayed that died at statement {deaths}"
