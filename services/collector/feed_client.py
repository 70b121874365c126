"""Requests single pages of a feed, within its rate limits, and only from the feed's own address."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2

from services.collector.sources import Source
from services.ingest.loose_json import Object, as_object, as_objects, as_text

MAX_PAGE_BYTES: Final = 64 * 1024 * 1024
MAX_WAIT: Final = timedelta(hours=1)
TIMEOUT_SECONDS: Final = 60.0

_STRING_OR_ZEROS = re.compile(r'("(?:[^"\\]|\\.)*")|(?<![\w.+-])-?0\d[\d.eE+-]*')
"""Matches strings, and numbers with leading zeros, which some pages contain although JSON forbids them."""


class FeedError(Exception):
    """A feed's answer is unusable: a sentence."""


@dataclass(frozen=True, slots=True)
class Page:
    """The releases of one page, and the next page's address; `next_url` is None on the last."""

    releases: tuple[Object, ...]
    next_url: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The feed asks to come back later, which is no failure."""

    status: int
    not_before: datetime


class FeedClient:
    """Fetches pages of one feed, one at a time."""

    def __init__(self, source: Source, http: httpx2.AsyncClient, clock: Callable[[], datetime]) -> None:
        self._source, self._http, self._clock = source, http, clock

    async def fetch(self, url: str) -> Page | Refusal:
        """Fetch one page. Raises FeedError if the answer is unusable, or the address is not the feed's."""
        if not self._source.holds(url):
            raise FeedError(f"{self._source.name} names a page on another host, which is not followed")
        try:
            async with self._http.stream("GET", url, headers={"Accept": "application/json"}) as response:
                if response.status_code in self._source.refusals:
                    return Refusal(response.status_code, self._not_before(response.headers.get("Retry-After", "")))
                if response.status_code != httpx2.codes.OK:
                    raise FeedError(f"{self._source.name} answered {response.status_code}")
                content = await _limited(response)
        except httpx2.HTTPError as error:
            raise FeedError(f"{self._source.name} can't be reached: {type(error).__name__} {error}".rstrip()) from error
        return self._page(content)

    def _page(self, content: bytes) -> Page:
        document = as_object(parse(content))
        releases = [*as_objects(document.get("releases"))]
        for record in as_objects(document.get("records")):
            releases += as_objects(record.get("releases"))
        if "releases" not in document and "records" not in document and "ocid" in document:
            releases = [document]
        links = as_object(document.get("links"))
        return Page(tuple(releases), as_text(links.get("next")) or None)

    def _not_before(self, stated: str) -> datetime:
        now = self._clock()
        wait = timedelta(seconds=self._source.wait_seconds)
        if stated.strip().isdigit():
            wait = timedelta(seconds=min(int(stated), int(MAX_WAIT.total_seconds())))
        elif stated:
            with suppress(TypeError, ValueError):
                wait = parsedate_to_datetime(stated) - now
        return now + min(max(wait, timedelta()), MAX_WAIT)


def parse(content: bytes) -> Any:
    """Parse a page's JSON, in UTF-8 or Latin-1. A number outside JSON's range counts as no value. Raises FeedError."""
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        decoded = content.decode("latin-1")
    try:
        return json.loads(decoded)
    except ValueError:
        pass
    except RecursionError:
        raise FeedError("a page is nested too deeply") from None
    try:
        return json.loads(_STRING_OR_ZEROS.sub(lambda match: match[1] or "null", decoded))
    except (ValueError, RecursionError) as error:
        raise FeedError(f"a page is not JSON: {error}") from None


async def _limited(response: httpx2.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_PAGE_BYTES:
            raise FeedError(f"a page has more than {MAX_PAGE_BYTES} bytes")
    return bytes(content)
