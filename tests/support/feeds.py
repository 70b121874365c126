"""A feed to collect from: the stand-in on a port of its own, and invented releases."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import uvicorn

from services.local_stack.feed_server import FeedServer

COUNCILS = (
    "Derby City Council", "Luton Borough Council", "Leeds City Council", "Glasgow City Council", "Cornwall Council",
    "London Borough of Harrow", "Kent County Council", "Swansea Council", "Belfast City Council",
    "Reading Borough Council",
)  # fmt: skip


@contextmanager
def running(server: FeedServer) -> Iterator[FeedServer]:
    """The stand-in on a free port; `server.base` is its address."""
    config = uvicorn.Config(server, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    http = uvicorn.Server(config)
    thread = threading.Thread(target=http.run, daemon=True)
    thread.start()
    while not http.started:
        time.sleep(0.01)
    server.base = f"http://127.0.0.1:{http.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        http.should_exit = True
        thread.join()


def release(number: int, at: datetime, notice: str = "UK3", **changes: Any) -> dict[str, Any]:
    """An invented release of process `number`, published at a moment on the clocks of the United Kingdom."""
    council = COUNCILS[number % len(COUNCILS)]
    identifier = f"{number:06}-2026"
    document = {"id": identifier, "noticeType": notice, "datePublished": at.isoformat()}
    return {
        "ocid": f"ocds-h6vhtk-{number:06x}",
        "id": identifier,
        "date": at.isoformat(),
        "tag": ["planning"],
        "parties": [{"id": f"p{number}", "name": council, "roles": ["buyer"], "contactPoint": {"name": "Jane Doe"}}],
        "buyer": {"id": f"p{number}", "name": council},
        "planning": {"documents": [document]},
        "tender": {
            "id": str(number),
            "title": f"Café and kitchen equipment {number}",
            "description": "Ovens, counters and their maintenance",
            "status": "planned",
            "classification": {"scheme": "CPV", "id": "39000000"},
            "communication": {"futureNoticeDate": "2027-06-01"},
        },
    } | changes


def day_of_releases(count: int, start: datetime) -> list[dict[str, Any]]:
    """So many releases, spread over a day."""
    step = timedelta(hours=23) / count
    return [release(number, (start + number * step).replace(microsecond=0)) for number in range(1, count + 1)]
