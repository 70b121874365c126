"""What a signed-in council sees and does: groups, plans, search and emails. And what is another council's."""

import re
from datetime import timedelta

import pytest

from services.domain.links import LinkMaker
from services.local_stack.mail_sink import MailSink
from services.platform.clock import today
from services.store import authorities
from tests.support.coalitions import ALL, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, plan, plan_id
from tests.support.ids import opportunity_id
from tests.support.web import BASE, SECRET, WebHarness, form_of, web_client

THREE = (LEEDS, BRADFORD, KIRKLEES)
ROADS = {"title": "Gritting of roads", "description": "Salt and gritters for winter.", "cpv": ["90630000"]}


@pytest.fixture
async def three(web: WebHarness) -> WebHarness:
    """Three councils with one need, and a fourth with another."""
    await web.processes.publish(*(plan(authority) for authority in THREE), plan(CALDERDALE, **ROADS))
    return web


async def do(web: WebHarness, act: str, **fields: str | list[str]) -> None:
    """Does something in the only coalition; the page has offered it."""
    path = f"/c/{(await web.processes.only()).coalition_id}"
    overview = await web.client.get(path)
    assert f'href="{path}/do/{act}"' in overview.text
    page = await web.client.get(f"{path}/do/{act}")
    action, hidden = form_of(page.text)
    done = await web.client.post(action, data={**hidden, **fields})
    assert done.status_code == 303, done.text
    await web.deliver()
    assert "Reply sent" in (await web.client.get(done.headers["location"])).text


async def test_three_councils_form_a_group_on_the_pages_alone(three: WebHarness, mailbox: MailSink) -> None:
    await three.sign_in(LEEDS, mailbox)
    guests = [plan_id(BRADFORD), plan_id(KIRKLEES)]
    await do(three, "invite", guest=guests, route="No framework covers payroll.", scope="Payroll", reply_days="20")
    assert (await three.processes.only()).status == "inviting"
    await do(three, "dates", **{"reply_by-day": "15", "reply_by-month": "1", "reply_by-year": "2027"})
    for council in (BRADFORD, KIRKLEES):
        three.client.cookies.clear()
        await three.sign_in(council, mailbox)
        assert "You are invited" in (await three.client.get("/home")).text
        await do(three, "accept")
    state = await three.processes.only()
    assert (state.status, state.lead) == ("formed", plan_id(LEEDS))
    await do(three, "commit")
    await do(three, "leave")
    rows = await three.processes.rows(
        "SELECT count(DISTINCT actor) FROM audit_log WHERE action = 'response-sent' AND actor IS NOT NULL"
    )
    assert rows[0][0] == 3


async def test_one_partner_is_invited_from_the_pair(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD))
    pair = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
    invite = f"/c/{pair}/do/invite"
    assert f'href="{invite}"' in (await web.client.get(await web.link(LEEDS, pair))).text
    entered = await web.sign_in(LEEDS, mailbox, invite)
    assert entered.headers["location"] == invite
    done = await web.send(invite, route="No framework covers payroll.", reply_days="20")
    assert done.status_code == 303
    await web.deliver()
    state = await web.processes.only()
    assert (state.status, state.lead) == ("inviting", plan_id(LEEDS))


async def test_an_invitation_says_what_is_missing(three: WebHarness, mailbox: MailSink) -> None:
    await three.sign_in(LEEDS, mailbox)
    page = await three.send(f"/c/{(await three.processes.only()).coalition_id}/do/invite", reply_days="99")
    assert page.status_code == 400
    for problem in ("Choose at least one council", "Enter what you checked before", "Choose how long"):
        assert problem in page.text
    assert await three.deliver() == 0


async def test_what_can_not_be_done_is_not_offered_and_not_taken(three: WebHarness, mailbox: MailSink) -> None:
    await three.sign_in(LEEDS, mailbox)
    path = f"/c/{(await three.processes.only()).coalition_id}"
    overview = await three.client.get(path)
    for act in ("accept", "join", "commit", "leave", "dates"):
        assert f"/do/{act}" not in overview.text
        answer = await three.client.post(f"{path}/do/{act}", data={"response_id": "0" * 36})
        assert answer.status_code == 409
    assert (await three.client.get(f"{path}/do/anything")).status_code == 404
    assert await three.deliver() == 0


async def test_home_plan_and_pair(three: WebHarness, mailbox: MailSink) -> None:
    await three.sign_in(LEEDS, mailbox)
    home = await three.client.get("/home")
    assert "Say whether you are interested" in home.text
    assert f'href="/p/{plan_id(LEEDS)}"' in home.text
    assert "Gritting" not in home.text
    own = await three.client.get(f"/p/{plan_id(LEEDS)}")
    pair = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
    assert f'href="/o/{pair}"' in own.text
    answered = await three.send(f"/o/{pair}", answer="interested")
    assert answered.headers["location"] == f"/o/{pair}/check?answer=interested"


