"""Pagination: the page size, the cursor, and the link to the next page."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Final, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Path, Query, Request
from pydantic import BaseModel

from events.fields import PLAN_ID_PATTERN
from services.application.list_items import Item
from services.web.api.problems import ProblemError
from services.web.parts import page_url, parts_of

T = TypeVar("T", bound=Item)

MAX_LIMIT: Final = 500
_MAX_CURSOR: Final = 500

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items of a page")]
Cursor = Annotated[str | None, Query(max_length=_MAX_CURSOR, description="From `links.next`; opaque")]
ChangedSince = Annotated[datetime | None, Query(description="Only what changed since then (RFC 3339, with a zone)")]

PlanKey = Annotated[str, Path(pattern=PLAN_ID_PATTERN)]
HexKey = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
"""The id of an opportunity or a coalition."""


class Links(BaseModel):
    """The cursor of the next page."""

    self: str
    next: str | None = None


class ItemPage(BaseModel, Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    links: Links


def read_cursor(cursor: str | None) -> str:
    """Decode a cursor to a key. Raises ProblemError. A cursor grants no access: each query names the authority."""
    if not cursor:
        return ""
    try:
        key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        key = ""
    if not key or not key.isprintable():
        raise ProblemError(400, "cursor: is not one of ours; follow `links.next`, or begin without a cursor")
    return key


def moment(changed_since: datetime | None) -> datetime | None:
    """Require a time zone. Raises ProblemError."""
    if changed_since is not None and changed_since.tzinfo is None:
        raise ProblemError(400, "changed_since: needs a time zone, such as 2026-11-29T09:00:00Z")
    return changed_since


def links(request: Request, after: str | None) -> Links:
    """The links of a page. `after` is the key of its last item, if more may follow."""
    here = address(request, request.url.path)
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    given = request.query_params.get("cursor")
    own = [*kept, ("cursor", given)] if given else kept
    following = None
    if after is not None:
        following = [*kept, ("cursor", base64.urlsafe_b64encode(after.encode()).decode().rstrip("="))]
    return Links(self=_with(here, own), next=_with(here, following) if following is not None else None)


def address(request: Request, path: str) -> str:
    """Build an address under the public URL, never from a request's `Host` header."""
    return page_url(parts_of(request).settings, path)


def _with(path: str, query: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
