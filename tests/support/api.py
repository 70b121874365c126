"""The read interface in the test's own process: councils with plans, their tokens, and what each of them reads."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
from sqlalchemy.ext.asyncio import AsyncEngine

from services.application import api_tokens
from services.domain.api_access import READ_SCOPES, Scope
from services.domain.audit import Channel
from services.local_stack.postgres import Server
from services.matcher.batch_handler import Matcher
from services.platform.settings import Settings
from services.store import authorities
from services.store.authorities import AuthorityUpdate
from services.store.database import Sessions, make_engine, make_sessions, transaction
from tests.support.coalitions import AS_OF, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, CoalitionsHarness, plan
from tests.support.databases import DatabasePool
from tests.support.ids import migrate_for_tests
from tests.support.matcher import make_matcher
from tests.support.web import web_settings

API: Final = "/api/v1"
LISTS: Final = ("plans", "opportunities", "coalitions", "deadlines")


THREE: Final = (LEEDS, BRADFORD, KIRKLEES)
_pools: dict[int, DatabasePool] = {}


def three_councils(server: Server) -> DatabasePool:
    """Databases in which Leeds, Bradford and Kirklees are in a suggested coalition; Calderdale is in the register and
    has no plan. Their template is made once for a server."""
    if id(server) not in _pools:
        _pools[id(server)] = DatabasePool(server, server.create_template("jointly_three_councils", _prepare))
    return _pools[id(server)]


def _prepare(url: str) -> None:
    migrate_for_tests(url)
    asyncio.run(_publish_three(url))


async def _publish_three(url: str) -> None:
    engine = make_engine(url)
    harness = await make_harness(engine)
    await register(harness.sessions, [*THREE, CALDERDALE])
    await harness.publish(*(plan(authority) for authority in THREE))
    await engine.dispose()


@asynccontextmanager
async def open_three_councils(databases: DatabasePool) -> AsyncIterator[CoalitionsHarness]:
    """One of those databases, and a coalitions process on it; `add_matcher` adds a matcher."""
    with databases.lend() as url:
        engine = make_engine(url)
        nobody: Any = None
        yield CoalitionsHarness(nobody, make_sessions(engine), web_settings(as_of=AS_OF))
        await engine.dispose()


async def add_matcher(harness: CoalitionsHarness) -> None:
    """Has the harness take plans, too: it takes a while, so only where a test needs it."""
    harness.matcher = await _make_matcher(harness.sessions, harness.settings)


async def make_harness(database: AsyncEngine) -> CoalitionsHarness:
    """A matcher and a coalitions process on the test's database, as of a fixed day."""
    sessions, settings = make_sessions(database), web_settings(as_of=AS_OF)
    return CoalitionsHarness(await _make_matcher(sessions, settings), sessions, settings)


async def _make_matcher(sessions: Sessions, settings: Settings) -> Matcher:
    return await make_matcher(sessions, settings)


async def register(sessions: Sessions, codes: Sequence[str]) -> None:
    """Puts councils into the register."""
    async with transaction(sessions) as session:
        for code in codes:
            await authorities.save(session, AuthorityUpdate(code, {"name": f"Council {code}"}))


async def token_of(sessions: Sessions, authority: str, scopes: Sequence[Scope] = READ_SCOPES) -> str:
    """A new token of an authority."""
    async with transaction(sessions) as session:
        _, token = await api_tokens.issue(session, authority, scopes, "test", channel=Channel.COMMAND_LINE)
        return token


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


async def read(client: httpx2.AsyncClient, token: str, path: str, **params: Any) -> Any:
    """The JSON of one answer."""
    answer = await client.get(f"{API}/{path}", headers=bearer(token), params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read_items(client: httpx2.AsyncClient, token: str, path: str, **params: Any) -> list[Mapping[str, Any]]:
    """All items of a list, page after page."""
    items: list[Mapping[str, Any]] = []
    answer = await read(client, token, path, **params)
    while True:
        items += answer["items"]
        following = answer["links"]["next"]
        if following is None:
            return items
        answer = (await client.get(following, headers=bearer(token))).json()


async def read_everything(client: httpx2.AsyncClient, token: str, calendar: str) -> str:
    """The text of every answer that an authority can get: lists in every status and format, items, calendars."""
    found: list[str] = []
    for path in await _paths(client, token):
        answer = await client.get(f"{API}/{path}", headers=bearer(token))
        assert answer.status_code == 200, (path, answer.text)
        found.append(answer.text)
    feed = await client.get(f"/calendar/{calendar}.ics")
    assert feed.status_code == 200
    # Unfolded, so that a word is found wherever a line was broken.
    return "\n".join([*found, feed.text]).replace("\r\n ", "")


async def _paths(client: httpx2.AsyncClient, token: str) -> list[str]:
    paths = ["deadlines", "deadlines.csv", "deadlines.ics"]
    for name, key in (("plans", "plan_id"), ("opportunities", "opportunity_id"), ("coalitions", "coalition_id")):
        paths += [f"{name}?status=all&limit=500", f"{name}.csv?status=all"]
        ids = [item[key] for item in await read_items(client, token, name, status="all", limit=500)]
        # An item is made by the same function as the list's: a few stand for all.
        paths += [f"{name}/{one}" for one in ids[:3]]
        paths += [f"coalitions/{one}/deadlines.ics" for one in ids[:3] if name == "coalitions"]
    return paths
