"""The tabs of a group: documents by their address, decisions and history, each as far as a member may see it."""

import re
from collections.abc import Mapping
from datetime import timedelta

import pytest
from sqlalchemy import text

from events.responses import DOCUMENT_URL
from services.local_stack.mail_sink import MailSink
from services.store.authorities import AuthorityUpdate, save
from services.store.database import transaction
from tests.support.api import add_matcher
from tests.support.coalitions import AS_OF, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, award, plan, plan_id, withdrawal
from tests.support.parties import OFFICE, register_party, since
from tests.support.web import WebHarness, form_of

URL = "https://files.leeds.example/payroll/specification.pdf?v=2"
UNCHECKED = "No member has yet recorded whether they checked: a joint further competition under a framework."
DOCUMENT = {"title": "Draft specification", "url": URL, "document": "specification", "readers": "members"}


@pytest.fixture
async def group(grouped: WebHarness, mailbox: MailSink) -> WebHarness:
    """Leeds has invited Bradford and Kirklees; Bradford is in. Leeds is signed in."""
    await enter(grouped, LEEDS, mailbox)
    guests = [plan_id(BRADFORD), plan_id(KIRKLEES)]
    await do(grouped, "invite", guest=guests, route="No framework.", reply_days="20")
    await enter(grouped, BRADFORD, mailbox)
    await do(grouped, "accept")
    await enter(grouped, LEEDS, mailbox)
    return grouped


async def base(web: WebHarness) -> str:
    return f"/c/{(await web.processes.only()).coalition_id}"


async def enter(web: WebHarness, authority: str, mailbox: MailSink) -> None:
    web.client.cookies.clear()
    assert (await web.sign_in(authority, mailbox)).status_code == 303


async def do(web: WebHarness, act: str, **fields: str | list[str]) -> str:
    """Does something; the page that says what became of it."""
    page = await web.client.get(f"{await base(web)}/do/{act}")
    action, hidden = form_of(page.text)
    done = await web.client.post(action, data={**hidden, **fields})
    assert done.status_code == 303, done.text
    await web.deliver()
    return (await web.client.get(done.headers["location"])).text


async def hide_plan(web: WebHarness) -> None:
    """Leeds shares no more than the match; the coalitions process is late."""
    await add_matcher(web.processes)
    await web.processes.matcher.handle([web.processes.record(plan(LEEDS, revision=2, sharing="match_only"))])


async def pages(web: WebHarness, mailbox: MailSink) -> Mapping[str, str]:
    """The group as each of the three sees it."""
    found = {}
    for authority in (LEEDS, BRADFORD, KIRKLEES):
        await enter(web, authority, mailbox)
        found[authority] = (await web.client.get(await base(web))).text
    return found


async def test_members_see_each_others_routes(group: WebHarness, mailbox: MailSink) -> None:
    path = await base(group)
    page = (await group.client.get(path)).text
    assert UNCHECKED in page, "the inviter has said that there is no framework"
    fields = {"step": "framework", "outcome": "unsuitable", "reason": "scope", "by": "Category manager, ICT"}
    asked = await group.client.post(f"/p/{plan_id(LEEDS)}/route", data={**route_fields(page), **fields, "by": ""})
    assert (asked.status_code, 'value="framework" checked' in asked.text) == (400, True)
    assert path.removeprefix("/c/") + '" checked' in asked.text, "the page that asks for the position is filled in"
    sent = await group.client.post(f"/p/{plan_id(LEEDS)}/route", data={**route_fields(page), **fields})
    assert sent.headers["location"].startswith(f"{path}?sent=")
    await group.deliver()
    assert "Recorded." in (await group.client.get(sent.headers["location"])).text
    seen = await pages(group, mailbox)
    for authority, page in seen.items():
        who = "Your council" if authority == LEEDS else "Leeds"
        assert f"{who}: looked at, does not suit (what it covers). Category manager, ICT, 26 November 2026" in page, (
            authority
        )
        assert UNCHECKED in page
    answering = (await group.client.get(path.replace("/c/", "/o/"))).text
    assert "<li>Framework: Leeds, looked at, does not suit (scope).</li>" in answering
    assert f"<li>{UNCHECKED}</li>" in answering
    await add_matcher(group.processes)
    await group.processes.publish(plan(CALDERDALE))
    assert [one.authority for one in (await group.processes.only()).proposals] == [CALDERDALE]
    await enter(group, CALDERDALE, mailbox)
    for proposed in (path, path.replace("/c/", "/o/")):
        page = (await group.client.get(proposed)).text
        assert "looked at, does not suit" not in page, "a council that is only proposed sees no route of the members"
        assert "Record a route" not in page
    await hide_plan(group)
    seen = await pages(group, mailbox)
    assert [authority for authority, page in seen.items() if "Category manager, ICT" in page] == [LEEDS]


