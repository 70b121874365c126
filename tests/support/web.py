"""The web application in the test's own process, with a client that speaks HTTP to it as a browser would."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from html import unescape
from types import SimpleNamespace
from typing import Final

import httpx2

from events.topics import PAGE_RESPONSES
from services.domain.links import LinkMaker
from services.local_stack.mail_sink import MailSink
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import authorities
from services.store.database import Sessions
from services.store.framework_index import FrameworkIndex
from services.web.app import create_app
from services.web.parts import WebParts
from tests.support.coalitions import CoalitionsHarness

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
    app = create_app(WebParts(sessions, settings, FrameworkIndex(settings)))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        yield client


@dataclass
class WebHarness:
    """The pages as a browser sees them, and the processes behind them, one call after the other."""

    processes: CoalitionsHarness
    client: httpx2.AsyncClient
    delivered: int = 0

    async def link(self, authority: str, subject: str | None = None, made_on: date | None = None) -> str:
        """The path of an answer link, as an email of the authority has it; to its only coalition if none is named."""
        subject = subject or (await self.processes.only()).coalition_id
        async with self.processes.sessions() as session:
            row = (await authorities.by_codes(session, [authority]))[authority]
        links = LinkMaker(BASE, (SECRET,))
        return links.answer(authority, subject, row.mailbox_ref, made_on or today(None)).removeprefix(BASE)

    async def deliver(self) -> int:
        """What relay and coalitions process do: hands over what the pages have put into the outbox; how many."""
        rows = await self.processes.rows(
            f"SELECT id, key, headers, value FROM outbox WHERE topic = '{PAGE_RESPONSES.name}'"
            f" AND id > {self.delivered} ORDER BY id"
        )
        self.delivered = max([self.delivered, *(row.id for row in rows)])
        records = [
            SimpleNamespace(
                topic=PAGE_RESPONSES.name,
                partition=0,
                offset=row.id,
                key=row.key.encode(),
                headers=[(name, value.encode()) for name, value in row.headers],
                value=bytes(row.value),
            )
            for row in rows
        ]
        await self.processes.responses.handle(records)
        return len(records)

    async def send(self, path: str, **fields: str) -> httpx2.Response:
        """Fills the form of a page in and presses its button: the page's own hidden fields go along."""
        page = await self.client.get(path)
        assert page.status_code == 200, page.text
        action, hidden = form_of(page.text)
        return await self.client.post(action or path, data={**hidden, **fields})

    async def code(self, mailbox: MailSink) -> str:
        """The code in the newest email, which comes after the page."""
        for _ in range(100):
            if mailbox.paths():
                found = re.search(r"Your code is (\d{3}) (\d{3})", mailbox.mails()[-1].get_content())
                assert found is not None
                return found[1] + found[2]
            await asyncio.sleep(0.02)
        raise AssertionError("no code came")

    async def sign_in(self, authority: str, mailbox: MailSink, next_page: str = "") -> httpx2.Response:
        """Signs in as a person of this authority does; the last answer."""
        mailbox.clear()
        await self.client.post("/sign-in", data={"council": authority, "next": next_page})
        person = {"name": "Ann Other", "job_title": "Category manager"}
        data = {"code": await self.code(mailbox), **person, "next": next_page}
        return await self.client.post("/sign-in/code", data=data)

    async def state_hash(self) -> list[object]:
        """Everything that an act could change."""
        found: list[object] = []
        for table in ("outbox", "responses", "coalitions", "authorities", "authority_mutes", "audit_log"):
            rows = await self.processes.rows(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t")
            found.append((table, rows[0][0]))
        return found


def form_of(html: str) -> tuple[str, dict[str, str]]:
    """The last form of a page: where it goes, and its hidden fields."""
    forms = re.findall(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', html, re.DOTALL)
    action, inside = forms[-1]
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', inside)
    return unescape(action), {name: unescape(value) for name, value in hidden}
