"""The pages of an office: its report, the signatories, convening; and what it neither sees nor says."""

import csv
import io
import re
from datetime import date, timedelta

import pytest

from events.responses import DelegationScope, ResponseAnswered
from matching.successions import Succession, SuccessionKind
from services.application import office as use
from services.application import programme as use_programme
from services.domain.parties import PartyKind
from services.local_stack.mail_sink import MailSink
from services.store.authorities import AuthorityUpdate, save
from services.store.database import transaction
from services.store.opportunities import Opportunity
from tests.support.coalitions import AS_OF, BRADFORD, KIRKLEES, LEEDS, pair_fields, plan, plan_id
from tests.support.ids import opportunity_id
from tests.support.parties import OFFICE, OFFICE_NAME, register_party, since
from tests.support.successions import in_effect
from tests.support.web import WebHarness, form_of

HUB = "GB-X-HUB"
SECRET_TITLE = "Zanzibar payroll and HR system"


@pytest.fixture
async def office(web: WebHarness) -> WebHarness:
    """Three councils that fit; Leeds and Bradford are members of a programme office, and nobody of a hub."""
    await web.processes.publish(plan(LEEDS), plan(BRADFORD), plan(KIRKLEES, title=SECRET_TITLE))
    sessions = web.processes.sessions
    await register_party(sessions, since(AS_OF, LEEDS, BRADFORD), mailbox="office@gb-x-office.example")
    await register_party(sessions, (), HUB, kind=PartyKind.PURCHASING_BODY, mailbox="hub@gb-x-hub.example")
    async with transaction(sessions) as session:
        signed = {"signed_on": AS_OF, "signatory": "Chief Digital Officer", "name": "Leeds City Council"}
        await save(session, AuthorityUpdate(LEEDS, signed))
    return web


async def _coalition(web: WebHarness) -> str:
    return (await web.processes.only()).coalition_id


async def test_the_report_has_the_numbers_of_the_command(office: WebHarness, mailbox: MailSink) -> None:
    await office.sign_in(OFFICE_NAME.upper(), mailbox)
    assert (await office.client.get("/home")).headers["location"] == "/programme"
    page = (await office.client.get("/programme?rate=2-5")).text
    assert f"Programme report as of {AS_OF.day} November 2026" in page
    assert "Authorities that have signed and not left" in page
    assert "Potential, upper" in page
    # The log's days are those of the clock, which no test sets: a late day has them all.
    found = await office.client.get("/programme.csv?rate=2-5&as_of-day=1&as_of-month=1&as_of-year=2099")
    assert found.text.startswith("\ufeffas_of,section,measure")
    rows = list(csv.DictReader(io.StringIO(found.text[1:])))
    values = {(row["section"], row["measure"]): row["value"] for row in rows}
    assert values["Coverage", "signed"] == "1"
    assert values["Freshness", "shared plans"] == "3"
    earlier = (await office.client.get("/programme?as_of-day=1&as_of-month=1&as_of-year=2026")).text
    assert "as of 1 January 2026" in earlier
    days = (("99", "2026"), ("1", "1"), ("1", "1899"), ("1", "2101"), ("1", "12345678901"))
    for wrong in ("rate=lots", *(f"as_of-day={day}&as_of-month=1&as_of-year={year}" for day, year in days)):
        refused = await office.client.get(f"/programme?{wrong}")
        assert (refused.status_code, "There is a problem" in refused.text) == (400, True)


async def test_the_report_of_a_dissolved_council_names_its_successor(office: WebHarness, mailbox: MailSink) -> None:
    await office.sign_in(OFFICE, mailbox)
    path = f"/programme?authority={LEEDS}&as_of-day=1&as_of-month={{}}&as_of-year=2027"
    with in_effect(Succession(LEEDS, "GB-X-NEW", "New Council", date(2027, 4, 1), SuccessionKind.WHOLE, "an order")):
        for month, name in ((3, "Leeds City Council"), (4, "New Council (for Leeds)")):
            assert name in (await office.client.get(path.format(month))).text
            assert f" of {name} as of 1 " in use_programme.report_page([], date(2027, month, 1), LEEDS)[0]


