"""The web application in the test's own process, with a client that speaks HTTP to it as a browser would."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx2

from services.platform.settings import Settings
from services.store.database import Sessions
from services.web.app import create_app
from services.web.parts import WebParts

HOST: Final = "jointly.example"
BASE: Final = f"https://{HOST}"
SECRET: Final = "a secret of the tests that is long enough"
OWN_PAGE: Final[Mapping[str, str]] = {"Sec-Fetch-Site": "same-origin", "Origin": BASE}
"""What a browser adds to a form that one of our own pages sends."""


def web_settings(**changes: object) -> Settings:
    """Settings of a web process."""
    return Settings.model_validate({"link_secret": SECRET, "public_url": BASE, **changes})


@asynccontextmanager
async def web_client(
    sessions: Sessions, settings: Settings, headers: Mapping[str, str] = OWN_PAGE
) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser's worth of HTTP: cookies are kept, redirects are not followed."""
    app = create_app(WebParts(sessions, settings))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        yield client
