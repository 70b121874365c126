"""A process waits, and says why, while the database lacks the tables that it needs."""

import asyncio
from contextlib import suppress
from typing import Any, Final

import uvicorn

from services.platform import logs
from services.platform.settings import Settings
from services.store import schema
from services.store.database import Sessions

RETRY_SECONDS: Final = 5.0

log: Final = logs.get(__name__)


async def wait_for_schema(settings: Settings, sessions: Sessions) -> None:
    """Wait until the database's tables fit this version.

    Meanwhile `/health/live` answers 200, and `/health/ready` 503 with the reason. A signal ends the process. Raises the
    driver's error if the database does not answer the first query.
    """
    found = await schema.inspect(sessions)
    if found.usable:
        return
    log.error("waiting: the database lacks tables that this version needs", reason=found.sentence)
    server = uvicorn.Server(
        uvicorn.Config(
            _answer(found.sentence),
            host=settings.http_host,
            port=settings.http_port,
            lifespan="off",
            log_config=None,
            access_log=False,
        )
    )
    serving = asyncio.create_task(server.serve())
    try:
        while not (found.usable or serving.done()):
            await asyncio.sleep(RETRY_SECONDS)
            with suppress(Exception):
                found = await schema.inspect(sessions)
    finally:
        server.should_exit = True
        await serving
    log.info("the database's tables now fit this version", revision=found.revision)


def _answer(reason: str) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 (ASGI's signature)
        is_live = scope["path"] == "/health/live"
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200 if is_live else 503, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok" if is_live else reason.encode()})

    return application