async def test_a_council_sees_the_numbers_about_itself_alone(office: WebHarness, mailbox: MailSink) -> None:
    await office.sign_in(LEEDS, mailbox)
    assert 'href="/programme"' in (await office.client.get("/home")).text
    assert 'href="/home" class="govuk-back-link"' in (await office.client.get("/programme")).text
    for path in ("/programme", f"/programme?authority={BRADFORD}"):
        page = (await office.client.get(path)).text
        assert "Leeds" in page
        assert "Bradford" not in page
        assert "Invitations" not in page
    rows = list(csv.DictReader(io.StringIO((await office.client.get("/programme.csv")).text[1:])))
    assert {row["section"] for row in rows} == {"Sharing ahead", "Coverage", "Freshness"}
    for path in ("/signatories", "/signatories.csv", "/convene", f"/convene/{await _coalition(office)}"):
        assert (await office.client.get(path)).status_code == 404


async def test_the_signatories_lead_to_each_ones_numbers(office: WebHarness, mailbox: MailSink) -> None:
    await office.sign_in(OFFICE, mailbox)
    page = (await office.client.get("/signatories")).text
    assert "Chief Digital Officer" in page
    assert "procurement@" not in page
    (link,) = re.findall(r'href="(/programme\?authority=[^"]+)"', page)
    numbers = (await office.client.get(link)).text
    assert "Leeds" in numbers
    assert 'href="/signatories" class="govuk-back-link"' in numbers
    assert '<a class="govuk-link" href="/programme">The whole programme</a>' in numbers
    written = (await office.client.get("/signatories.csv")).text
    assert f"{LEEDS},Leeds City Council,Chief Digital Officer,{AS_OF.isoformat()},," in written


async def test_an_office_convenes_and_sees_what_its_members_share(office: WebHarness, mailbox: MailSink) -> None:
    await office.sign_in(OFFICE, mailbox)
    path = f"/convene/{await _coalition(office)}"
    overview, page = (await office.client.get("/convene")).text, (await office.client.get(path)).text
    for text in (overview, page):
        assert "Leeds" in text
        assert "Zanzibar" not in text
        assert "Kirklees" not in text
    assert "1 council more in this group" in page
    nobody = await office.send(path, plan=plan_id(LEEDS), reply_days="20")
    assert (nobody.status_code, "Choose at least 2 councils" in nobody.text) == (400, True)
    _, hidden = await _form(office, path)
    plans = [plan_id(LEEDS), plan_id(BRADFORD), plan_id(KIRKLEES)]
    sent = await office.client.post(path, data={**hidden, "plan": plans, "reply_days": "20", "scope": "Payroll"})
    assert sent.status_code == 303
    await office.deliver()
    assert "Invitation sent" in (await office.client.get(sent.headers["location"])).text
    assert await office.processes.states() == {LEEDS: "invited", BRADFORD: "invited", KIRKLEES: "suggested"}
    again = await office.client.post(path, data={**hidden, "plan": plans, "reply_days": "20"})
    assert again.status_code == 409
    (act,) = await office.processes.rows("SELECT actor FROM audit_log WHERE action = 'response-sent'")
    assert act.actor is not None
    office.client.cookies.clear()
    await office.sign_in(LEEDS, mailbox)
    group = (await office.client.get(f"/c/{await _coalition(office)}")).text
    assert OFFICE_NAME in group
    assert "Payroll" in group


