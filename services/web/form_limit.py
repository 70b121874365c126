"""Limits the size of a request's body: no form here is large."""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.web import errors

MAX_FORM_BYTES: Final = 256 * 1024
"""A plan's description has up to 20,000 characters, and a form encodes each in up to 12 bytes."""


class _TooLargeError(Exception):
    """The request's body exceeds the limit."""


class FormLimit:
    """Answers 413 to a request with a larger body, whether or not it says so beforehand."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_FORM_BYTES:
            await self._refuse(scope, receive, send)
            return
        seen = 0

        async def receive_limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_FORM_BYTES:
                raise _TooLargeError
            return message

        try:
            await self._app(scope, receive_limited, send)
        except _TooLargeError:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await errors.answer(Request(scope), HTTPException(413))
        await answer(scope, receive, send)
