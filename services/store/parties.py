"""Parties and their members from `jointly parties import`. Their mailboxes are in the register of authorities."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.domain.parties import Membership, Party, PartyKind
from services.store import authorities
from services.store.authorities import SaveResult
from services.store.database import in_array, now, timestamp


class PartyRow(SQLModel, table=True):
    """The kind of a party in the register."""

    __tablename__ = "parties"

    party: str = Field(primary_key=True, foreign_key="authorities.authority", ondelete="CASCADE")
    kind: str
    updated_at: datetime = Field(sa_column=timestamp())


class MembershipRow(SQLModel, table=True):
    """One membership. The authority need not be in the register yet."""

    __tablename__ = "party_memberships"

    party: str = Field(primary_key=True, foreign_key="parties.party", ondelete="CASCADE")
    authority: str = Field(primary_key=True, index=True)
    joined_on: date = Field(primary_key=True)
    left_on: date | None = Field(default=None)


async def load(session: AsyncSession, code: str) -> Party | None:
    """One party; None if the code is not a party's."""
    return next(iter(await _load(session, [code])), None)


async def kind_of(session: AsyncSession, code: str) -> PartyKind | None:
    """What a party is; None where the code is not a party's."""
    row = await session.get(PartyRow, code)
    return PartyKind(row.kind) if row is not None else None


async def find_by_name(session: AsyncSession, name: str) -> str | None:
    """The code of the party with this name, in whatever case it is typed; None if none or several have it."""
    query = (
        select(col(PartyRow.party))
        .join(authorities.Authority, col(authorities.Authority.authority) == col(PartyRow.party))
        .where(func.lower(col(authorities.Authority.name)) == name.lower())
    )
    found = (await session.execute(query)).scalars().all()
    return found[0] if len(found) == 1 else None


async def all_parties(session: AsyncSession) -> list[Party]:
    """Every party, by code."""
    return await _load(session, None)


async def save(session: AsyncSession, party: Party) -> SaveResult:
    """Replace a party with its memberships. It must be in the register."""
    before = await load(session, party.party)
    if before is not None and (before.kind, before.memberships) == (party.kind, party.memberships):
        return SaveResult.UNCHANGED
    await session.merge(PartyRow(party=party.party, kind=party.kind.value, updated_at=now()))
    await session.flush()
    await session.execute(delete(MembershipRow).where(col(MembershipRow.party) == party.party))
    session.add_all(
        MembershipRow(party=party.party, authority=one.authority, joined_on=one.joined_on, left_on=one.left_on)
        for one in party.memberships
    )
    return SaveResult.CHANGED if before is not None else SaveResult.ADDED


async def _load(session: AsyncSession, codes: Collection[str] | None) -> list[Party]:
    query = select(PartyRow).order_by(col(PartyRow.party))
    members = select(MembershipRow).order_by(col(MembershipRow.authority), col(MembershipRow.joined_on))
    if codes is not None:
        query = query.where(in_array(col(PartyRow.party), codes))
        members = members.where(in_array(col(MembershipRow.party), codes))
    rows: Sequence[PartyRow] = (await session.execute(query)).scalars().all()
    register = await authorities.by_codes(session, [row.party for row in rows])
    found: dict[str, list[Membership]] = {row.party: [] for row in rows}
    for one in (await session.execute(members)).scalars():
        found[one.party].append(Membership(one.authority, one.joined_on, one.left_on))
    return [Party(row.party, PartyKind(row.kind), register[row.party].name, tuple(found[row.party])) for row in rows]
