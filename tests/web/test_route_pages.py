"""A plan's route record on the pages: prompted, never locked, taken back, and printed for the file."""

import pytest

from services.local_stack.mail_sink import MailSink
from tests.support.api import add_matcher
from tests.support.coalitions import BRADFORD, CALDERDALE, LEEDS, plan, plan_id
from tests.support.web import WebHarness, web_client

ROUTE = f"/p/{plan_id(LEEDS)}/route"
NEW = {"subject": "plan", "step": "new", "outcome": "chosen", "reason": "", "by": "Category manager, ICT"}


@pytest.fixture
async def leeds(grouped: WebHarness, mailbox: MailSink) -> WebHarness:
    """Leeds has signed in, and is in a group of three."""
    await grouped.sign_in(LEEDS, mailbox)
    return grouped


async def record(web: WebHarness, path: str, **fields: str) -> str:
    """Records a step; the page that it leads to."""
    sent = await web.send(path, **fields)
    assert sent.status_code == 303, sent.text
    await web.deliver()
    return (await web.client.get(sent.headers["location"])).text


async def test_steps_are_recorded_in_any_order(leeds: WebHarness, mailbox: MailSink) -> None:
    assert f'href="{ROUTE}"' in (await leeds.client.get(f"/p/{plan_id(LEEDS)}")).text
    page = await record(leeds, ROUTE, **NEW)
    assert "Nothing is recorded yet of these routes: a framework, a group with a tender of its own" in page
    group = (await leeds.processes.only()).coalition_id
    hostile = "<script>alert(1)</script>"
    looked = {"step": "framework", "outcome": "unsuitable", "reason": "scope", "candidates": f"EX-1\n{hostile}"}
    page = await record(leeds, ROUTE, **looked, subject=group, by="Category manager", note="Write to ann@leeds.example")
    assert "&lt;script&gt;alert(1)" in page
    assert hostile not in page
    assert "ann@leeds.example" not in page
    assert "these routes: a group with a tender of its own" in page
    note = await leeds.client.get(f"{ROUTE}/note")
    assert note.headers["content-type"].startswith("text/plain")
    assert "1. Framework: looked at, does not suit (scope). Category manager, 26 November 2026." in note.text
    assert len(note.text.splitlines()) < 20

    async with web_client(leeds.processes.sessions, leeds.processes.settings) as browser:
        bradford = WebHarness(leeds.processes, browser)
        await bradford.sign_in(BRADFORD, mailbox)
        theirs = f"/p/{plan_id(BRADFORD)}/route"
        assert "EX-1" in (await browser.get(theirs)).text
        assert "Take back" not in (await browser.get(theirs)).text
        await add_matcher(leeds.processes)
        await leeds.processes.publish(plan(LEEDS, revision=2, sharing="match_only"))
        assert "EX-1" not in (await browser.get(theirs)).text

    (row,) = await leeds.processes.rows("SELECT response_id FROM responses WHERE payload->>'step' = 'new'")
    undone = await leeds.client.post(f"{ROUTE}/undo", data={"response_id": row.response_id})
    await leeds.deliver()
    assert "Recorded." in (await leeds.client.get(undone.headers["location"])).text
    assert "Nothing is recorded yet" not in (await leeds.client.get(ROUTE)).text
    assert (await leeds.client.post(f"{ROUTE}/undo", data={"response_id": row.response_id})).status_code == 409


async def test_a_record_says_what_is_missing_and_is_closed_to_others(leeds: WebHarness, mailbox: MailSink) -> None:
    page = await leeds.send(ROUTE, **{"asked_at-day": "99"})
    assert page.status_code == 400
    for said in ("Choose what you record it for", "Choose a route", "Choose what came of it", "your position"):
        assert said in page.text
    before = await leeds.state_hash()
    response_id = "0" * 36
    for headers, status in (({"Sec-Fetch-Site": "cross-site"}, 403), ({}, 303)):
        answer = await leeds.client.post(
            ROUTE, data={**NEW, "response_id": response_id}, headers={"Sec-Fetch-Site": "same-origin", **headers}
        )
        assert answer.status_code == status
        assert (await leeds.state_hash() == before) == (status == 403)
    before = await leeds.state_hash()
    leeds.client.cookies.clear()
    await leeds.sign_in(CALDERDALE, mailbox)
    signed_in = await leeds.state_hash()
    for path in (ROUTE, f"{ROUTE}/note", f"/p/{CALDERDALE}:NONE/route"):
        assert (await leeds.client.get(path)).status_code == 404
    for path in (ROUTE, f"{ROUTE}/undo"):
        answer = await leeds.client.post(path, data={**NEW, "response_id": response_id})
        assert answer.status_code == 404
    assert await leeds.state_hash() == signed_in
