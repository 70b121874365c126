"""The page that asks a council what it pays: opening it says nothing, and only the chosen answer is sent."""

import asyncio
import re
from html import unescape

from services.coalitions.benchmark_requests import sweep_requests
from services.domain.links import LinkMaker
from services.local_stack.mail_sink import MailSink
from services.platform.clock import today
from services.store.authorities import by_codes
from tests.support.coalitions import AS_OF, BRADFORD, KIRKLEES, LEEDS
from tests.support.contracts import ContractsHarness, contract
from tests.support.extensions import extension
from tests.support.web import BASE, SECRET, WebHarness, form_of


async def link(web: WebHarness, authority: str) -> str:
    """The path in the email to a council about the only request."""
    ((request_id,),) = await web.processes.rows("SELECT request_id FROM benchmark_requests")
    async with web.processes.sessions() as session:
        ref = (await by_codes(session, [authority]))[authority].mailbox_ref
    return LinkMaker(BASE, (SECRET,)).enquiry(authority, request_id, ref, today(None)).removeprefix(BASE)


async def answer(web: WebHarness) -> tuple[str | None, str | None]:
    (row,) = await web.processes.rows("SELECT answer, contract_id FROM benchmark_enquiries")
    return row.answer, row.contract_id


async def test_a_council_answers_by_the_link_and_answers_again(web: WebHarness) -> None:
    contracts = ContractsHarness(web.processes.sessions, AS_OF)
    await contracts.handle(contract(BRADFORD, title="HR <b>system</b>"))
    await web.processes.publish(extension())
    await sweep_requests(web.processes.sessions, AS_OF)
    path = await link(web, BRADFORD)
    raw = (await web.client.get(path)).text
    page = unescape(raw)
    assert "Leeds is about to extend its contract with Northmoor Software Ltd" in page
    assert "Share the price of HR <b>system</b>, Northmoor Software Ltd (C-1)" in page
    assert "<b>" not in raw
    assert " checked" not in page, "a default would let a scanner answer"
    assert form_of(raw)[0] == path
    assert (await web.send(path)).status_code == 400
    other = await web.send(path, answer=f"supplied {KIRKLEES}:C-1")
    assert other.status_code == 400, "nobody shares the price of another council"
    sent = await web.send(path, answer="withheld s94")
    assert sent.headers["location"].startswith(f"{path}?sent=")
    assert await answer(web) == (None, None), "the answer is an event, and counts once it comes back"
    assert await web.deliver() == 1
    assert await answer(web) == ("withheld", None)


async def test_without_a_shared_contract_the_page_says_what_to_do_first(web: WebHarness) -> None:
    contracts = ContractsHarness(web.processes.sessions, AS_OF)
    await contracts.handle(contract(BRADFORD), contract(KIRKLEES, prices=[]))
    await web.processes.publish(extension())
    await sweep_requests(web.processes.sessions, AS_OF)
    page = await web.client.get(await link(web, KIRKLEES))
    assert "first publish the contract with its prices" in page.text
    sent = await web.send(await link(web, BRADFORD), answer=f"supplied {BRADFORD}:C-1")
    path = sent.headers["location"]
    # The page waits for the answer that comes meanwhile.
    shown, _ = await asyncio.gather(web.client.get(path), web.deliver())
    assert "Recorded." in shown.text
    assert "Your council has answered: you share your price." in shown.text


async def test_a_link_opens_nothing_for_who_was_not_asked(web: WebHarness) -> None:
    await web.processes.publish(extension())
    await sweep_requests(web.processes.sessions, AS_OF)
    assert (await web.client.get(await link(web, KIRKLEES))).status_code == 404
    other = (await web.link(LEEDS, "f" * 32)).replace("/g/", "/q/")
    assert (await web.client.get(other)).status_code != 200


async def test_a_signed_in_council_finds_the_question_on_its_home_page(web: WebHarness, mailbox: MailSink) -> None:
    many = [contract(BRADFORD, reference=f"C-{number}") for number in range(21)]
    await ContractsHarness(web.processes.sessions, AS_OF).handle(*many)
    await web.processes.publish(extension())
    await sweep_requests(web.processes.sessions, AS_OF)
    assert 'aria-label="Back"' not in (await web.client.get(await link(web, BRADFORD))).text
    await web.sign_in(BRADFORD, mailbox)
    home = unescape((await web.client.get("/home")).text)
    assert "Leeds is about to extend a contract" in home
    (path,) = re.findall(r'href="(/asked/[0-9a-f]{32})"', home)
    page = (await web.client.get(path)).text
    assert 'aria-label="Back"' in page
    assert page.count("Share the price of") == 20
    assert "Of your 21 contracts only the first 20 are listed here" in page
    await web.send(path, answer="none-available")
    assert await web.deliver() == 1
    assert await answer(web) == ("none-available", None)
    assert path not in (await web.client.get("/home")).text
    assert "No answer is needed any more" in (await web.client.get(path)).text
