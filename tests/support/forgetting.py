"""A plan that is to be forgotten, and where its words are."""

from typing import Any

from sqlalchemy import text

from events.cloudevents import decode
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from events.plans import PlanPublished, PlanUpdated, PlanWithdrawn
from events.topics import OPPORTUNITIES
from services.matcher import erasure
from services.store.database import transaction
from tests.support.matcher import MatcherHarness

WORD = "Quixotrix"
"""A word that only the plan to be forgotten uses."""


def plan(reference: str, authority: str, **changes: Any) -> PlanPublished:
    """A payroll system with `WORD` in it."""
    return PlanPublished.model_validate(
        {
            "plan_id": f"{authority}:{reference}",
            "revision": 1,
            "authority": authority,
            "title": f"{WORD} payroll system",
            "description": f"Hosted HR and payroll software by {WORD} with self-service and pensions reporting.",
            "kind": "renewal",
            "cpv": ["48450000"],
            "tender_window": {"earliest": "2027-06-01", "latest": "2027-09-30"},
            **changes,
        }
    )


OURS = plan("HR-1", "E08000035")
THEIRS = plan("P-9", "E09000003", title="Payroll system", description="HR and payroll software with self-service.")
LATER = PlanUpdated.model_validate({**OURS.model_dump(), "revision": 2, "title": f"{WORD} payroll and HR system"})
ENDED = PlanWithdrawn(plan_id=OURS.plan_id, revision=3, authority=OURS.authority, reason=f"No {WORD} needed")


async def forget(harness: MatcherHarness, subject: str) -> erasure.ErasedContent:
    """Erase all plans of an authority, or one."""
    async with transaction(harness.sessions) as session:
        ids = await erasure.plans_of(session, subject)
    return await erasure.erase(harness.sessions, harness.matcher.context.engine.policy, ids)


async def tables_with(harness: MatcherHarness, word: str) -> set[str]:
    """The tables of which a row holds the word, as text, in JSON or as bytes."""
    names = await harness.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = set()
    for (name,) in names:
        query = f'SELECT count(*) FROM "{name}" t WHERE t::text LIKE :word OR t::text LIKE :hex'
        async with transaction(harness.sessions) as session:
            given = {"word": f"%{word}%", "hex": f"%{word.encode().hex()}%"}
            if (await session.execute(text(query), given)).scalar_one():
                found.add(name)
    return found


async def messages(harness: MatcherHarness) -> list[OpportunityState | None]:
    """What the opportunities' topic is told, in order; None for a tombstone."""
    rows = await harness.rows(f"SELECT headers, value FROM outbox WHERE topic = '{OPPORTUNITIES.name}' ORDER BY id")
    return [
        decode([(n, v.encode()) for n, v in headers], bytes(value), OPPORTUNITY_PAYLOADS).payload if value else None  # type: ignore[misc]
        for headers, value in rows
    ]
