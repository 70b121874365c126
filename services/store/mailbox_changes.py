"""Pending changes of role mailboxes. Each mailbox gets a code; only the codes' hashes are stored."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.database import timestamp


class MailboxChange(SQLModel, table=True):
    """One requested change. `actor`: the typed name of the session that requested it; `mailbox_ref`: the authority's
    mailbox at that time."""

    __tablename__ = "mailbox_changes"

    change_id: str = Field(primary_key=True)
    authority: str = Field(foreign_key="authorities.authority", ondelete="CASCADE", index=True)
    actor: str
    mailbox_ref: str
    new_mailbox: str
    present_code_hash: str
    new_code_hash: str
    tries: int = Field(default=0)
    created_at: datetime = Field(sa_column=timestamp())
    expires_at: datetime = Field(sa_column=timestamp())


async def count_since(session: AsyncSession, authority: str, since: datetime) -> int:
    """Count the changes requested for an authority since then."""
    query = select(func.count()).where(col(MailboxChange.authority) == authority, col(MailboxChange.created_at) > since)
    return int((await session.execute(query)).scalar_one())


async def newest(session: AsyncSession, authority: str, actor: str, at: datetime) -> MailboxChange | None:
    """The change that this session requested last; None if it has expired."""
    query = (
        select(MailboxChange)
        .where(col(MailboxChange.authority) == authority, col(MailboxChange.actor) == actor)
        .order_by(col(MailboxChange.created_at).desc())
        .limit(1)
    )
    found: MailboxChange | None = (await session.execute(query)).scalar_one_or_none()
    return found if found is not None and found.expires_at > at else None


async def count_try(session: AsyncSession, change_id: str, max_tries: int) -> bool:
    """Count one try of the codes before they are compared; return False if none was left."""
    counted = await session.execute(
        update(MailboxChange)
        .where(col(MailboxChange.change_id) == change_id, col(MailboxChange.tries) < max_tries)
        .values(tries=col(MailboxChange.tries) + 1)
        .returning(col(MailboxChange.change_id))
    )
    return counted.scalar_one_or_none() is not None


async def end_all(session: AsyncSession, authority: str) -> None:
    """Delete all pending changes of an authority."""
    await session.execute(delete(MailboxChange).where(col(MailboxChange.authority) == authority))


async def prune(session: AsyncSession, at: datetime, kept: timedelta) -> None:
    """Delete old changes. Expired ones stay for a while, because they count towards the limit."""
    await session.execute(delete(MailboxChange).where(col(MailboxChange.created_at) <= at - kept))
