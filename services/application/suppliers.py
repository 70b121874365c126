"""Contracts by supplier, from shared contracts and from plans, as far as each is shared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from events.contracts import Rating
from services.domain.supplier_view import SupplierContract, count_ratings, search
from services.store.supplier_contracts import open_contracts, running_contracts


@dataclass(frozen=True, slots=True)
class SuppliersView:
    """The contracts found, and the ratings of the requested supplier; None if fewer than three authorities rate it."""

    contracts: Sequence[SupplierContract]
    ratings: Mapping[Rating, int] | None


async def find_contracts(session: AsyncSession, today: date, *, name: str = "", product: str = "") -> SuppliersView:
    """Find running contracts with a supplier or product, earliest end first."""
    shared = await open_contracts(session, today)
    found = search(await running_contracts(session, shared, today), name, product)
    return SuppliersView(found, count_ratings(shared, name) if name else None)
