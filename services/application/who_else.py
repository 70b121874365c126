"""Searches openly shared plans for others that buy the same. Other plans are not even counted."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from matching.reference import authorities, regions
from matching.text.formatting import name_of
from services.domain.disclosure import PlanFacts, plan_facts

LIMIT: Final = 50

# Plans that are not shared openly are excluded before any comparison, so that neither time nor counts reveal them.
_SEARCH: Final = text(
    "WITH open AS MATERIALIZED (SELECT authority, state FROM plans"
    "  WHERE status = 'active' AND state->>'sharing' = 'open' AND authority <> :authority)"
    " SELECT authority, state FROM open"
    " WHERE (:need = '' OR state->>'title' ILIKE :need OR state->>'description' ILIKE :need)"
    " AND (:supplier = '' OR state#>>'{current_contract,supplier}' ILIKE :supplier"
    "  OR state#>>'{current_contract,product}' ILIKE :supplier)"
    " AND state#>>'{tender_window,latest}' >= :earliest AND state#>>'{tender_window,earliest}' <= :latest"
    " AND (:ends_from = '' OR state#>>'{current_contract,end}' >= :ends_from)"
    " AND (:ends_until = '' OR state#>>'{current_contract,end}' <= :ends_until)"
    " AND (:stage = '' OR coalesce(state->>'stage', 'planned') = :stage)"
    " AND (:region = '' OR (jsonb_array_length(coalesce(state->'regions', '[]')) = 0 AND authority = ANY(:councils))"
    "  OR EXISTS (SELECT 1 FROM jsonb_array_elements_text(coalesce(state->'regions', '[]')) named(code)"
    "   WHERE code = 'UK' OR starts_with(code, :region) OR starts_with(:region, code)))"
    " ORDER BY state#>>'{tender_window,earliest}', authority LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class Query:
    """Search terms. An empty text or day skips its filter."""

    need: str = ""
    supplier: str = ""
    region: str = ""
    stage: str = ""
    earliest: date | None = None
    latest: date | None = None
    ends_from: date | None = None
    ends_until: date | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One plan of another authority."""

    council: str
    facts: PlanFacts


def search_regions() -> dict[str, str]:
    """The regions to choose from: those of ITL level 1, by code."""
    return {found.code: found.name for found in regions() if found.level == 1}


async def search(session: AsyncSession, authority: str, query: Query) -> list[Found]:
    """Finds openly shared plans of other authorities, earliest tender first; at most `LIMIT`."""
    given = {
        "authority": authority,
        "need": _contains(query.need),
        "supplier": _contains(query.supplier),
        "earliest": (query.earliest or date.min).isoformat(),
        "latest": (query.latest or date.max).isoformat(),
        "ends_from": query.ends_from.isoformat() if query.ends_from else "",
        "ends_until": query.ends_until.isoformat() if query.ends_until else "",
        "stage": query.stage,
        "region": query.region,
        "councils": _councils_in(query.region),
        "limit": LIMIT,
    }
    rows = await session.execute(_SEARCH, given)
    found = [(row.authority, plan_facts(row.state)) for row in rows]
    return [Found(name_of(council), facts) for council, facts in found if facts is not None]


def _councils_in(region: str) -> list[str]:
    """The authorities of a region: a plan that names no place is delivered in its authority's own area."""
    if not region:
        return []
    return [found.code for found in authorities() if any(code.startswith(region) for code in found.regions)]


def _contains(words: str) -> str:
    """A LIKE pattern for texts that contain the words, with wildcards escaped."""
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if words else ""
