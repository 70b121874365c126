"""What an email leads to: the notifier's links, sent by real SMTP, opened on the pages."""

import re
from collections.abc import AsyncIterator
from datetime import date
from email.message import EmailMessage

import httpx2
import pytest_asyncio

from services.domain.links import LinkMaker
from services.local_stack.mail_sink import MailSink
from tests.support.coalitions import AS_OF, BRADFORD, KIRKLEES, LEEDS, plan
from tests.support.notified_coalitions import THREE, Line, open_line
from tests.support.web import BASE, SECRET, WebHarness, form_of, web_client, web_settings


@pytest_asyncio.fixture
async def empty_line(database_url: str, mailbox: MailSink) -> AsyncIterator[Line]:
    """Councils without plans, and a notifier whose emails lead to pages."""
    async with open_line(database_url, mailbox) as opened:
        opened.notifier.links = LinkMaker(BASE, (SECRET,))
        yield opened


@pytest_asyncio.fixture
async def line(empty_line: Line) -> Line:
    """Three councils with one need."""
    await empty_line.plans(*(plan(authority) for authority in THREE))
    await empty_line.deliver(day=date(2026, 12, 1))
    return empty_line


@pytest_asyncio.fixture
async def client(empty_line: Line, mailbox: MailSink) -> AsyncIterator[httpx2.AsyncClient]:
    settings = web_settings(as_of=AS_OF, smtp_url=mailbox.url)
    async with web_client(empty_line.harness.sessions, settings) as browser:
        yield browser


def newest(line: Line, authority: str) -> EmailMessage:
    return [mail for mail in line.notifier.mails() if authority.lower() in mail["To"]][-1]


def links(mail: EmailMessage, kind: str) -> list[str]:
    """The addresses of one kind of page in both versions of an email, each once."""
    found = {
        address
        for part in ("plain", "html")
        for address in re.findall(rf"{BASE}(/{kind}/[\w./-]+)", mail.get_body((part,)).get_content())
    }
    return sorted(found)


async def test_an_email_about_matches_leads_to_the_group(line: Line, client: httpx2.AsyncClient) -> None:
    mail = newest(line, LEEDS)
    (address,) = links(mail, "g")
    page = await client.get(address)
    assert page.status_code == 200
    assert "2 councils could join you" in page.text


async def test_an_invitation_leads_to_its_coalition(line: Line, client: httpx2.AsyncClient) -> None:
    state = await line.harness.only()
    assert state.lead is not None
    lead = state.lead.partition(":")[0]
    await line.harness.invite(lead)
    await line.deliver()
    guest = next(authority for authority in THREE if authority != lead)
    (mail,) = line.to(guest)
    (address,) = links(mail, "g")
    assert "You are invited" in (await client.get(address)).text


async def test_a_mail_programs_button_stops_one_kind_of_email(line: Line, client: httpx2.AsyncClient) -> None:
    mail = newest(line, LEEDS)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = re.search(rf"<{BASE}(/unsubscribe/[^>]+)>", mail["List-Unsubscribe"])
    assert address is not None
    (stop,) = links(mail, "s")
    assert (await client.get(stop)).status_code == 200
    done = await client.post(
        address[1], data={"List-Unsubscribe": "One-Click"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert done.status_code == 200
    rows = await line.harness.rows("SELECT authority FROM authorities WHERE NOT immediate")
    assert [row.authority for row in rows] == [LEEDS]


async def test_the_button_of_an_invitation_stops_emails_about_groups(line: Line, client: httpx2.AsyncClient) -> None:
    await line.harness.invite(LEEDS)
    await line.deliver()
    (mail,) = line.to(BRADFORD)
    address = re.search(rf"<{BASE}(/unsubscribe/[^>]+)>", mail["List-Unsubscribe"])
    assert address is not None
    assert (await client.post(address[1], data={"List-Unsubscribe": "One-Click"})).status_code == 200
    await line.deliver(day=date(2026, 12, 10))
    assert [len(line.to(code)) for code in (BRADFORD, KIRKLEES)] == [1, 2], "only Kirklees is reminded"
    rows = await line.harness.rows("SELECT authority FROM authorities WHERE immediate AND digest AND NOT coalitions")
    assert [row.authority for row in rows] == [BRADFORD]


async def test_a_receipt_leads_to_the_page_that_takes_the_answer_back(line: Line, client: httpx2.AsyncClient) -> None:
    await line.harness.answer(BRADFORD, "interested")
    await line.deliver(day=date(2026, 12, 2))
    (mail,) = line.receipts(BRADFORD)
    for part in ("plain", "html"):
        text = mail.get_body((part,)).get_content()
        assert (
            "To take this back: use the link by 3 December 2026, or before the tender notice is out if that is earlier."
            in text
        )
        assert "undo" not in text
        assert "You get this receipt whatever your settings, because somebody acted for Council E08000032." in text
        assert "Your emails" in text
        assert "Stop, pause" not in text
        assert "To stop" not in text
    assert len(links(mail, "s")) == 1
    (address,) = links(mail, "g")
    pages = WebHarness(line.harness, client)
    page = (await client.get(address)).text
    assert f'action="{address}/undo"' in page
    done = await client.post(f"{address}/undo", data=form_of(page)[1])
    assert done.status_code == 303
    assert await pages.deliver() == 1
    assert len(await line.harness.rows("SELECT 1 FROM responses WHERE undone_by IS NOT NULL")) == 1


async def test_emails_about_an_introduction_lead_to_its_page(empty_line: Line, client: httpx2.AsyncClient) -> None:
    line, pages = empty_line, WebHarness(empty_line.harness, client)
    await line.plans(plan(LEEDS), plan(BRADFORD, sharing="match_only"))
    await line.deliver(day=date(2026, 12, 1))
    (ask,) = links(newest(line, LEEDS), "g")
    assert ask.endswith("/introduce")
    before = await pages.state_hash()
    assert "Introduction to Bradford" in (await client.get(ask)).text
    await client.head(ask)
    assert await pages.state_hash() == before, "opening a link changes nothing"
    assert (await pages.send(ask, agrees="yes")).status_code == 303
    assert await pages.deliver() == 1
    await line.deliver(day=date(2026, 12, 2))
    mail = next(one for one in line.notifier.mails() if "asks to be introduced" in one["Subject"])
    assert "reply" not in mail.get_body(("plain",)).get_content().lower().partition("jointly suggests")[0]
    (answer,) = links(mail, "g")
    before = await pages.state_hash()
    assert "Introduction to Leeds" in (await client.get(answer)).text
    assert await pages.state_hash() == before
    await pages.send(answer, agrees="yes")
    await pages.deliver()
    await line.deliver(day=date(2026, 12, 3))
    assert "introduced to" in newest(line, LEEDS)["Subject"]
