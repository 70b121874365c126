"""Health over HTTP: whether a process is alive and ready. The same port serves its metrics."""

from collections.abc import Callable, Sequence
from typing import Any

from faststream.asgi import AsgiResponse, get
from prometheus_client import make_asgi_app

from services.platform.dependencies import Check

Note = Callable[[], Sequence[str]]
"""Returns lines that explain an "ok" to an operator."""


def no_notes() -> Sequence[str]:
    """Return no lines."""
    return ()


def routes(*, live: Sequence[Check], ready: Sequence[Check], note: Note = no_notes) -> list[tuple[str, Any]]:
    """Build the routes `/health/live`, `/health/ready` (200 with notes, or 503 with reasons) and `/metrics`."""
    return [
        ("/health/live", _endpoint(live, no_notes)),
        ("/health/ready", _endpoint(ready, note)),
        ("/metrics", make_asgi_app()),
    ]


def routes_while_starting() -> list[tuple[str, Any]]:
    """Build the routes of a starting process: alive, not ready."""

    async def check() -> str | None:
        return "starting"

    return routes(live=[], ready=[check])


def _endpoint(checks: Sequence[Check], note: Note) -> Any:
    @get
    async def endpoint(scope: Any) -> AsgiResponse:  # noqa: ARG001 (ASGI's signature)
        wrong = [problem for check in checks if (problem := await check())]
        lines = [*("; ".join(wrong) or "ok").splitlines(), *note()]
        return AsgiResponse("\n".join(lines).encode(), status_code=503 if wrong else 200)

    return endpoint
