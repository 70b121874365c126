"""Whether a process lives and can work, over HTTP, beside its metrics."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from faststream.asgi import AsgiResponse, get
from prometheus_client import make_asgi_app

from services.runtime.consuming import Pulse

Check = Callable[[], Awaitable[str | None]]
"""Says in a sentence what is wrong, or None."""


def routes(*, live: Sequence[Check], ready: Sequence[Check]) -> list[tuple[str, Any]]:
    """`/health/live`, `/health/ready` (200, or 503 with the reasons) and `/metrics`."""
    return [("/health/live", _endpoint(live)), ("/health/ready", _endpoint(ready)), ("/metrics", make_asgi_app())]


def polling(pulse: Pulse, limit_seconds: float) -> Check:
    """The consuming loop has polled within the limit. A broker that answers would prove nothing of it."""

    async def check() -> str | None:
        age = time.monotonic() - pulse.last_poll
        return f"no poll for {age:.0f} s (limit {limit_seconds:.0f} s)" if age > limit_seconds else None

    return check


def assigned(pulse: Pulse) -> Check:
    """The consumer has joined its group, and nothing has halted it."""

    async def check() -> str | None:
        if pulse.halted:
            return pulse.halted
        return None if pulse.assigned is not None else "not yet a member of the consumer group"

    return check


def _endpoint(checks: Sequence[Check]) -> Any:
    @get
    async def endpoint(scope: Any) -> AsgiResponse:  # noqa: ARG001 (ASGI's signature)
        wrong = [problem for check in checks if (problem := await check())]
        return AsgiResponse(("; ".join(wrong) or "ok").encode(), status_code=503 if wrong else 200)

    return endpoint
