"""Who else plans to buy something: a search over plans that are shared openly. Others are not even counted."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import Window
from matching.text.formatting import name_of
from services.domain.disclosure import open_state

LIMIT: Final = 50

# What is not shared openly is left out before anything is compared, so that no time and no count tells of it.
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
    """What is looked for. Empty texts and days leave a filter out."""

    need: str = ""
    supplier: str = ""
    earliest: date | None = None
    latest: date | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One plan of another authority."""

    council: str
    title: str
    value: float | None
    window: Window
    contract_ends: date | None
    supplier: str


async def search(session: AsyncSession, authority: str, query: Query) -> list[Found]:
    """Plans of others that are shared openly, those that go to tender first in front; at most `LIMIT`."""
    given = {
        "authority": authority,
        "need": _contains(query.need),
        "supplier": _contains(query.supplier),
        "earliest": (query.earliest or date.min).isoformat(),
        "latest": (query.latest or date.max).isoformat(),
        "limit": LIMIT,
    }
    rows = await session.execute(_SEARCH, given)
    return [_found(row.authority, state) for row in rows if (state := open_state(row.state)) is not None]


def _contains(words: str) -> str:
    """A pattern for texts that hold the words; what LIKE would read as a wildcard is a letter."""
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if words else ""


def _found(authority: str, state: Any) -> Found:
    contract, value = state.get("current_contract") or {}, state.get("value") or {}
    ends = contract.get("end") or (state.get("contract") or {}).get("end")
    return Found(
        council=name_of(authority),
        title=state["title"],
        value=float(value["amount"]) if value.get("currency") == "GBP" else None,
        window=Window.model_validate(state["tender_window"]),
        contract_ends=date.fromisoformat(ends) if ends else None,
        supplier=contract.get("supplier", ""),
    )
