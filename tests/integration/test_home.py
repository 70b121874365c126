"""A council with more plans and matches than a page shows: nothing is hidden by what belongs to another plan."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.application import home
from tests.support.coalitions import AS_OF, BRADFORD, LEEDS, CoalitionsHarness, open_harness, plan, plan_id

WEAKER = f"{LEEDS}:HR-0"
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