async def test_an_office_convenes_a_pair_that_is_in_no_group(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD, title=SECRET_TITLE))
    await register_party(web.processes.sessions, since(AS_OF, LEEDS, BRADFORD), mailbox="office@gb-x-office.example")
    await web.sign_in(OFFICE, mailbox)
    overview = (await web.client.get("/convene")).text
    (path,) = re.findall(r'href="(/convene/[0-9a-f]{32})"', overview)
    page, (_, hidden) = (await web.client.get(path)).text, await _form(web, path)
    assert all(name in text for name in ("Leeds", "Bradford", SECRET_TITLE) for text in (overview, page))
    chosen = {"plan": [plan_id(LEEDS), plan_id(BRADFORD)], "reply_days": "20", "scope": "Payroll"}
    sent = await web.client.post(path, data={**hidden, **chosen})
    await web.deliver()
    said = (await web.client.get(sent.headers["location"])).text
    assert "Invitation sent" in said
    assert f"/convene/{await _coalition(web)}" in said
    assert await web.processes.states() == {LEEDS: "invited", BRADFORD: "invited"}
    assert (await web.client.post(path, data={**hidden, **chosen})).status_code == 409
    assert path not in (await web.client.get("/convene")).text


async def test_a_pair_that_a_council_calls_not_the_same_thing_is_not_shown(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD))
    await register_party(web.processes.sessions, since(AS_OF, LEEDS, BRADFORD), mailbox="office@gb-x-office.example")
    await web.sign_in(OFFICE, mailbox)
    assert "Pairs" in (await web.client.get("/convene")).text
    await web.processes.respond(ResponseAnswered(**pair_fields(LEEDS, BRADFORD, 900), answer="not-the-same"))
    assert "Pairs" not in (await web.client.get("/convene")).text


async def test_a_pair_is_listed_up_to_its_day_to_decide(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD))
    await register_party(web.processes.sessions, since(AS_OF, LEEDS, BRADFORD), mailbox="office@gb-x-office.example")
    await web.sign_in(OFFICE, mailbox)
    pair = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
    for decide_by, shown in ((AS_OF, True), (AS_OF - timedelta(days=1), False)):
        async with transaction(web.processes.sessions) as session:
            row = await session.get(Opportunity, pair)
            assert row is not None
            row.payload = {**row.payload, "decide_by": decide_by.isoformat()}
        assert ("Pairs" in (await web.client.get("/convene")).text) == shown
        assert ((await web.client.get(f"/convene/{pair}")).status_code == 200) == shown


async def test_the_best_pairs_are_listed(web: WebHarness, mailbox: MailSink, monkeypatch: pytest.MonkeyPatch) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD), plan(KIRKLEES, title="HR and payroll, hosted"))
    members = since(AS_OF, LEEDS, BRADFORD, KIRKLEES)
    await register_party(web.processes.sessions, members, mailbox="office@gb-x-office.example")
    await web.processes.respond(ResponseAnswered(**pair_fields(LEEDS, BRADFORD, 900), answer="not-the-same"))
    await web.sign_in(OFFICE, mailbox)
    page = (await web.client.get("/convene")).text
    pairs = page[page.index("<h2") :]
    assert pairs.count('href="/convene/') == 2, pairs
    assert '<span class="govuk-visually-hidden">, Bradford and Kirklees</span>' in pairs
    assert "best matches" not in pairs
    monkeypatch.setattr(use, "PAIR_LIMIT", 1)
    page = (await web.client.get("/convene")).text
    pairs = page[page.index("<h2") :]
    assert pairs.count('href="/convene/') == 1, pairs
    assert "Only the best matches are listed; there are more than 1." in pairs


