"""Tokens of the read interface and of calendar addresses, each for one authority. Only hashes are stored."""

import uuid
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import ARRAY, Column, Text, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.domain.api_access import Scope, new_token, token_hash, token_prefix
from services.store.authorities import Authority
from services.store.database import now, timestamp

USE_NOTED_EVERY: Final = timedelta(minutes=1)


class ApiToken(SQLModel, table=True):
    """One token of one authority. `label`: the authority's own name for it, such as the system that reads with it."""

    __tablename__ = "api_tokens"

    token_id: str = Field(primary_key=True)
    authority: str = Field(foreign_key="authorities.authority", ondelete="CASCADE", index=True)
    token_hash: str = Field(unique=True)
    prefix: str
    label: str
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    created_at: datetime = Field(sa_column=timestamp())
    last_used_at: datetime | None = Field(default=None, sa_column=timestamp(nullable=True))
    revoked_at: datetime | None = Field(default=None, sa_column=timestamp(nullable=True))


async def issue(session: AsyncSession, authority: str, scopes: Collection[Scope], label: str) -> tuple[ApiToken, str]:
    """Create a token for a registered authority; return its row and the token, which can't be recovered later."""
    token = new_token()
    row = ApiToken(
        token_id=uuid.uuid4().hex,
        authority=authority,
        token_hash=token_hash(token),
        prefix=token_prefix(token),
        label=label,
        scopes=sorted(scope.value for scope in scopes),
        created_at=now(),
    )
    session.add(row)
    await session.flush()
    return row, token


async def find(session: AsyncSession, token: str, today: date) -> ApiToken | None:
    """Find the row of a token that is not revoked and whose authority has not withdrawn by today."""
    query = (
        select(ApiToken)
        .join(Authority, col(Authority.authority) == col(ApiToken.authority))
        .where(
            col(ApiToken.token_hash) == token_hash(token),
            col(ApiToken.revoked_at).is_(None),
            or_(col(Authority.withdrawn_on).is_(None), col(Authority.withdrawn_on) > today),
        )
    )
    found: ApiToken | None = (await session.execute(query)).scalar_one_or_none()
    return found


async def note_use(session: AsyncSession, token_id: str) -> None:
    """Record the use of a token, at most once a minute, so that reading does not cost a write each time."""
    at = now()
    stale = or_(col(ApiToken.last_used_at).is_(None), col(ApiToken.last_used_at) < at - USE_NOTED_EVERY)
    await session.execute(update(ApiToken).where(col(ApiToken.token_id) == token_id, stale).values(last_used_at=at))


async def revoke(session: AsyncSession, token_id: str, authority: str | None = None) -> ApiToken | None:
    """Revoke a token permanently; return the row, or None if it does not exist or is another authority's.
    Repeatable."""
    row: ApiToken | None = await session.get(ApiToken, token_id, with_for_update=True)
    if row is None or authority not in (None, row.authority):
        return None
    if row.revoked_at is None:
        row.revoked_at = now()
    return row


async def listed(session: AsyncSession, authority: str | None = None) -> Sequence[ApiToken]:
    """List all tokens, or one authority's, by authority and age, including revoked ones."""
    query = select(ApiToken).order_by(col(ApiToken.authority), col(ApiToken.created_at), col(ApiToken.token_id))
    if authority is not None:
        query = query.where(col(ApiToken.authority) == authority)
    return (await session.execute(query)).scalars().all()
