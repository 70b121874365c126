"""A council with more plans and matches than a page shows: nothing is hidden by what belongs to another plan."""

from collections.abc import AsyncIterator

import pytest_asyncio

from events.responses import ResponseAnswered, ResponseInvited
from services.application import home
from services.store.database import now
from tests.support.coalitions import (
    AS_OF,
    BRADFORD,
    KIRKLEES,
    LEEDS,
    CoalitionsHarness,
    open_harness,
    pair_fields,
    plan,
    plan_id,
    response_fields,
)

WEAKER = f"{LEEDS}:HR-0"
TELEPHONY = {"title": "Telephony system", "description": "Telephone lines and handsets.", "cpv": ["64210000"]}
LATER = {"earliest": "2027-08-01", "latest": "2027-12-31"}


@pytest_asyncio.fixture
async def harness(database_url: str) -> AsyncIterator[CoalitionsHarness]:
    """Leeds has two plans that match one of Bradford. The later plan matches less well; its id comes first."""
    async with open_harness(database_url) as made:
        weaker = plan(LEEDS, plan_id=WEAKER, tender_window=LATER, value={"amount": 90_000})
        await made.publish(weaker, plan(LEEDS), plan(BRADFORD))
        yield made


async def test_a_plans_page_shows_its_matches_however_many_the_council_has(harness: CoalitionsHarness) -> None:
    async with harness.sessions() as session:
        for own in (plan_id(LEEDS), WEAKER):
            found = await home.load_plan(session, LEEDS, own, AS_OF, limit=1)
            assert found is not None
            assert [one.council for one in found[1]] == ["Bradford"]


async def test_the_earliest_plans_are_shown(harness: CoalitionsHarness) -> None:
    async with harness.sessions() as session:
        assert [one.plan_id for one in await home.own_plans(session, LEEDS, AS_OF)] == [plan_id(LEEDS), WEAKER]
        assert [one.plan_id for one in await home.own_plans(session, LEEDS, AS_OF, limit=1)] == [plan_id(LEEDS)]


async def test_a_reply_is_due_however_many_newer_groups_there_are(harness: CoalitionsHarness) -> None:
    await harness.respond(ResponseInvited(**pair_fields(BRADFORD, LEEDS, 900)))
    invited = await harness.only()
    await harness.publish(*(plan(code, plan_id=f"{code}:T-1", **TELEPHONY) for code in (LEEDS, BRADFORD, KIRKLEES)))
    newer = next(one for one in await harness.coalitions() if one.coalition_id != invited.coalition_id)
    fields = response_fields(LEEDS, newer.coalition_id, newer.terms_revision, 901) | {"plan_id": f"{LEEDS}:T-1"}
    await harness.respond(ResponseAnswered(**fields, answer="interested"))
    async with harness.sessions() as session:
        found = await home.load_home(session, LEEDS, now(), AS_OF, limit=1)
        others = await home.load_home(session, KIRKLEES, now(), AS_OF, limit=1)
    assert [one.state.coalition_id for one in found.coalitions] == [newer.coalition_id]
    assert [one.state.coalition_id for one in found.due] == [invited.coalition_id]
    assert [one.state.coalition_id for one in others.due] == [newer.coalition_id]