async def test_hidden_groups_do_not_use_up_the_limit_of_the_list(
    office: WebHarness, mailbox: MailSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = {
        "title": "Grounds maintenance of parks",
        "description": "Mowing, planting and upkeep of parks and cemeteries.",
        "cpv": ["77310000"],
        "tender_window": {"earliest": "2027-10-01", "latest": "2027-12-31"},
    }
    parks = {code: f"{code}:PARKS" for code in (LEEDS, BRADFORD, KIRKLEES)}
    await office.processes.publish(*(plan(code, plan_id=parks[code], **need) for code in parks))
    monkeypatch.setattr(use, "GROUP_LIMIT", 1)
    await office.sign_in(OFFICE, mailbox)
    page = (await office.client.get("/convene")).text
    assert "Only 1 groups are listed; there are more." in page
    assert "HR and payroll" in page
    assert "Grounds maintenance" not in page
    hidden = [plan(code, 2, sharing="match_only") for code in (LEEDS, BRADFORD)]
    await office.processes.matcher.handle([office.processes.record(one) for one in hidden])
    page = (await office.client.get("/convene")).text
    assert "there are more" not in page
    assert "HR and payroll" not in page
    assert "Grounds maintenance" in page


async def test_a_pair_with_a_plan_that_is_not_open_is_not_shown(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD, sharing="match_only"))
    await register_party(web.processes.sessions, since(AS_OF, LEEDS, BRADFORD), mailbox="office@gb-x-office.example")
    await web.sign_in(OFFICE, mailbox)
    assert "Pairs" not in (await web.client.get("/convene")).text
    pair = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
    assert (await web.client.get(f"/convene/{pair}")).status_code == 404


async def test_a_plan_shared_no_longer_leaves_the_offices_pages(office: WebHarness, mailbox: MailSink) -> None:
    await office.processes.matcher.handle([office.processes.record(plan(LEEDS, 2, sharing="match_only"))])
    await office.sign_in(OFFICE, mailbox)
    page = (await office.client.get(f"/convene/{await _coalition(office)}")).text
    assert "Leeds" not in page
    assert "At least two of your members" in page


async def test_a_hub_has_no_report_and_no_groups_of_others(office: WebHarness, mailbox: MailSink) -> None:
    await office.sign_in(HUB, mailbox)
    assert (await office.client.get("/programme")).headers["location"] == "/convene"
    assert "No plans of your members are in a group yet." in (await office.client.get("/convene")).text
    for path in ("/signatories", "/programme.csv", f"/convene/{await _coalition(office)}"):
        assert (await office.client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/search?need=payroll", "/documents", f"/p/{plan_id(LEEDS)}", "/c/{coalition}"])
async def test_an_office_is_led_away_from_councils_pages(office: WebHarness, mailbox: MailSink, path: str) -> None:
    await office.sign_in(OFFICE, mailbox)
    found = await office.client.get(path.format(coalition=await _coalition(office)))
    assert found.status_code in (303, 404)
    assert "Zanzibar" not in found.text


async def test_a_council_lets_an_office_act_and_ends_it(office: WebHarness, mailbox: MailSink) -> None:
    await office.sign_in(LEEDS, mailbox)
    path = "/settings/delegations"
    empty = await office.send(path)
    assert empty.status_code == 400
    for problem in ("Choose an office", "Choose what it may do", "Enter the last day"):
        assert problem in empty.text
    until = {"until-day": "31", "until-month": "1", "until-year": "2027"}
    done = await office.send(path, party=OFFICE, scope=DelegationScope.TAKE_PART.value, **until)
    await office.deliver()
    page = (await office.client.get(done.headers["location"])).text
    assert "A receipt comes to your council" in page
    assert "26 November 2026 to 31 January 2027" in page
    (row,) = await office.processes.rows("SELECT authority, party, scope FROM delegations")
    assert tuple(row) == (LEEDS, OFFICE, "take-part")
    end = re.findall(
        r'action="(/settings/delegations/end)">\s+<input type="hidden" name="response_id" value="([^"]+)"', page
    )
    data = {"response_id": end[0][1], "party": OFFICE}
    assert (await office.client.post(end[0][0], data=data)).status_code == 303
    await office.deliver()
    assert "Nobody may act for your council." in (await office.client.get(path)).text
    assert (await office.client.post(end[0][0], data=data | {"response_id": "0" * 36})).status_code == 409
    assert (await office.processes.rows("SELECT scope FROM delegations"))[0].scope is None


async def _form(web: WebHarness, path: str) -> tuple[str, dict[str, str]]:
    return form_of((await web.client.get(path)).text)
