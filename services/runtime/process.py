"""How a long-running process is put together and run: FastStream's ASGI application on uvicorn."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from faststream.asgi import AsgiFastStream
from faststream.kafka import KafkaBroker
from sqlalchemy import text

from services.runtime import logs, tracing
from services.runtime.health import Check
from services.runtime.settings import Settings
from services.store.base import Sessions

Task = Callable[[], Coroutine[Any, Any, None]]


def start_logging(service: str, settings: Settings) -> None:
    """Logs and traces of this process."""
    logs.setup(service, settings.log_level)
    tracing.setup(service, settings.otel_endpoint)


async def run(
    settings: Settings,
    *,
    routes: Sequence[tuple[str, Any]],
    broker: KafkaBroker,
    tasks: Sequence[Task] = (),
    opening: Sequence[Callable[[], Awaitable[None]]] = (),
    closing: Sequence[Callable[[], Awaitable[None]]] = (),
) -> None:
    """Runs until a signal: `opening` before the broker, `tasks` beside it, `closing` last."""
    _collect_seldom()

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        for step in opening:
            await step()
        running = [asyncio.create_task(task()) for task in tasks]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            for step in closing:
                await step()

    app = AsgiFastStream(broker, asgi_routes=routes, lifespan=lifespan, logger=None)
    options: dict[str, Any] = {"host": settings.http_host, "port": settings.http_port, "log_config": None}
    await app.run(log_level=logging.WARNING, run_extra_options=options)


def _collect_seldom() -> None:
    """Looking for garbage in circles after every 700 new objects cost a third of a matcher's time: it has a hundred
    thousand that stay, and hardly any circles. What was loaded to begin with is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def database(sessions: Sessions) -> Check:
    """The database answers."""

    async def check() -> str | None:
        try:
            async with sessions() as session:
                await session.execute(text("SELECT 1"))
        except Exception as error:
            return f"the database does not answer ({type(error).__name__})"
        return None

    return check
