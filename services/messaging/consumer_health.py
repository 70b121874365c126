"""Health checks of a consumer loop: whether it makes progress."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import TopicPartition

from services.messaging.consumer import ConsumerState
from services.platform.dependencies import Check, Dependencies
from services.platform.health import Note

FROZEN_SECONDS: Final = 120.0
"""A partition with waiting records and no progress for this long counts as frozen."""
NOTED_SECONDS: Final = 10.0
"""Health notes report records that have waited longer than this."""


def loop_advances(state: ConsumerState, dependencies: Dependencies, limit_seconds: float) -> Check:
    """Build a check that the consumer loop makes progress while its dependencies answer.

    It fails if the loop has not polled within the limit, or if records wait and no partition makes progress. While the
    broker or the database is away, or the consumer is halted, waiting is right: a restart would not help.
    """

    async def check() -> str | None:
        now = time.monotonic()
        if state.halted or not dependencies.all_answer():
            return None
        if now - max(state.last_poll, dependencies.answering_since) > limit_seconds:
            return f"no poll for {now - state.last_poll:.0f} s (limit {limit_seconds:.0f} s)"
        waits = max(state.progress.waiting().values(), default=0.0)
        stands = min(waits, now - max(state.progress.moved_at, dependencies.answering_since))
        return f"records are waiting and none was handled for {stands:.0f} s" if stands > limit_seconds else None

    return check


def partitions_advance(state: ConsumerState, limit_seconds: float = FROZEN_SECONDS) -> Check:
    """Build a check that no partition with waiting records is frozen, even if others make progress."""

    async def check() -> str | None:
        frozen = {tp: age for tp, age in state.progress.standing().items() if age > limit_seconds}
        return _named("no progress although records are waiting", frozen) if frozen else None

    return check


def oldest_unhandled_note(*states: ConsumerState) -> Note:
    """Build a note on the age of the oldest unhandled record, for each partition of a process with a long wait."""

    def note() -> Sequence[str]:
        ages = [item for state in states for item in state.progress.waiting().items()]
        waiting = {tp: age for tp, age in ages if age > NOTED_SECONDS}
        return [_named("the oldest unhandled record has waited", waiting)] if waiting else []

    return note


def has_assignment(state: ConsumerState) -> Check:
    """Build a check that the consumer is a member of its group and is not halted."""

    async def check() -> str | None:
        if state.halted:
            return state.halted
        if state.assigned is None:
            return "not yet a member of the consumer group"
        away = state.unassigned_seconds()
        return f"no longer a member of the consumer group, for {away:.0f} s" if away > FROZEN_SECONDS else None

    return check


def _named(what: str, ages: Mapping[TopicPartition, float]) -> str:
    worst = sorted(ages.items(), key=lambda item: -item[1])
    some = ", ".join(f"{tp.topic}-{tp.partition} for {age:.0f} s" for tp, age in worst[:5])
    return f"{what}: {some}" + (f" and {len(worst) - 5} more" if len(worst) > 5 else "")
