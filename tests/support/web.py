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
from sqlalchemy.ext.asyncio import AsyncEngine

from events.topics import PAGE_PLANS, PAGE_RESPONSES
from services.application import sign_in
from services.domain.links import LinkMaker
from services.local_stack.mail_sink import MailSink
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import authorities
from services.store.authorities import AuthorityUpdate
from services.store.database import Sessions, make_engine, now, transaction
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
        """What the relay does: hands over what the pages have put into the outbox; how many events."""
        rows = await self.processes.rows(
            "SELECT id, topic, key, headers, value FROM outbox"
            f" WHERE topic IN ('{PAGE_PLANS.name}', '{PAGE_RESPONSES.name}') AND id > {self.delivered} ORDER BY id"
        )
        self.delivered = max([self.delivered, *(row.id for row in rows)])
        records = [
            SimpleNamespace(
                topic=row.topic,
                partition=0,
                offset=row.id,
                key=row.key.encode(),
                headers=[(name, value.encode()) for name, value in row.headers],
                value=bytes(row.value),
            )
            for row in rows
        ]
        plans = [record for record in records if record.topic == PAGE_PLANS.name]
        if plans:
            await self.processes.matcher.handle(plans)
            await self.processes.regroup()
        await self.processes.responses.handle([record for record in records if record.topic == PAGE_RESPONSES.name])
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
        tables = (
            "outbox",
            "responses",
            "coalitions",
            "authorities",
            "authority_mutes",
            "audit_log",
            "plan_drafts",
            "saved_searches",
        )
        for table in tables:
            rows = await self.processes.rows(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t")
            found.append((table, rows[0][0]))
        return found


async def open_session(sessions: Sessions, authority: str) -> str:
    """A session of an authority as a right code opens it, without the email: its token. Gives it a mailbox."""
    async with transaction(sessions) as session:
        await authorities.save(session, AuthorityUpdate(authority, {"mailbox": f"{authority.lower()}@council.example"}))
        begun = await sign_in.begin(session, [SECRET], authority, now())
        await session.flush()
        person = ("Ann Other", "Category manager")
        token = await sign_in.finish(session, [SECRET], begun.ticket, begun.code, person, now())
    assert token is not None
    return token


def form_of(html: str) -> tuple[str, dict[str, str]]:
    """The last form of a page: where it goes, and its hidden fields."""
    forms = re.findall(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', html, re.DOTALL)
    action, inside = forms[-1]
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', inside)
    return unescape(action), {name: unescape(value) for name, value in hidden}


def nowhere() -> AsyncEngine:
    """A database that is not there."""
    return make_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
