"""Links and codes of a dissolved council: its old mailbox opens nothing from the day on, its successor's does."""

from datetime import date

from services.application.home import own_plans
from services.domain.ids import opportunity_id
from services.domain.links import LinkMaker
from services.platform.clock import today
from services.store.authorities import AuthorityUpdate, by_codes, save
from services.store.database import transaction
from services.web.signing import SESSION_COOKIE
from tests.support.api import token_of
from tests.support.coalitions import LEEDS, plan, plan_id
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


async def test_a_link_moves_from_the_council_to_its_successor_on_the_day(web: WebHarness) -> None:
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


async def test_from_the_day_every_page_shows_the_successor_and_what_waits(web: WebHarness) -> None:
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