def route_fields(page: str) -> dict[str, str]:
    """The hidden fields of the form that records a route on a group's page."""
    form = page[page.index('action="/p/') : page.index("Your position")]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', form))


async def test_a_document_is_shown_by_its_address_to_those_it_is_for(group: WebHarness, mailbox: MailSink) -> None:
    await do(group, "document", **DOCUMENT)
    await do(group, "document", **{**DOCUMENT, "title": "Note for the invited", "readers": "invited"})
    seen = await pages(group, mailbox)
    for authority, page in seen.items():
        assert ("Draft specification" in page) == (authority != KIRKLEES), authority
        assert "Note for the invited" in page, authority
        assert "files.leeds.example" in page, authority
        # The address is text: nobody is led to another site by a click.
        assert f'href="{URL}"' not in page
        assert (page.count("Take back") >= 2) == (authority == LEEDS)
    assert "shared a document" in seen[BRADFORD]

    await enter(group, LEEDS, mailbox)
    (row,) = await group.processes.rows(
        "SELECT response_id FROM responses WHERE payload->>'title' = 'Draft specification'"
    )
    await group.client.post(f"{await base(group)}/undo", data={"response_id": row.response_id})
    await group.deliver()
    assert "Draft specification" not in (await pages(group, mailbox))[BRADFORD]

    await hide_plan(group)
    seen = await pages(group, mailbox)
    assert "files.leeds.example" in seen[LEEDS]
    assert "files.leeds.example" not in seen[BRADFORD] + seen[KIRKLEES]


async def looks(web: WebHarness) -> int:
    return len(await web.processes.rows("SELECT 1 FROM audit_log WHERE action = 'documents-read'"))


async def test_only_signatories_read_a_document_for_signatories(group: WebHarness, mailbox: MailSink) -> None:
    await do(group, "document", **DOCUMENT)
    await do(group, "document", **{**DOCUMENT, "title": "Service levels", "readers": "signatories"})
    for authority, page in (await pages(group, mailbox)).items():
        assert "Service levels" in page, authority
    assert (await group.client.get("/documents")).status_code == 200
    await enter(group, CALDERDALE, mailbox)
    for signed in ({}, {"signed_on": AS_OF + timedelta(days=1)}, {"signed_on": AS_OF, "lapsed_on": AS_OF}):
        async with transaction(group.processes.sessions) as session:
            await save(session, AuthorityUpdate(CALDERDALE, signed))
        for answer in (await group.client.get("/documents"), await group.client.post("/documents")):
            assert "Only councils that have signed the Charter" in answer.text
            assert "Service levels" not in answer.text
    assert await looks(group) == 0
    async with transaction(group.processes.sessions) as session:
        await save(session, AuthorityUpdate(CALDERDALE, {"signed_on": AS_OF, "lapsed_on": None}))
    page = (await group.client.get("/documents")).text
    assert "Service levels" in page
    assert "files.leeds.example" not in page
    assert await looks(group) == 0, "opening the page is no look"
    page = (await group.client.post("/documents")).text
    assert URL.replace("&", "&amp;") in page
    assert f'href="{URL}"' not in page
    assert "Draft specification" not in page
    assert await looks(group) == 1
    await add_matcher(group.processes)
    for later, shown in (
        (award(LEEDS, 2), True),
        (withdrawal(LEEDS, 3), False),
        (plan(LEEDS, 4), True),
        (plan(LEEDS, 5, sharing="match_only"), False),
    ):
        await group.processes.matcher.handle([group.processes.record(later)])
        assert ("Service levels" in (await group.client.post("/documents")).text) == shown, later

    await register_party(group.processes.sessions, since(AS_OF, LEEDS), mailbox="office@gb-x-office.example")
    await enter(group, OFFICE, mailbox)
    assert (await group.client.post("/documents")).headers["location"] == "/programme"
    group.client.cookies.clear()
    assert (await group.client.get("/documents")).headers["location"] == "/sign-in?next=%2Fdocuments"