async def test_who_else_searches_what_is_open(three: WebHarness, mailbox: MailSink) -> None:
    marked = {**ROADS, "title": "Gritting of roads ZEBRA"}
    await three.processes.publish(plan(CALDERDALE, revision=2, **marked, sharing="match_only"))
    await three.sign_in(LEEDS, mailbox)
    found = await three.client.get("/search?need=PAYROLL")
    assert "2 plans" in found.text
    assert "Kirklees" in found.text
    assert (
        "<td" not in (await three.client.get("/search?need=payroll&latest-day=1&latest-month=1&latest-year=2027")).text
    )
    for query in ("need=gritting", "need=ZEBRA", "need=%25", "need=_", "supplier=%25"):
        page = await three.client.get(f"/search?{query}")
        assert page.status_code == 200
        assert "No plan" in page.text
        assert ROADS["description"] not in page.text
    assert (await three.client.get("/search?earliest-day=99")).status_code == 200


async def test_emails_are_changed_by_session_by_link_and_by_button(three: WebHarness, mailbox: MailSink) -> None:
    await three.sign_in(LEEDS, mailbox)
    mailbox.clear()
    saved = await three.send("/settings", emails="digest-only")
    assert "Saved" in (await three.client.get(saved.headers["location"])).text
    receipt = mailbox.mails()[-1].get_content()
    undo = re.search(rf"{BASE}(/s/\S+)", receipt)
    assert undo is not None
    three.client.cookies.clear()
    assert (await three.send(undo[1], emails="all")).status_code == 303
    assert await three.processes.rows("SELECT 1 FROM authorities WHERE NOT immediate") == []
    one_click = undo[1].replace("/s/", "/unsubscribe/")
    assert (await three.client.get(one_click)).headers["location"] == undo[1]
    async with web_client(three.processes.sessions, three.processes.settings, {}) as mail_program:
        assert (await mail_program.post(one_click, data={})).status_code == 400
        done = await mail_program.post(one_click, data={"List-Unsubscribe": "One-Click"})
    assert (done.status_code, "set-cookie" in done.headers) == (200, False)
    rows = await three.processes.rows("SELECT authority FROM authorities WHERE NOT immediate")
    assert [row.authority for row in rows] == [LEEDS]
    assert "by the unsubscribe button" in mailbox.mails()[-1].get_content()


async def test_every_id_of_another_council_is_not_found(three: WebHarness, mailbox: MailSink) -> None:
    """IDOR: a signed-in council asks for everything that is others', by every route that takes an id."""
    coalition = (await three.processes.only()).coalition_id
    pair = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
    await three.sign_in(CALDERDALE, mailbox)
    before = await three.state_hash()
    for subject in (coalition, pair):
        for path in (
            f"/c/{subject}",
            f"/c/{subject}/do/invite",
            f"/o/{subject}",
            f"/o/{subject}/check?answer=interested",
        ):
            page = await three.client.get(path)
            assert page.status_code == 404, path
            assert "payroll" not in page.text
        for path in (f"/c/{subject}/do/accept", f"/o/{subject}", f"/o/{subject}/send", f"/c/{subject}/undo"):
            data = {"answer": "interested", "response_id": "0" * 36}
            assert (await three.client.post(path, data=data)).status_code == 404, path
    for authority in THREE:
        assert (await three.client.get(f"/p/{plan_id(authority)}")).status_code == 404
    assert await three.state_hash() == before


async def test_a_session_and_another_councils_link_do_not_mix(three: WebHarness, mailbox: MailSink) -> None:
    path = await three.link(BRADFORD)
    await three.sign_in(LEEDS, mailbox)
    page = await three.client.get(f"{path}/check?answer=interested")
    action, hidden = form_of(page.text)
    await three.client.post(action, data=hidden)
    await three.deliver()
    rows = await three.processes.rows("SELECT authority FROM responses")
    assert [row.authority for row in rows] == [BRADFORD]


async def test_another_sites_form_does_nothing_with_a_session(three: WebHarness, mailbox: MailSink) -> None:
    await three.sign_in(LEEDS, mailbox)
    path = f"/c/{(await three.processes.only()).coalition_id}/do/lead"
    before = await three.state_hash()
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        for target in (path, "/settings", "/sign-out"):
            data = {"emails": "stop", "response_id": "0" * 36}
            assert (await three.client.post(target, data=data, headers=headers)).status_code == 403
    assert await three.state_hash() == before


async def test_a_stop_link_ends_with_its_days(three: WebHarness) -> None:
    async with three.processes.sessions() as session:
        row = (await authorities.by_codes(session, [LEEDS]))[LEEDS]
    links = LinkMaker(BASE, (SECRET,))
    old = links.stop(LEEDS, "immediate", row.mailbox_ref, today(None) - timedelta(days=61)).removeprefix(BASE)
    assert (await three.client.get(old)).status_code == 410
    assert (
        await three.client.post(old.replace("/s/", "/unsubscribe/"), data={"List-Unsubscribe": "One-Click"})
    ).status_code == 410


async def test_hostile_text_is_text_on_the_pages_of_the_signed_in(web: WebHarness, mailbox: MailSink) -> None:
    title = "HR and payroll <script>alert(1)</script>\"'><img src=x>"
    await web.processes.publish(*(plan(authority, title=title) for authority in ALL))
    await web.sign_in(LEEDS, mailbox)
    coalition = (await web.processes.only()).coalition_id
    for path in (
        "/home",
        f"/c/{coalition}",
        f"/c/{coalition}/do/invite",
        f"/p/{plan_id(LEEDS)}",
        "/search?need=payroll",
    ):
        page = await web.client.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "&lt;script&gt;" in page.text
