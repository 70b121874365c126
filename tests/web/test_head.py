"""Checkers of links and scanners of emails send HEAD: each page and file answers as GET does, and nothing changes."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import pytest
from fastapi.routing import APIRoute

from services.domain.api_access import Scope
from services.domain.links import LinkMaker
from services.platform.clock import today
from services.store.authorities import by_codes
from services.store.database import make_sessions
from services.store.framework_index import FrameworkIndex
from services.web.app import ROUTERS, create_app
from services.web.parts import WebParts
from services.web.signing import SESSION_COOKIE
from tests.support.api import bearer, token_of
from tests.support.coalitions import BRADFORD, LEEDS, plan_id
from tests.support.ids import opportunity_id
from tests.support.web import BASE, HOST, SECRET, WebHarness, nowhere, open_session, web_settings

PATHS = sorted(
    {
        route.path
        for route in chain.from_iterable(router.routes for router in ROUTERS)
        if isinstance(route, APIRoute) and "GET" in route.methods
    }
)
WORKING = 55
"""At least so many of the addresses below lead to a page or file, and not to an error."""


async def tokens_of(web: WebHarness) -> Mapping[str, str]:
    """What stands for `{token}`, by the beginning of the path."""
    sessions, day = web.processes.sessions, today(None)
    async with sessions() as session:
        ref = (await by_codes(session, [LEEDS]))[LEEDS].mailbox_ref
    maker = LinkMaker(BASE, (SECRET,))
    stop = maker.stop(LEEDS, "immediate", ref, day)
    pages = (await web.link(LEEDS), stop, maker.confirm(LEEDS, ref, day), maker.enquiry(LEEDS, "0" * 32, ref, day))
    found = {page.split("/")[-2]: page.split("/")[-1] for page in pages}
    calendar = await token_of(sessions, LEEDS, [Scope.CALENDAR])
    return found | {"unsubscribe": found["s"], "calendar": calendar}


@pytest.mark.slow  # opens every page twice; the scanner's test asks those of an email by HEAD in every run
async def test_every_page_answers_head_as_get(grouped: WebHarness) -> None:
    sessions = grouped.processes.sessions
    grouped.client.cookies.set(SESSION_COOKIE, await open_session(sessions, LEEDS), HOST, "/")
    headers = bearer(await token_of(sessions, LEEDS))
    coalition = (await grouped.processes.only()).coalition_id
    pair = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
    tokens = await tokens_of(grouped)
    before, worked = await grouped.state_hash(), []
    for path in [*PATHS, "/static/jointly.css", "/no-such-page"]:
        start = path.split("/")[1]
        address = path.format(
            token=tokens.get(start, ""),
            subject=pair if start == "o" else coalition,
            subject_id=coalition,
            opportunity_id=pair,
            coalition_id=coalition,
            plan_id=plan_id(LEEDS),
            act="invite",
            slug="what",
            revision="1",
            response_id="response-000001",
            token_id="0" * 32,
        )
        page, head = (
            await grouped.client.get(address, headers=headers),
            await grouped.client.head(address, headers=headers),
        )
        assert head.status_code == page.status_code, path
        assert head.content == b"", path
        for name in ("content-type", "content-length", "cache-control", "location"):
            assert head.headers.get(name) == page.headers.get(name), (path, name)
        worked += [path] if page.status_code < 400 else []
    assert len(worked) >= WORKING, sorted({*PATHS} - {*worked})
    assert await grouped.state_hash() == before


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/g/x/send", 405)])
async def test_the_application_sends_no_body_for_head(path: str, status: int) -> None:
    """Without a client or server, which drop the body of such an answer themselves."""
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "HEAD", "path": path, "root_path": "", "query_string": b"", "headers": []}
    settings = web_settings()
    app = create_app(WebParts(make_sessions(nowhere()), settings, FrameworkIndex(settings)))
    await app(scope, receive, send)
    assert sent[0]["status"] == status
    assert all(not message["body"] for message in sent[1:])
