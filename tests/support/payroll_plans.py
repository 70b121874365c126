"""Plans for a payroll system, and councils with a mailbox."""

import asyncio

from events.plans import PlanPublished, PlanUpdated
from services.store import authorities as register
from services.store.authorities import AuthorityUpdate
from services.store.database import make_engine, make_sessions, transaction

LEEDS, BARNET = "E08000035", "E09000003"


def plan(reference: str, authority: str = LEEDS, **changes: object) -> PlanPublished:
    """The same need in every council."""
    return PlanPublished.model_validate(
        {
            "plan_id": f"{authority}:{reference}",
            "revision": 1,
            "authority": authority,
            "title": "HR and payroll system",
            "description": "Replacement of the human resources and payroll system for 6,000 staff and 90 schools.",
            "kind": "renewal",
            "cpv": ["48450000"],
            "value": {"amount": 900_000},
            "tender_window": {"earliest": "2027-06-01", "latest": "2027-09-30"},
            **changes,
        }
    )


def as_update(state: PlanPublished, revision: int, **changes: object) -> PlanUpdated:
    """A later revision of a plan."""
    return PlanUpdated.model_validate({**state.model_dump(), "revision": revision, **changes})


def enrol(url: str, *codes: str) -> None:
    """Register authorities, each with a mailbox."""

    async def save() -> None:
        engine = make_engine(url)
        async with transaction(make_sessions(engine)) as session:
            for code in codes:
                await register.save(
                    session, AuthorityUpdate(code, {"name": code, "mailbox": f"buyers@{code.lower()}.example"})
                )
        await engine.dispose()

    asyncio.run(save())
