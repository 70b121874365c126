"""Searches openly shared plans for others that buy the same. Other plans are not even counted."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

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
    " ORDER BY state#>>'{tender_window,earliest}', authority LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class Query:
    """Search terms. An empty text or day skips its filter."""

    need: str = ""
    supplier: str = ""
    earliest: date | None = None
    latest: date | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One plan of another authority."""

    council: str
    facts: PlanFacts


async def search(session: AsyncSession, authority: str, query: Query) -> list[Found]:
    """Finds openly shared plans of other authorities, earliest tender first; at most `LIMIT`."""
    given = {
        "authority": authority,
        "need": _contains(query.need),
        "supplier": _contains(query.supplier),
        "earliest": (query.earliest or date.min).isoformat(),
        "latest": (query.latest or date.max).isoformat(),
        "limit": LIMIT,
    }
    rows = await session.execute(_SEARCH, given)
    found = [(row.authority, plan_facts(row.state)) for row in rows]
    return [Found(name_of(council), facts) for council, facts in found if facts is not None]


def _contains(words: str) -> str:
    """A LIKE pattern for texts that contain the words, with wildcards escaped."""
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if words else ""
