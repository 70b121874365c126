"""Security headers of every response: content, caching, framing and referrer."""

from base64 import b64encode
from hashlib import sha256
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

INLINE_SCRIPT: Final = (
    "document.body.className += ' js-enabled' + "
    "('noModule' in HTMLScriptElement.prototype ? ' govuk-frontend-supported' : '');"
)
"""The one line of script inside the pages: GOV.UK Frontend's template has it."""

_INLINE_HASH: Final = b64encode(sha256(INLINE_SCRIPT.encode()).digest()).decode()

POLICY: Final = (
    f"default-src 'none'; script-src 'self' 'sha256-{_INLINE_HASH}'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    # A link of an email is a key: it must not reach another site.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
TRANSPORT: Final = "max-age=31536000"
ASSET_CACHE: Final = "public, max-age=86400"


class SecurityHeaders:
    """Adds the headers. Pages are never stored; files under `/static` are, for a day."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and add the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", ASSET_CACHE if is_asset(scope) else "no-store")
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", TRANSPORT)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def is_asset(scope: Scope) -> bool:
    """Whether the request is for a file that is the same for everybody."""
    return str(scope["path"]).startswith("/static/")
