"""Benchmarks for an authority: the cells of a category, and its coalition's own prices. Every read is recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.contracts import ContractPublished
from services.domain.audit import Act, AuditAction, Channel
from services.domain.benchmark_cells import (
    CATEGORY_DIGITS,
    BenchmarkCell,
    Quarter,
    SizeClass,
    Suppression,
    category_of,
    size_class_of,
)
from services.domain.benchmark_enquiries import contract_problem
from services.domain.disclosure import Tier, contract_is_open
from services.store import audit_log, benchmark_enquiries, benchmarks, coalitions, contracts, plans

SUPPRESSED: Final[Mapping[Suppression, str]] = {
    Suppression.FEW_AUTHORITIES: "fewer than 5 authorities",
    Suppression.FEW_SUPPLIERS: "fewer than 3 suppliers",
    Suppression.DOMINATED: "one or two authorities buy nearly all of it",
}
"""The reasons why a cell shows no prices, for people."""


class BenchmarkError(ValueError):
    """No benchmark can be shown; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class NamedPrice:
    """The price that another authority pays for one item, in pounds without VAT. It agreed that the reader sees it."""

    authority: str
    supplier: str
    item: str
    unit: str
    quantity: float
    unit_price: float


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The cells of a category in a quarter. `unit` and `size_class` are those of the plan in question, if there is one.

    `members`: prices that other members of the plan's coalition have opened to it. `supplied`: prices of contracts that
    other authorities named when the plan's extension asked them.
    """

    category: str
    cells: Sequence[BenchmarkCell]
    members: Sequence[NamedPrice] = ()
    supplied: Sequence[NamedPrice] = ()
    unit: str | None = None
    size_class: SizeClass | None = None


async def read_benchmark(
    session: AsyncSession,
    about: str,
    *,
    reader: str | None,
    channel: Channel,
    today: date,
    quarter: Quarter | None = None,
    actor: str | None = None,
) -> Benchmark:
    """Read the benchmark of a CPV code or of a plan's category, in one quarter or the newest; the audit log records
    it.

    `reader`: the authority that reads, None for the operator of the installation. `actor`: the id of the typed name.
    For its own plan, an authority also sees prices that other members of the plan's coalition have opened to it, by
    name. Raises BenchmarkError.
    """
    if reader is not None and ":" in about and about.split(":", 1)[0] != reader:
        raise BenchmarkError(f"{about} is not a plan of {reader}; ask by its CPV code")
    state = await _plan_state(session, about) if ":" in about else None
    category = _plan_category(about, state) if state is not None else _category(about)
    cells = await benchmarks.cells(session, category, quarter)
    members = await _member_prices(session, about, category, today) if reader is not None and state else []
    supplied = await _supplied_prices(session, about, category, today) if reader is not None and state else []
    details: dict[str, Any] = {"cells": len(cells), "members": len(members), "supplied": len(supplied)}
    details["quarter"] = str(cells[0].quarter) if cells else None
    act = Act(AuditAction.BENCHMARK_READ, reader, f"benchmark:{category}", channel, actor, details)
    await audit_log.append(session, [act])
    quantity = (state or {}).get("quantity") or {}
    amount = quantity.get("amount") or 0
    size = size_class_of(amount) if amount else None
    return Benchmark(category, cells, members, supplied, quantity.get("unit"), size)


def cell_as_json(cell: BenchmarkCell) -> dict[str, Any]:
    """A cell for a program. A step is given as its lowest price and the lowest price of the next step."""

    def step(found: Any) -> dict[str, float] | None:
        return {"from": round(found.low, 4), "below": round(found.high, 4)} if found else None

    lower, upper = cell.quartiles or (None, None)
    return {
        "category": cell.key.category,
        "unit": cell.key.unit,
        "size_class": cell.key.size_class.value,
        "quarter": str(cell.quarter),
        "suppressed": cell.suppression.value if cell.suppression else None,
        "authorities": cell.authorities,
        "suppliers": cell.suppliers,
        "median": step(cell.median),
        "lower_quartile": step(lower),
        "upper_quartile": step(upper),
        "withheld": {reason.value: count for reason, count in cell.withheld.items()},
    }


async def _member_prices(session: AsyncSession, plan_id: str, category: str, today: date) -> list[NamedPrice]:
    """The category's prices that other accepted members of the plan's coalition have opened to it."""
    found: list[NamedPrice] = []
    for row in await coalitions.living_with(session, [plan_id]):
        accepted = {member.plan_id: member.authority for member in row.coalition.accepted}
        own = accepted.pop(plan_id, None)
        if own is not None:
            for authority in sorted(set(accepted.values()) - {own}):
                found += await _prices_of(session, authority, category, today)
    return found


async def _prices_of(session: AsyncSession, authority: str, category: str, today: date) -> list[NamedPrice]:
    every = [ContractPublished.model_validate(row.payload) for row in await contracts.published(session, authority)]
    return [
        price
        for contract in every
        if contract.cpv
        and category_of(contract.cpv[0]) == category
        and contract_is_open(contract, Tier.COALITION, today)
        for price in _named_prices(contract)
    ]


async def _supplied_prices(session: AsyncSession, plan_id: str, category: str, today: date) -> list[NamedPrice]:
    """The prices of the contracts that others named for the plan, as far as these are still shared and open."""
    found: list[NamedPrice] = []
    for enquiry in await benchmark_enquiries.supplied_for(session, plan_id):
        contract = await contracts.load_published(session, enquiry.contract_id or "")
        if contract is not None and contract_problem(contract, category, today) is None:
            found += _named_prices(contract)
    return found


def _named_prices(contract: ContractPublished) -> list[NamedPrice]:
    return [
        NamedPrice(contract.authority, contract.supplier, price.item, price.unit, price.quantity, price.unit_price)
        for price in contract.prices
    ]


async def _plan_state(session: AsyncSession, plan_id: str) -> dict[str, Any]:
    found = (await plans.by_id(session, [plan_id])).get(plan_id)
    if found is None or not found.state:
        raise BenchmarkError(f"there is no plan {plan_id}; a plan id is the authority, a colon and its reference")
    state: dict[str, Any] = found.state
    return state


def _plan_category(plan_id: str, state: dict[str, Any]) -> str:
    codes = state.get("cpv") or ()
    if not codes:
        raise BenchmarkError(f"{plan_id} names no CPV code; ask by one, for example `jointly benchmark 48450000`")
    return category_of(codes[0])


def _category(code: str) -> str:
    digits = code.split("-")[0]
    if not digits.isdigit() or not CATEGORY_DIGITS <= len(digits) <= 8:
        raise BenchmarkError(f"'{code[:40]}' is neither a plan id nor a CPV code of {CATEGORY_DIGITS} to 8 digits")
    return category_of(digits)
