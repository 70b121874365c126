"""Refuses requests that another site's page makes a browser send, without tokens: the rule of Go's
`CrossOriginProtection`.

A request that changes something passes if the browser says that it comes from our own page (`Sec-Fetch-Site`), or,
without that header, where `Origin` names our own host. A request with neither comes from no browser that has forms.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.web import errors

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES: Final = frozenset({"same-origin", "none"})
EXEMPT: Final = ("/api/", "/unsubscribe/")
"""Paths that read no cookie. A bearer token or a signed link identifies the reader."""


class CrossOriginProtection:
    """Answers 403 to a request from another site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and not may_pass(scope["method"], scope["path"], Headers(scope=scope)):
            answer = await errors.answer(Request(scope), HTTPException(403))
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def may_pass(method: str, path: str, headers: Headers) -> bool:
    """Whether a request comes from our own pages, or changes nothing."""
    if method in SAFE_METHODS or path.startswith(EXEMPT):
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in OWN_SITES
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")
