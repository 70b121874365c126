"""Whether a consuming loop comes on: checks and notes for a process's health."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import TopicPartition

from services.messaging.consumer import Pulse
from services.platform.dependencies import Check, Dependencies
from services.platform.health import Note

FROZEN_SECONDS: Final = 120.0
"""After how long a partition counts as frozen, on which records wait and that comes no further."""
NOTED_SECONDS: Final = 10.0
"""From when on it is told how long records wait."""


def loop_advances(pulse: Pulse, dependencies: Dependencies, limit_seconds: float) -> Check:
    """The consuming loop does not stand still while what it needs answers.

    It stands still where it has not polled for the limit, or records wait and no partition has come any further.
    While the broker or the database is away, and where it was halted, it is right to wait: a restart mends nothing.
    """

    async def check() -> str | None:
        now = time.monotonic()
        if pulse.halted or not dependencies.all_answer():
            return None
        if now - max(pulse.last_poll, dependencies.answering_since) > limit_seconds:
            return f"no poll for {now - pulse.last_poll:.0f} s (limit {limit_seconds:.0f} s)"
        waits = max(pulse.progress.waiting().values(), default=0.0)
        stands = min(waits, now - max(pulse.progress.moved_at, dependencies.answering_since))
        return f"records wait and none was handled for {stands:.0f} s" if stands > limit_seconds else None

    return check


def partitions_advance(pulse: Pulse, limit_seconds: float = FROZEN_SECONDS) -> Check:
    """No partition stands still on which records wait, whatever the others do."""

    async def check() -> str | None:
        frozen = {tp: age for tp, age in pulse.progress.standing().items() if age > limit_seconds}
        return _named("no further, though records wait", frozen) if frozen else None

    return check


def oldest_unhandled_note(pulse: Pulse) -> Note:
    """For how long the oldest record not handled has waited, of each partition where that is worth a word."""

    def note() -> Sequence[str]:
        waiting = {tp: age for tp, age in pulse.progress.waiting().items() if age > NOTED_SECONDS}
        return [_named("the oldest record not handled waits", waiting)] if waiting else []

    return note


def has_assignment(pulse: Pulse) -> Check:
    """The consumer has joined its group, and nothing has halted it."""

    async def check() -> str | None:
        if pulse.halted:
            return pulse.halted
        return None if pulse.assigned is not None else "not yet a member of the consumer group"

    return check


def _named(what: str, ages: Mapping[TopicPartition, float]) -> str:
    worst = sorted(ages.items(), key=lambda item: -item[1])
    some = ", ".join(f"{tp.topic}-{tp.partition} for {age:.0f} s" for tp, age in worst[:5])
    return f"{what}: {some}" + (f" and {len(worst) - 5} more" if len(worst) > 5 else "")
