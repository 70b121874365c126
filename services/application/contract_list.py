"""The contracts that an authority shares, and from which day each tier may see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from events.contracts import ContractPublished
from services.domain.disclosure import Tier, contract_opens_on
from services.store import contracts


@dataclass(frozen=True, slots=True)
class OwnContract:
    """One contract. `opens`: the first day for each tier, None for never."""

    contract: ContractPublished
    opens: Mapping[Tier, date | None]


async def own_contracts(session: AsyncSession, authority: str) -> list[OwnContract]:
    """An authority's own contracts, by id."""
    rows = await contracts.published(session, authority)
    found = [ContractPublished.model_validate(row.payload) for row in rows]
    return [OwnContract(one, {tier: contract_opens_on(one, tier) for tier in Tier}) for one in found]
