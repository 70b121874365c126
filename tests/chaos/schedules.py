"""What the tests of one kind of fault share: an arena manned by hand, a seeded stream fed into it, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.brokers import unavailable
from tests.chaos.cluster import Arena, arena, wait
from tests.chaos.oracle import Verdict, judge
from tests.chaos.progress import canary_arrived, drained, left
from tests.chaos.stream import Input
from tests.chaos.workload import Feeder

PATIENCE_SECONDS = 120.0
"""After which something that ought to come has not; nothing is measured by it."""


@dataclass
class Run:
    """An arena and what is fed into it."""

    arena: Arena
    feeders: list[Feeder] = field(default_factory=list)

    def start(self, *names: str, **environment: str) -> None:
        """Starts processes of the crew; `environment` changes settings of these alone."""
        usual = dict(self.arena.environment)
        self.arena.environment.update(environment)
        for name in names:
            self.arena.start(name)
        self.arena.environment = usual

    def feed(self, inputs: Sequence[Input], seconds: float) -> None:
        """Has a stream come in over so many seconds; returns once the first canary has gone the whole way."""
        self.feeders.append(Feeder(self.arena.bootstrap, inputs, seconds))
        self.until_arrived(self.canary())

    def canary(self) -> int:
        """Publishes a new revision of the canary; which one."""
        return self.feeders[-1].canary()

    def until_arrived(self, revision: int) -> None:
        """Waits until this revision of the canary has gone the whole way."""
        until(lambda: canary_arrived(self.arena, revision), f"revision {revision} of the canary at the end of the way")

    def conclude(self) -> Verdict:
        """Feeds the rest, waits until nothing is left to do, and demands every promise."""
        for feeder in self.feeders:
            feeder.stream.result()
        if wait(lambda: drained(self.arena), PATIENCE_SECONDS, pause=0.5) is None:
            raise AssertionError(f"never drained: {left(self.arena)}; logs in {self.arena.folder}")
        verdict = judge(self.arena)
        broken = {name: found[:5] for name, found in verdict.violations.items() if found}
        assert not broken, f"promises broken: {broken}; logs in {self.arena.folder}"
        assert verdict.counts["duplicates_outside_gap"] == 0
        return verdict

    def log_of(self, name: str) -> str:
        """What a process of the crew has logged, also under the same name before it was started again."""
        return (self.arena.folder / f"{name}.log").read_text("utf-8", "replace")


@contextmanager
def run(folder: Path) -> Iterator[Run]:
    """An arena where nobody works yet. Skips where there is no Apache Kafka."""
    reason = unavailable()
    if reason is not None:
        pytest.skip(reason)
    with arena(folder, quick=True) as made:
        found = Run(made)
        try:
            yield found
        finally:
            for feeder in found.feeders:
                feeder.close()


def until(check: Callable[[], bool], what: str) -> None:
    """Waits for `check`; fails by saying what never came."""
    assert wait(check, PATIENCE_SECONDS) is not None, f"never saw: {what}"
