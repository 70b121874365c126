"""Sign-ins on the pages: pending codes, and sessions, each a row that can be revoked.

Only hashes of tickets, codes and session tokens are stored.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.database import timestamp


class SignInCode(SQLModel, table=True):
    """One code. `ticket_hash` identifies the browser that asked. Without an `authority`, the code was sent to nobody.

    `mailbox_ref`: the mailbox that the code went to; the code expires when that mailbox changes.
    """

    __tablename__ = "sign_in_codes"

    ticket_hash: str = Field(primary_key=True)
    authority: str | None = Field(default=None, foreign_key="authorities.authority", ondelete="CASCADE", index=True)
    mailbox_ref: str | None = Field(default=None)
    code_hash: str
    tries: int = Field(default=0)
    created_at: datetime = Field(sa_column=timestamp())
    expires_at: datetime = Field(sa_column=timestamp())


class WebSession(SQLModel, table=True):
    """One session. It ends when it expires, on sign-out, or when the mailbox of the sign-in changes."""

    __tablename__ = "web_sessions"

    token_hash: str = Field(primary_key=True)
    authority: str = Field(foreign_key="authorities.authority", ondelete="CASCADE", index=True)
    mailbox_ref: str
    actor: str
    created_at: datetime = Field(sa_column=timestamp())
    expires_at: datetime = Field(sa_column=timestamp())


async def codes_since(session: AsyncSession, authority: str, since: datetime) -> int:
    """Count the codes sent to an authority's mailbox since then."""
    query = select(func.count()).where(col(SignInCode.authority) == authority, col(SignInCode.created_at) > since)
    return int((await session.execute(query)).scalar_one())


async def count_try(session: AsyncSession, ticket_hash: str, max_tries: int, at: datetime) -> SignInCode | None:
    """Count one try of a code before it is compared; None if there is no such code, or no try left."""
    found = await session.execute(
        update(SignInCode)
        .where(
            col(SignInCode.ticket_hash) == ticket_hash,
            col(SignInCode.tries) < max_tries,
            col(SignInCode.expires_at) > at,
        )
        .values(tries=col(SignInCode.tries) + 1)
        .returning(SignInCode)
    )
    return found.scalar_one_or_none()


async def take_code(session: AsyncSession, ticket_hash: str) -> bool:
    """Consume a code; return whether it existed. If two people enter it at the same moment, one signs in."""
    query = delete(SignInCode).where(col(SignInCode.ticket_hash) == ticket_hash).returning(col(SignInCode.ticket_hash))
    return (await session.execute(query)).scalar_one_or_none() is not None


async def find(session: AsyncSession, token_hash: str, at: datetime) -> WebSession | None:
    """A session that has not expired."""
    row = await session.get(WebSession, token_hash)
    return row if row is not None and row.expires_at > at else None


async def revoke(session: AsyncSession, token_hash: str) -> None:
    """End one session."""
    await session.execute(delete(WebSession).where(col(WebSession.token_hash) == token_hash))


async def revoke_all(session: AsyncSession, authority: str) -> None:
    """End all sessions of an authority."""
    await session.execute(delete(WebSession).where(col(WebSession.authority) == authority))


async def prune(session: AsyncSession, at: datetime, codes_kept: timedelta) -> None:
    """Delete expired sessions and codes. Codes stay for a while, because they count towards the limit."""
    await session.execute(delete(WebSession).where(col(WebSession.expires_at) <= at))
    await session.execute(delete(SignInCode).where(col(SignInCode.created_at) <= at - codes_kept))
