"""Searches openly shared plans for others that buy the same. Other plans are not even counted."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from matching.reference import regions
from services.domain.disclosure import PlanFacts, plan_facts
from services.domain.reorganisation import name_on, waits_for_person
from services.store import plan_search
from services.store.plan_search import SearchQuery


@dataclass(frozen=True, slots=True)
class FoundPlan:
    """One plan of another authority. `waits`: its council has ceased to be, and nobody has taken over the plan yet."""

    council: str
    facts: PlanFacts
    waits: bool


def search_regions() -> dict[str, str]:
    """The regions to choose from: those of ITL level 1, by code."""
    return {found.code: found.name for found in regions() if found.level == 1}


async def search(session: AsyncSession, authority: str, query: SearchQuery, today: date) -> list[FoundPlan]:
    """Find openly shared plans of other authorities, earliest tender first; at most `plan_search.LIMIT`."""
    rows = await plan_search.search(session, authority, query)
    found = [(council, plan_facts(state)) for council, state in rows]
    return [
        FoundPlan(name_on(council, today), facts, waits_for_person(council, today))
        for council, facts in found
        if facts is not None
    ]
