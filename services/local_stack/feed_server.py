"""A stand-in for Find a Tender and Contracts Finder: the same parameters, refusals and pages, and faults on demand."""

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import uvicorn

from services.local_stack.child_process import LOOPBACK

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Release = dict[str, Any]

FIND_A_TENDER: Final = "/api/1.0/ocdsReleasePackages"
CONTRACTS_FINDER: Final = "/Published/Notices/OCDS/Search"
_PARAMETERS: Final = {
    FIND_A_TENDER: ("stages", "limit", "cursor", "updatedFrom", "updatedTo"),
    CONTRACTS_FINDER: ("stages", "limit", "cursor", "publishedFrom", "publishedTo"),
}
_WIDE_SECONDS: Final = 6 * 3600


@dataclass
class FeedQuirks:
    """Faults of the real feeds, each to be switched on. `requests` is the limit per `seconds`; None for no limit."""

    requests: int | None = None
    seconds: float = 120.0
    says_when: bool = True
    refusal: int = 429
    loses_next_link: bool = False
    wild_numbers: bool = False
    latin_1: bool = False
    gateway_timeouts: int = 0
    foreign_next_link: bool = False
    repeats_on_next_page: bool = False
    loses_in_wide_windows: bool = False


@dataclass
class FeedServer:
    """An ASGI application that serves releases, the newest first. `base` is its own address."""

    releases: Sequence[Release]
    base: str = ""
    quirks: FeedQuirks = field(default_factory=FeedQuirks)
    asked: list[str] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    _times: deque[float] = field(default_factory=deque)

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        path, query = scope["path"], scope["query_string"].decode()
        self.asked.append(f"{path}?{query}")
        status, headers, body = self._answer(path, dict(parse_qsl(query)))
        headers = {"content-type": "application/json", "cache-control": "no-store"} | headers
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if refused := self._refuse():
            return refused
        if path in _PARAMETERS:
            return self._search(path, query)
        ocid = path.rpartition("/")[2]
        found = [release for release in self.releases if release["ocid"] == ocid]
        return self._package(found, None) if found else (404, {}, b'{"message": "not found"}')

    def _refuse(self) -> tuple[int, dict[str, str], bytes] | None:
        quirks, now = self.quirks, self.clock()
        if quirks.gateway_timeouts > 0:
            quirks.gateway_timeouts -= 1
            return 504, {}, b"<html>Gateway Time-out</html>"
        if quirks.requests is None:
            return None
        while self._times and now - self._times[0] > quirks.seconds:
            self._times.popleft()
        if len(self._times) < quirks.requests:
            self._times.append(now)
            return None
        wait = round(quirks.seconds)
        text = f"Rate limit of {quirks.requests} exceeded. Please retry after {wait} seconds."
        return quirks.refusal, {"retry-after": str(wait)} if quirks.says_when else {}, text.encode()

    def _search(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        allowed = _PARAMETERS[path]
        for name in query.keys() - set(allowed):
            sentence = f"Request parameter '{name}' is not recognised, allowed parameters are: {', '.join(allowed)}"
            return 400, {}, json.dumps({"message": sentence}).encode()
        limit = int(query.get("limit", "100"))
        if not 0 < limit <= 100:
            return 400, {}, b'{"message": "\'limit\' must be greater than 0"}'
        if "," in query.get("stages", "") and path == FIND_A_TENDER:
            return self._package([], None)
        since, until, start = query.get(allowed[3], ""), query.get(allowed[4], "9"), 0
        if "cursor" in query:
            since, until, start = _read_cursor(query["cursor"])
        return self._page(path, since, until, start, limit)

    def _page(self, path: str, since: str, until: str, start: int, limit: int) -> tuple[int, dict[str, str], bytes]:
        found = sorted(
            (release for release in self.releases if since <= release["date"][:19] <= until),
            key=lambda release: (release["date"][:19], release["id"]),
            reverse=True,
        )
        if self.quirks.loses_in_wide_windows and _seconds(until) - _seconds(since) > _WIDE_SECONDS:
            found = found[::2]
        first = max(0, start - 1) if self.quirks.repeats_on_next_page else start
        page = found[first : start + limit]
        following = start + limit
        if following >= len(found) or self.quirks.loses_next_link:
            return self._package(page, None)
        cursor = base64.b64encode(f"updatedFrom={since}|updatedTo={until}|nextCursor={following}".encode()).decode()
        host = "https://feed.example" if self.quirks.foreign_next_link else self.base
        query = urlencode({"limit": limit, "cursor": cursor}, quote_via=quote)
        return self._package(page, f"{host}{path}?{query}")

    def _package(self, releases: Sequence[Release], following: str | None) -> tuple[int, dict[str, str], bytes]:
        package: dict[str, Any] = {
            "uri": f"{self.base}/package",
            "version": "1.1",
            "publisher": {"name": "Cabinet Office", "scheme": "GB-GOR", "uid": "D2"},
            "license": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
            "releases": releases,
        }
        if following:
            package["links"] = {"next": following}
        text = json.dumps(package, ensure_ascii=False)
        if self.quirks.wild_numbers:
            text = text[:-1] + ', "lots": [1e9999, 000, Infinity, -007.5]}'
        return 200, {}, text.encode("latin-1" if self.quirks.latin_1 else "utf-8", "replace")


@contextmanager
def serving(server: FeedServer) -> Iterator[FeedServer]:
    """Serve on a free port of this machine; `server.base` is the address."""
    http = uvicorn.Server(uvicorn.Config(server, host=LOOPBACK, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=http.run, daemon=True)
    thread.start()
    while not http.started:
        time.sleep(0.01)
    server.base = f"http://{LOOPBACK}:{http.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        http.should_exit = True
        thread.join()


def _read_cursor(cursor: str) -> tuple[str, str, int]:
    parts = dict(part.split("=", 1) for part in base64.b64decode(cursor).decode().split("|"))
    return parts["updatedFrom"], parts["updatedTo"], int(parts["nextCursor"])


def _seconds(stated: str) -> float:
    return time.mktime(time.strptime(stated[:19], "%Y-%m-%dT%H:%M:%S"))


async def _lifespan(receive: Callable[[], Awaitable[Message]], send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
