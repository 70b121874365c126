"""Links and codes of a dissolved council: its old mailbox opens nothing from the day on, its successor's does."""

import re
from datetime import UTC, date, datetime, time

import pytest

from services.application import mailbox_change, sign_in
from services.application.home import own_plans
from services.application.preferences import muted_partners, set_muted
from services.domain.links import LinkMaker
from services.local_stack.mail_sink import MailSink
from services.platform.clock import today
from services.store.addressees import addressee, mutes_for
from services.store.authorities import AuthorityUpdate, by_codes, save
from services.store.database import transaction
from services.web.signing import SESSION_COOKIE
from tests.support.api import token_of
from tests.support.coalitions import BRADFORD, LEEDS, plan, plan_id
from tests.support.ids import opportunity_id
from tests.support.web import BASE, HOST, SECRET, WebHarness, open_session, web_client

ELMBRIDGE, EAST, COUNTY = "E07000207", "GB-X-East-Surrey-Council", "E10000030"
VESTING = date(2027, 4, 1)
SUCCESSOR = "East Surrey Council (for Elmbridge)"
LATE = {"earliest": "2028-07-01", "latest": "2028-09-30"}


async def link(web: WebHarness, mailbox_of: str) -> str:
    """A link to the pair of Elmbridge and Leeds, sent to a mailbox."""
    async with web.processes.sessions() as session:
        ref = (await by_codes(session, [mailbox_of]))[mailbox_of].mailbox_ref
    pair = opportunity_id(plan_id(ELMBRIDGE), plan_id(LEEDS))
    return LinkMaker(BASE, (SECRET,)).answer(ELMBRIDGE, pair, ref, today(None)).removeprefix(BASE)


async def test_a_link_moves_to_the_successor_on_the_day(web: WebHarness) -> None:
    async with transaction(web.processes.sessions) as session:
        for code in (ELMBRIDGE, EAST):
            await save(session, AuthorityUpdate(code, {"mailbox": f"ict@{code.lower()}.example"}))
    await web.processes.publish(*(plan(code, tender_window=LATE) for code in (ELMBRIDGE, LEEDS)))
    own, successors = await link(web, ELMBRIDGE), await link(web, EAST)
    assert (await web.client.get(own)).status_code == 200
    assert (await web.client.get(successors)).status_code != 200
    later = web.processes.settings.model_copy(update={"as_of": VESTING})
    async with web_client(web.processes.sessions, later) as client:
        assert (await client.get(own)).status_code != 200
        assert (await client.get(successors)).status_code == 200
        partner = await web.link(LEEDS, opportunity_id(plan_id(ELMBRIDGE), plan_id(LEEDS)))
        assert SUCCESSOR in (await client.get(partner)).text


@pytest.mark.parametrize("registered", [True, False])
async def test_a_successor_stops_the_emails_of_a_ceased_council(
    web: WebHarness, mailbox: MailSink, registered: bool
) -> None:
    sessions = web.processes.sessions
    async with transaction(sessions) as session:
        for code in (ELMBRIDGE, EAST) if registered else (EAST,):
            await save(session, AuthorityUpdate(code, {"mailbox": f"ict@{code.lower()}.example"}))
        ref = (await by_codes(session, [EAST]))[EAST].mailbox_ref
    stop = LinkMaker(BASE, (SECRET,)).stop(ELMBRIDGE, "immediate", ref, today(None)).removeprefix(BASE)
    mailbox.clear()
    later = web.processes.settings.model_copy(update={"as_of": VESTING})
    async with web_client(sessions, later) as client:
        assert f"ict@{EAST.lower()}.example" in (await client.get(stop)).text
        button = stop.replace("/s/", "/unsubscribe/", 1)
        assert (await client.post(button, data={"List-Unsubscribe": "One-Click"})).status_code == 200
        assert (await client.post(stop, data={"emails": "no-questions"})).status_code == 303
        page = (await client.get(stop)).text
        receipts = [mail for mail in mailbox.mails() if "have changed" in mail["Subject"]]
        assert {mail["To"] for mail in receipts} == {f"ict@{EAST.lower()}.example"}
        (again,) = {found for mail in receipts for found in re.findall(rf"{BASE}(/s/\S+)", mail.get_content())}
        assert (await client.get(again)).status_code == 200
    assert "You get the weekly digest, and no emails about matches at once." in page
    assert "Nobody asks you whether your plans are still true." in page
    async with sessions() as session:
        read = await addressee(session, ELMBRIDGE, VESTING)
        rows = await by_codes(session, [ELMBRIDGE, EAST])
    assert read is not None
    assert (read.immediate, read.digest, read.confirmations) == (False, True, False)
    predecessors = {ELMBRIDGE: True} if registered else {}
    assert {code: row.immediate for code, row in rows.items()} == predecessors | {EAST: False}


