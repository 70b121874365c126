"""Delegations as they stand: one row for each authority and party. How they came about is in `responses`."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import BigInteger, Column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from events.responses import DelegationScope
from services.domain.delegation import Delegation


class DelegationRow(SQLModel, table=True):
    """One delegation. `scope` is null once it has ended; `response_id`: the response that brought it there."""

    __tablename__ = "delegations"

    authority: str = Field(primary_key=True)
    party: str = Field(primary_key=True, index=True)
    scope: str | None = Field(default=None)
    starts_on: date
    until: date
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    response_id: str


async def load(session: AsyncSession, authority: str, party: str) -> Delegation | None:
    """What an authority has delegated to a party, ended or not."""
    row = await session.get(DelegationRow, (authority, party))
    return _delegation(row) if row is not None else None


async def put(session: AsyncSession, delegation: Delegation, response_id: str) -> None:
    """Replace a delegation."""
    scope = delegation.scope.value if delegation.scope is not None else None
    await session.merge(
        DelegationRow(
            authority=delegation.authority,
            party=delegation.party,
            scope=scope,
            starts_on=delegation.starts_on,
            until=delegation.until,
            revision=delegation.revision,
            response_id=response_id,
        )
    )
    await session.flush()


async def listed(
    session: AsyncSession, *, authority: str | None = None, party: str | None = None
) -> Sequence[Delegation]:
    """The delegations of an authority, to a party, or all, ended ones included."""
    query = select(DelegationRow).order_by(col(DelegationRow.authority), col(DelegationRow.party))
    if authority is not None:
        query = query.where(col(DelegationRow.authority) == authority)
    if party is not None:
        query = query.where(col(DelegationRow.party) == party)
    return [_delegation(row) for row in (await session.execute(query)).scalars()]


def _delegation(row: DelegationRow) -> Delegation:
    scope = DelegationScope(row.scope) if row.scope is not None else None
    return Delegation(row.authority, row.party, scope, row.starts_on, row.until, row.revision)
