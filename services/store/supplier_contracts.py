"""The contracts that run now, from shared contracts and from plans, as far as each is shared with signatories."""

import time
from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.contracts import ContractPublished
from services.domain.disclosure import Tier, contract_is_open, shown_current_contract
from services.domain.supplier_view import SupplierContract, SupplierGroup, group_by_supplier, merge_sources
from services.store import contracts, plans

_FRESH_SECONDS: Final = 60.0


async def open_contracts(session: AsyncSession, today: date) -> list[ContractPublished]:
    """The shared contracts that signatories may see."""
    every = [ContractPublished.model_validate(row.payload) for row in await contracts.published(session)]
    return [one for one in every if contract_is_open(one, Tier.SIGNATORIES, today)]


async def running_contracts(
    session: AsyncSession, shared: Sequence[ContractPublished], today: date
) -> list[SupplierContract]:
    """These contracts and those that openly shared plans name, without ended ones; the first to end in front."""
    given = [SupplierContract(one.authority, one.contract_id, one.supplier, one.product, one.end) for one in shared]
    named = []
    for plan in await plans.naming_suppliers(session):
        contract = shown_current_contract(plan.state)
        if contract is not None:
            shown = SupplierContract(plan.authority, plan.plan_id, contract.supplier, contract.product, contract.end)
            named.append((shown, contract.reference))
    return [one for one in merge_sources(given, named) if one.end is None or one.end >= today]


async def supplier_groups(session: AsyncSession, today: date) -> list[SupplierGroup]:
    """Suppliers whose contracts with several councils end within a year."""
    return group_by_supplier(await running_contracts(session, await open_contracts(session, today), today), today)


class SupplierGroups:
    """The groups of a minute ago at most: a week's digests ask for them hundreds of times."""

    def __init__(self) -> None:
        self._groups: list[SupplierGroup] = []
        self._read: tuple[date, float] | None = None

    async def of_authority(self, session: AsyncSession, authority: str, today: date) -> list[SupplierGroup]:
        """The groups that an authority is in."""
        if self._read is None or self._read[0] != today or time.monotonic() - self._read[1] > _FRESH_SECONDS:
            self._groups, self._read = await supplier_groups(session, today), (today, time.monotonic())
        return [group for group in self._groups if any(one.authority == authority for one in group.contracts)]