@pytest.mark.parametrize("registered", [True, False])
async def test_a_successor_signs_in_by_the_ceased_councils_name(web: WebHarness, registered: bool) -> None:
    at, person = datetime.combine(VESTING, time(12), UTC), ("Ann Other", "Category manager")
    async with transaction(web.processes.sessions) as session:
        for code in (ELMBRIDGE, EAST) if registered else (EAST,):
            await save(session, AuthorityUpdate(code, {"mailbox": f"ict@{code.lower()}.example"}))
        begun = await sign_in.begin(session, [SECRET], ELMBRIDGE, at)
        assert begun.mailbox == f"ict@{EAST.lower()}.example"
        token = await sign_in.finish(session, [SECRET], begun.ticket, begun.code, person, at)
        assert token is not None
        found = await sign_in.find(session, token, at)
    assert found is not None
    assert found.authority == (ELMBRIDGE if registered else EAST)


async def test_a_successor_mutes_and_unmutes_partners(web: WebHarness) -> None:
    async with transaction(web.processes.sessions) as session:
        for code in (ELMBRIDGE, EAST):
            muted = frozenset({LEEDS}) if code == ELMBRIDGE else frozenset({BRADFORD})
            await save(session, AuthorityUpdate(code, {"mailbox": f"ict@{code.lower()}.example"}, muted))
        assert await muted_partners(session, ELMBRIDGE, VESTING) == {LEEDS, BRADFORD}
        for partner in (LEEDS, BRADFORD):
            await set_muted(session, ELMBRIDGE, partner, "Ann Other", VESTING, muted=False)
        assert (await mutes_for(session, ELMBRIDGE, VESTING)).partners == set()
        now = await set_muted(session, ELMBRIDGE, LEEDS, "Ann Other", VESTING, muted=True)
        assert (await mutes_for(session, EAST, VESTING)).partners == {LEEDS}
    assert now is not None
    assert now.mailbox == f"ict@{EAST.lower()}.example"


async def test_the_mailbox_that_is_changed_is_the_successors(web: WebHarness) -> None:
    at, person = datetime.combine(VESTING, time(12), UTC), ("Ann Other", "Category manager")
    async with transaction(web.processes.sessions) as session:
        for code in (ELMBRIDGE, EAST):
            await save(session, AuthorityUpdate(code, {"mailbox": f"ict@{code.lower()}.example"}))
        begun = await sign_in.begin(session, [SECRET], ELMBRIDGE, at)
        token = await sign_in.finish(session, [SECRET], begun.ticket, begun.code, person, at)
        assert token is not None
        account = await sign_in.find(session, token, at)
        assert account is not None
        change = await mailbox_change.begin(session, [SECRET], account, "buying@east.example", at)
        assert await mailbox_change.find(session, account, at) == change.mailboxes
        codes = change.present_code, change.new_code
        assert await mailbox_change.finish(session, [SECRET], account, codes, at) == change.mailboxes
        rows = await by_codes(session, [ELMBRIDGE, EAST])
        assert await sign_in.find(session, token, at) is None
    assert change.mailboxes.present == f"ict@{EAST.lower()}.example"
    assert {code: row.mailbox for code, row in rows.items()} == {
        ELMBRIDGE: f"ict@{ELMBRIDGE.lower()}.example",
        EAST: "buying@east.example",
    }


async def test_from_the_day_every_page_shows_the_successor(web: WebHarness) -> None:
    # Nobody succeeds the whole of the county council: two councils divide it.
    await web.processes.publish(*(plan(code, tender_window=LATE) for code in (ELMBRIDGE, COUNTY, LEEDS)))
    own = f"/p/{plan_id(LEEDS)}"
    paths = (own, "/search?need=payroll", f"{own}/what-if?change=later&months=24")
    later = web.processes.settings.model_copy(update={"as_of": VESTING})
    session, token = await open_session(web.processes.sessions, LEEDS), await token_of(web.processes.sessions, LEEDS)
    for settings, name in ((web.processes.settings, "Elmbridge"), (later, SUCCESSOR)):
        async with web_client(web.processes.sessions, settings) as client:
            client.cookies.set(SESSION_COOKIE, session, HOST, "/")
            pages = {path: (await client.get(path)).text for path in paths}
            pair = (await client.get(f"/o/{opportunity_id(plan_id(COUNTY), plan_id(LEEDS))}")).text
            answer = await client.get("/api/v1/opportunities", headers={"Authorization": f"Bearer {token}"})
            partners = {one["partner"]["authority"]: one["partner"] for one in answer.json()["items"]}
        waits = [path for path, page in pages.items() if "No successor yet" in page]
        assert all(name in page for page in pages.values())
        assert all((SUCCESSOR in page) == (settings is later) for page in pages.values())
        assert waits == (list(paths[:2]) if settings is later else [])
        assert ("Surrey County Council" in pages[paths[2]]) == (settings is not later), "nobody is gained or lost"
        assert (partners[ELMBRIDGE]["authority_name"] == SUCCESSOR) == (settings is later)
        assert (partners[ELMBRIDGE]["waits"], partners[COUNTY]["waits"]) == (False, settings is later)
        assert ("nobody has taken over its plan yet" in pair) == (settings is later)
        assert ("Continue" in pair) == (settings is not later)
    async with web.processes.sessions() as database:
        counts = [(await own_plans(database, LEEDS, day))[0].matches for day in (date(2026, 11, 26), VESTING)]
    assert counts == [2, 1]
