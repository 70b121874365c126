"""Whether a process lives and can work, over HTTP, beside its metrics."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from faststream.asgi import AsgiResponse, get
from prometheus_client import make_asgi_app

from services.messaging.consumer import Pulse
from services.platform.dependencies import Check, Dependencies

Note = Callable[[], Sequence[str]]
"""What a person wants to know beside "ok", in lines."""

FROZEN_SECONDS: Final = 120.0
"""After how long a partition counts as frozen, on which records wait and that comes no further."""
NOTED_SECONDS: Final = 10.0
"""From when on it is told how long records wait."""


def nothing_to_note() -> Sequence[str]:
    """No lines."""
    return ()


def routes(*, live: Sequence[Check], ready: Sequence[Check], note: Note = nothing_to_note) -> list[tuple[str, Any]]:
    """`/health/live`, `/health/ready` (200, or 503 with the reasons; ready also has the notes) and `/metrics`."""
    return [
        ("/health/live", _endpoint(live, nothing_to_note)),
        ("/health/ready", _endpoint(ready, note)),
        ("/metrics", make_asgi_app()),
    ]


def starting(reason: str = "starting") -> list[tuple[str, Any]]:
    """The routes of a process that is not there yet: it lives, and is not ready."""

    async def check() -> str | None:
        return reason

    return routes(live=[], ready=[check])


def moving(pulse: Pulse, dependencies: Dependencies, limit_seconds: float) -> Check:
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


def unfrozen(pulse: Pulse, limit_seconds: float = FROZEN_SECONDS) -> Check:
    """No partition stands still on which records wait, whatever the others do."""

    async def check() -> str | None:
        frozen = {tp: age for tp, age in pulse.progress.standing().items() if age > limit_seconds}
        return _named("no further, though records wait", frozen) if frozen else None

    return check


def oldest(pulse: Pulse) -> Note:
    """For how long the oldest record not handled has waited, of each partition where that is worth a word."""

    def note() -> Sequence[str]:
        waiting = {tp: age for tp, age in pulse.progress.waiting().items() if age > NOTED_SECONDS}
        return [_named("the oldest record not handled waits", waiting)] if waiting else []

    return note


def assigned(pulse: Pulse) -> Check:
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


def _endpoint(checks: Sequence[Check], note: Note) -> Any:
    @get
    async def endpoint(scope: Any) -> AsgiResponse:  # noqa: ARG001 (ASGI's signature)
        wrong = [problem for check in checks if (problem := await check())]
        lines = [*("; ".join(wrong) or "ok").splitlines(), *note()]
        return AsgiResponse("\n".join(lines).encode(), status_code=503 if wrong else 200)

    return endpoint
