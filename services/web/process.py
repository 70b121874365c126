"""The web process: the pages on one port, health and metrics on another."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import uvicorn

from services.platform import metrics, service
from services.platform.dependencies import Dependencies
from services.platform.settings import Settings
from services.store.database import database_responds, make_engine, make_sessions
from services.store.framework_index import FrameworkIndex
from services.web.app import create_app
from services.web.parts import WebParts
from services.web.warm_up import warm_up

MAX_CONNECTIONS: Final = 500
IDLE_SECONDS: Final = 10
POOL: Final = 10


def run(settings: Settings) -> None:
    """Run one web process until a signal."""
    service.start_logging("web", settings)
    metrics.export(metrics.Process.WEB)
    settings.need_database()
    service.run_service(settings, partial(_make, settings))


async def _make(settings: Settings) -> service.ServiceParts:
    database = make_engine(settings.need_database(), pool=POOL)
    sessions = make_sessions(database)
    dependencies = Dependencies({"postgresql": database_responds(sessions)})
    parts = WebParts(sessions, settings, FrameworkIndex(settings))
    await warm_up(parts)
    return service.ServiceParts(
        live=[],
        ready=[database_responds(sessions)],
        background=[dependencies.watch_for_ever, lambda: serve_pages(parts)],
        on_shutdown=[database.dispose],
    )


async def serve_pages(parts: WebParts) -> None:
    """Serve the pages until it is cancelled; requests that are under way are answered first."""
    config = uvicorn.Config(
        create_app(parts),
        host=parts.settings.web_host,
        port=parts.settings.web_port,
        log_config=None,
        # Paths hold links' keys.
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=IDLE_SECONDS,
        forwarded_allow_ips=parts.settings.web_proxies or "127.0.0.1",
    )
    server = _PageServer(config)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


class _PageServer(uvicorn.Server):
    """A server that leaves signals to the process's own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing to capture."""
        yield
