"""Who finds out with plans made up for it what plans shared as match_only are about is counted and named."""

from collections.abc import Sequence
from datetime import timedelta

import pytest_asyncio
from sqlalchemy import text

from events.plans import PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn
from services.matcher import database_metrics
from services.matcher.batch_handler import Matcher
from services.platform import metrics
from services.store import opportunities
from services.store.database import Sessions, now
from services.store.opportunities import Probes
from tests.pipeline import record_of
from tests.support.matcher import make_matcher

LEEDS, CAMDEN = "E08000035", "E09000007"


@pytest_asyncio.fixture
async def matcher(sessions: Sessions) -> Matcher:
    return await make_matcher(sessions)


def plan(authority: str, reference: str, sharing: str = "open") -> PlanPublished:
    return PlanPublished.model_validate(
        {
            "plan_id": f"{authority}:{reference}",
            "revision": 1,
            "authority": authority,
            "title": "Replacement of the HR and payroll system",
            "kind": "renewal",
            "cpv": ["48450000"],
            "sharing": sharing,
            "tender_window": {"earliest": "2027-03-01", "latest": "2027-06-30"},
        }
    )


async def take(matcher: Matcher, *payloads: PlanPayload) -> None:
    await matcher.handle([record_of(payload, number) for number, payload in enumerate(payloads)])


async def counted(sessions: Sessions, since: timedelta = database_metrics.PROBES_SPAN) -> Sequence[Probes]:
    async with sessions() as session:
        return await opportunities.probes(session, now() - since, database_metrics.PROBE_WITHIN, 10)


async def test_plans_that_probed_hidden_ones_are_counted(matcher: Matcher, sessions: Sessions) -> None:
    probes = [plan(CAMDEN, f"P-{number}") for number in range(12)]
    await take(matcher, plan(LEEDS, "HR", "match_only"))
    await take(matcher, *probes)
    assert await counted(sessions) == [], "to meet is no offence"
    ended = [PlanWithdrawn(plan_id=one.plan_id, revision=2, authority=CAMDEN) for one in probes[:11]]
    await take(matcher, *ended)
    await take(matcher, PlanUpdated.model_validate(probes[11].model_dump() | {"revision": 2, "title": "Payroll"}))
    assert await counted(sessions) == [Probes(CAMDEN, 12)]
    assert await counted(sessions, timedelta(0)) == []

    await database_metrics.measure_reach(sessions, database_metrics.Reported())
    assert metrics.MATCH_ONLY_PROBES._value.get() == 12
    async with sessions() as session:
        await session.execute(text("UPDATE opportunities SET created_at = created_at - interval '8 days'"))
        await session.commit()
    assert await counted(sessions) == [], "what was changed later than a week after it met is no probe"


async def test_open_plans_are_nobodys_secret(matcher: Matcher, sessions: Sessions) -> None:
    await take(matcher, plan(LEEDS, "HR"), plan(CAMDEN, "P-1"))
    await take(matcher, PlanWithdrawn(plan_id=f"{CAMDEN}:P-1", revision=2, authority=CAMDEN))
    assert await counted(sessions) == []
