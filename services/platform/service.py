"""Builds and runs a long-running process: FastStream's ASGI application on uvicorn."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import uvicorn
from faststream.asgi import AsgiFastStream
from faststream.kafka import KafkaBroker

from services.platform import health, logs, tracing
from services.platform.dependencies import Check
from services.platform.health import Note, no_notes
from services.platform.settings import Settings
from services.platform.version import version

log: Final = logs.get(__name__)

Task = Callable[[], Coroutine[Any, Any, None]]


def start_logging(service: str, settings: Settings) -> None:
    """Configure the logs and traces of this process."""
    logs.setup(service, settings.log_level)
    tracing.setup(service, settings.otel_endpoint)


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """The parts of a process. `on_startup` runs before the broker connects, `on_shutdown` last.

    `background` runs alongside. `facts` appear in the log line that says the process runs.
    """

    live: Sequence[Check]
    ready: Sequence[Check]
    broker: KafkaBroker | None = None
    note: Note = no_notes
    on_startup: Sequence[Callable[[], Awaitable[object]]] = ()
    background: Sequence[Task] = ()
    on_shutdown: Sequence[Callable[[], Awaitable[object]]] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def run_service(settings: Settings, make: Callable[[], Awaitable[ServiceParts]]) -> None:
    """Run a process until a signal. Raises the error of `make`, or of a part that fails to start.

    The port of health and metrics opens immediately: while a process loads its model, it is alive but not ready.
    """
    asyncio.run(_serve(settings, make))


async def _serve(settings: Settings, make: Callable[[], Awaitable[ServiceParts]]) -> None:
    front = _Front(make)
    front.server = uvicorn.Server(
        uvicorn.Config(
            front,
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            log_level=logging.WARNING,
            lifespan="on",
        )
    )
    await front.server.serve()
    if front.fault is not None:
        raise front.fault


class _Front:
    """The ASGI application of a process. FastStream's application replaces it once built."""

    server: uvicorn.Server

    def __init__(self, make: Callable[[], Awaitable[ServiceParts]]) -> None:
        self._make = make
        self._app = AsgiFastStream(asgi_routes=health.routes_while_starting(), logger=None)
        self._running = asyncio.Event()
        self._stopping = asyncio.Event()
        self.fault: BaseException | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        work = asyncio.create_task(self._work())
        work.add_done_callback(self._ended)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._stopping.set()
        if not self._running.is_set():
            work.cancel()
        await asyncio.wait([work])
        await send({"type": "lifespan.shutdown.complete"})

    async def _work(self) -> None:
        parts = await self._make()
        _tune_gc()
        self._app = AsgiFastStream(
            *([parts.broker] if parts.broker else []),
            asgi_routes=health.routes(live=parts.live, ready=parts.ready, note=parts.note),
            lifespan=partial(_lifespan, parts),
            logger=None,
        )
        # FastStream starts nothing without a broker.
        started = self._app.start_lifespan_context() if parts.broker else _lifespan(parts)
        async with started:
            self._running.set()
            log.info("process runs", version=version(), **parts.facts)
            await self._stopping.wait()
            log.info("process stops", version=version())

    def _ended(self, work: asyncio.Task[None]) -> None:
        if not work.cancelled():
            self.fault = work.exception()
        self.server.should_exit = True


@asynccontextmanager
async def _lifespan(parts: ServiceParts) -> AsyncIterator[None]:
    for step in parts.on_startup:
        await step()
    running = [asyncio.create_task(task()) for task in parts.background]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for step in parts.on_shutdown:
            await step()


def _tune_gc() -> None:
    """Run the cyclic garbage collector less often. By default it runs after every 700 new objects, which cost a third
    of a matcher's time: a matcher keeps a hundred thousand objects and makes hardly any cycles. Freeze the objects
    loaded at the start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
