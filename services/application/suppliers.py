"""Contracts by supplier, from shared contracts and from plans, as far as each is shared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from events.contracts import ContractPublished, Rating
from services.domain.disclosure import Tier, contract_is_open, shown_current_contract
from services.domain.supplier_view import (
    SupplierContract,
    SupplierGroup,
    count_ratings,
    group_by_supplier,
    merge_sources,
    search,
)
from services.store import contracts as store
from services.store import plans


@dataclass(frozen=True, slots=True)
class SuppliersView:
    """The contracts found, and the ratings of the requested supplier; None if fewer than three authorities rate it."""

    contracts: Sequence[SupplierContract]
    ratings: Mapping[Rating, int] | None


async def find_contracts(session: AsyncSession, today: date, *, name: str = "", product: str = "") -> SuppliersView:
    """Finds running contracts with a supplier or product, earliest end first."""
    shared = await _open_contracts(session, today)
    found = search(await _running(session, shared, today), name, product)
    return SuppliersView(found, count_ratings(shared, name) if name else None)


async def supplier_groups(session: AsyncSession, today: date) -> list[SupplierGroup]:
    """Suppliers whose contracts with several councils end within a year."""
    return group_by_supplier(await _running(session, await _open_contracts(session, today), today), today)


async def _open_contracts(session: AsyncSession, today: date) -> list[ContractPublished]:
    every = [ContractPublished.model_validate(row.payload) for row in await store.published(session)]
    return [one for one in every if contract_is_open(one, Tier.SIGNATORIES, today)]


async def _running(session: AsyncSession, shared: Sequence[ContractPublished], today: date) -> list[SupplierContract]:
    contracts = [SupplierContract(one.authority, one.contract_id, one.supplier, one.product, one.end) for one in shared]
    named = []
    for plan in await plans.naming_suppliers(session):
        contract = shown_current_contract(plan.state)
        if contract is not None:
            shown = SupplierContract(plan.authority, plan.plan_id, contract.supplier, contract.product, contract.end)
            named.append((shown, contract.reference))
    return [one for one in merge_sources(contracts, named) if one.end is None or one.end >= today]
