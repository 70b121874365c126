"""Links and codes of a dissolved council: its old mailbox opens nothing from the day on, its successor's does."""

from datetime import date

from services.domain.ids import opportunity_id
from services.domain.links import LinkMaker
from services.platform.clock import today
from services.store.authorities import AuthorityUpdate, by_codes, save
from services.store.database import transaction
from tests.support.coalitions import LEEDS, plan, plan_id
from tests.support.web import BASE, SECRET, WebHarness, web_client

ELMBRIDGE, EAST = "E07000207", "GB-X-East-Surrey-Council"
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
    later = web.processes.settings.model_copy(update={"as_of": date(2027, 4, 1)})
    async with web_client(web.processes.sessions, later) as client:
        assert (await client.get(own)).status_code != 200
        assert (await client.get(successors)).status_code == 200
        partner = await web.link(LEEDS, opportunity_id(plan_id(ELMBRIDGE), plan_id(LEEDS)))
        assert "East Surrey Council (for Elmbridge)" in (await client.get(partner)).text
