"""The register of authorities' public keys: the authority and the validity period of each.

An authority may have several valid keys, so that it can rotate them. Revocation is final. The row of a revoked key
stays, so that readers can tell which events it signed before.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.database import now, timestamp


class AuthorityKey(SQLModel, table=True):
    """One Ed25519 key of one authority. `public_key` is its `x` (base64url), `key_id` its RFC 7638 thumbprint.

    It is valid from the day `valid_from` to the day `valid_until`, both included, unless it was revoked.
    """

    __tablename__ = "authority_keys"

    key_id: str = Field(primary_key=True)
    authority: str = Field(foreign_key="authorities.authority", ondelete="CASCADE", index=True)
    public_key: str
    valid_from: date
    valid_until: date | None = Field(default=None)
    revoked_at: datetime | None = Field(default=None, sa_column=timestamp(nullable=True))
    created_at: datetime = Field(sa_column=timestamp())


class AddResult(StrEnum):
    """The effect of adding a key. `TAKEN`: the key belongs to another authority or other days, or is revoked."""

    ADDED = "added"
    UNCHANGED = "unchanged"
    TAKEN = "taken"


def why_invalid(key: AuthorityKey, day: date) -> str | None:
    """Return why the key may not sign on this day, or None if it may."""
    if key.revoked_at is not None:
        return f"was revoked on {key.revoked_at:%Y-%m-%d}"
    if day < key.valid_from:
        return f"is valid from {key.valid_from} only"
    if key.valid_until is not None and day > key.valid_until:
        return f"was valid until {key.valid_until}"
    return None


async def add(session: AsyncSession, key: AuthorityKey) -> AddResult:
    """Register a key for a registered authority. `taken`: the key exists with other details, or is revoked."""
    values = key.model_dump()
    result = await session.execute(
        insert(AuthorityKey).values(**values).on_conflict_do_nothing().returning(col(AuthorityKey.key_id))
    )
    if result.scalar() is not None:
        return AddResult.ADDED
    there = (await find(session, [key.key_id]))[key.key_id]
    same = there.revoked_at is None and all(
        getattr(there, name) == values[name] for name in ("authority", "public_key", "valid_from", "valid_until")
    )
    return AddResult.UNCHANGED if same else AddResult.TAKEN


async def revoke(session: AsyncSession, key_id: str) -> AuthorityKey | None:
    """Revoke a key permanently, from now on. Returns the key, or None if there is none. Repeatable."""
    key = await session.get(AuthorityKey, key_id, with_for_update=True)
    if key is not None and key.revoked_at is None:
        key.revoked_at = now()
    return key


async def find(session: AsyncSession, key_ids: Collection[str]) -> dict[str, AuthorityKey]:
    """The registered keys among these ids, valid or not."""
    rows = await session.execute(select(AuthorityKey).where(col(AuthorityKey.key_id).in_(key_ids)))
    return {key.key_id: key for key in rows.scalars()}


async def all_keys(session: AsyncSession, authority: str | None = None) -> Sequence[AuthorityKey]:
    """All keys, or one authority's, by authority and age."""
    query = select(AuthorityKey).order_by(
        col(AuthorityKey.authority), col(AuthorityKey.valid_from), col(AuthorityKey.key_id)
    )
    if authority is not None:
        query = query.where(col(AuthorityKey.authority) == authority)
    return (await session.execute(query)).scalars().all()
