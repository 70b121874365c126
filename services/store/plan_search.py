"""Searches over openly shared plans: all of them, or those that have come to fit a saved search."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from matching.reference import authorities
from services.store.sharing import open_sql

LIMIT: Final = 50
_COMMIT_WITHIN: Final = timedelta(minutes=10)
"""A revision gets its place in the log before it is committed; this long after, all earlier ones are there."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Search terms. An empty text or day skips its filter."""

    need: str = ""
    supplier: str = ""
    region: str = ""
    stage: str = ""
    earliest: date | None = None
    latest: date | None = None
    ends_from: date | None = None
    ends_until: date | None = None

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> "SearchQuery":
        """Read a stored search."""
        days = {name: date.fromisoformat(stored[name]) for name in DAYS if name in stored}
        return cls(**{**stored, **days})  # type: ignore[arg-type]

    def to_json(self) -> dict[str, str]:
        """The search as it is stored: without empty fields, with days in ISO form."""
        return {one.name: str(value) for one in fields(self) if (value := getattr(self, one.name))}


DAYS: Final = ("earliest", "latest", "ends_from", "ends_until")


_FITS: Final = (
    " (:need = '' OR state->>'title' ILIKE :need OR state->>'description' ILIKE :need)"
    " AND (:supplier = '' OR state#>>'{current_contract,supplier}' ILIKE :supplier"
    "  OR state#>>'{current_contract,product}' ILIKE :supplier)"
    " AND state#>>'{tender_window,latest}' >= :earliest"
    " AND state#>>'{tender_window,earliest}' <= :latest"
    " AND (:ends_from = '' OR state#>>'{current_contract,end}' >= :ends_from)"
    " AND (:ends_until = '' OR state#>>'{current_contract,end}' <= :ends_until)"
    " AND (:stage = '' OR coalesce(state->>'stage', 'planned') = :stage)"
    " AND (:region = ''"
    "  OR (jsonb_array_length(coalesce(state->'regions', '[]')) = 0 AND authority = ANY(:councils))"
    "  OR EXISTS (SELECT 1 FROM jsonb_array_elements_text(coalesce(state->'regions', '[]')) named(code)"
    "   WHERE code = 'UK' OR starts_with(code, :region) OR starts_with(:region, code)))"
)
# Plans that are not shared openly are excluded before any comparison, so that neither time nor counts reveal them.
_OPEN: Final = f"status = 'active' AND {open_sql('state')} AND authority <> :authority"
_SEARCH: Final = text(
    f"WITH open AS MATERIALIZED (SELECT authority, state FROM plans WHERE {_OPEN})"  # noqa: S608 (ours)
    f" SELECT authority, state FROM open WHERE {_FITS}"
    " ORDER BY state#>>'{tender_window,earliest}', authority LIMIT :limit"
)
_FITTING: Final = text(
    f"WITH open AS MATERIALIZED (SELECT plan_id, authority, state FROM plans WHERE {_OPEN})"  # noqa: S608 (ours)
    f" SELECT plan_id FROM open WHERE {_FITS} LIMIT :limit"
)
# A plan counts once for a search: its hit says that it was told of, or fitted when the search was saved.
_NEW: Final = text(
    "WITH open AS MATERIALIZED (SELECT plan_id, authority, state FROM plans"  # noqa: S608 (ours)
    f"  WHERE {_OPEN} AND plan_id IN (SELECT plan_id FROM plan_log WHERE id > :looked_to))"
    f" SELECT plan_id FROM open WHERE {_FITS}"
    " AND NOT EXISTS (SELECT 1 FROM search_hits h WHERE h.search_id = :search_id AND h.plan_id = open.plan_id)"
    " ORDER BY state#>>'{tender_window,earliest}', plan_id"
)
_POSITION: Final = text("SELECT id FROM plan_log WHERE received_at <= :until ORDER BY id DESC LIMIT 1")


async def search(session: AsyncSession, authority: str, query: SearchQuery) -> list[tuple[str, Mapping[str, Any]]]:
    """Openly shared plans of other authorities, earliest tender first, as authority and payload; at most `LIMIT`."""
    rows = await session.execute(_SEARCH, {**_terms(query), "authority": authority, "limit": LIMIT})
    return [(row.authority, row.state) for row in rows]


async def fitting_plans(session: AsyncSession, authority: str, query: SearchQuery, limit: int) -> list[str]:
    """Ids of openly shared plans of other authorities that fit now, in no order; at most `limit`."""
    return list((await session.execute(_FITTING, {**_terms(query), "authority": authority, "limit": limit})).scalars())


async def new_plans(
    session: AsyncSession, authority: str, query: SearchQuery, *, search_id: str, looked_to: int
) -> list[str]:
    """Ids of plans that fit a saved search and are no hits of it yet. Only plans with a revision behind `looked_to`, a
    position in the log of plans, are read."""
    given = {"authority": authority, "search_id": search_id, "looked_to": looked_to}
    return list((await session.execute(_NEW, {**_terms(query), **given})).scalars())


async def log_position(session: AsyncSession, at: datetime) -> int:
    """A position in the log of plans: no revision before it can still be on its way at `at`."""
    found = await session.execute(_POSITION, {"until": at - _COMMIT_WITHIN})
    return int(found.scalar_one_or_none() or 0)


def _terms(query: SearchQuery) -> dict[str, object]:
    return {
        "need": _contains(query.need),
        "supplier": _contains(query.supplier),
        "earliest": (query.earliest or date.min).isoformat(),
        "latest": (query.latest or date.max).isoformat(),
        "ends_from": query.ends_from.isoformat() if query.ends_from else "",
        "ends_until": query.ends_until.isoformat() if query.ends_until else "",
        "stage": query.stage,
        "region": query.region,
        "councils": _councils_in(query.region),
    }


def _councils_in(region: str) -> list[str]:
    """The authorities of a region: a plan that names no place is delivered in its authority's own area."""
    if not region:
        return []
    return [found.code for found in authorities() if any(code.startswith(region) for code in found.regions)]


def _contains(words: str) -> str:
    """A LIKE pattern for texts that contain the words, with wildcards escaped."""
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if words else ""