async def test_a_contact_in_a_long_title_leaves_the_pages_open(group: WebHarness, mailbox: MailSink) -> None:
    await do(group, "document", **{**DOCUMENT, "title": f"{'Specification':x<193} a@b.co", "readers": "signatories"})
    for authority, page in (await pages(group, mailbox)).items():
        assert "Specificationxxx" in page, authority
        assert "a@b.co" not in page
    async with transaction(group.processes.sessions) as session:
        await save(session, AuthorityUpdate(KIRKLEES, {"signed_on": AS_OF}))
    assert "Specificationxxx" in (await group.client.get("/documents")).text
    # A row of an earlier version, which stored the longer text.
    async with transaction(group.processes.sessions) as session:
        longer = "jsonb_build_object('title', CAST(:title AS text))"
        statement = text(f"UPDATE responses SET payload = payload || {longer} WHERE kind = 'document'")
        await session.execute(statement, {"title": "y" * 210})
    assert all("y" * 200 in page for page in (await pages(group, mailbox)).values())
    assert "y" * 200 in (await group.client.get("/documents")).text


async def test_a_council_asked_whether_it_is_still_in_keeps_its_pages(group: WebHarness, mailbox: MailSink) -> None:
    await add_matcher(group.processes)
    later = {"earliest": "2028-07-01", "latest": "2028-09-30"}
    await group.processes.publish(plan(BRADFORD, 2, tender_window=later), plan(CALDERDALE))
    state = await group.processes.only()
    assert ("still-in", BRADFORD) in {(one.kind, one.authority) for one in state.proposals}
    await enter(group, BRADFORD, mailbox)
    assert (await group.client.get(await base(group))).status_code == 200
    await do(group, "leave")
    assert (await group.processes.states())[BRADFORD] == "left"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://files.leeds.example/a",
        "https://leeds.gov.uk@evil.example/",
        "https://le\u0435ds.example/",
        "https://files.leeds.example/<script>",
        "//evil.example/a",
        "",
    ],
)
def test_only_web_addresses_are_taken(url: str) -> None:
    assert not DOCUMENT_URL.fullmatch(url)


async def test_a_document_says_what_is_missing(group: WebHarness, mailbox: MailSink) -> None:
    before = await group.state_hash()
    page = await group.send(f"{await base(group)}/do/document", url="javascript:alert(1)")
    assert page.status_code == 400
    for said in (
        "Enter what the document is called",
        "begins with https://",
        "Choose what it is",
        "Choose who sees it",
    ):
        assert said in page.text
    await enter(group, KIRKLEES, mailbox)
    assert "/do/document" not in (await group.client.get(await base(group))).text
    answer = await group.client.post(f"{await base(group)}/do/document", data={**DOCUMENT, "response_id": "0" * 36})
    assert answer.status_code == 409
    assert [pair for pair in before if pair[0] != "audit_log"] == [
        pair for pair in await group.state_hash() if pair[0] != "audit_log"
    ]


async def test_decisions_and_history_are_those_of_the_members(group: WebHarness, mailbox: MailSink) -> None:
    await do(group, "commit", decided_by="Cabinet <b>, ann@leeds.example")
    seen = await pages(group, mailbox)
    for page in seen.values():
        assert "Decision taken on 26 November 2026 by Cabinet &lt;b&gt;" in page
        assert "ann@leeds.example" not in page
        for said in ("invited the others", "accepted", "committed", "In principle"):
            assert said in page
    await hide_plan(group)
    seen = await pages(group, mailbox)
    assert "Cabinet" in seen[LEEDS]
    assert "Cabinet" not in seen[BRADFORD]
