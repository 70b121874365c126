"""The names and job titles that people typed when they acted, kept outside the audit log so that they can be erased.

The log holds the random id of a row here. The id stays valid after the name is erased.
"""

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.database import now, timestamp


class AuditName(SQLModel, table=True):
    """A person's own statement of name and job title at one sign-in, for one authority."""

    __tablename__ = "audit_names"

    actor: str = Field(primary_key=True)
    authority: str = Field(index=True)
    name: str
    job_title: str
    created_at: datetime = Field(sa_column=timestamp())


async def add(session: AsyncSession, authority: str, name: str, job_title: str) -> str:
    """Store a name under a new random id, and return the id: the `actor` of the acts that follow."""
    row = AuditName(actor=uuid.uuid4().hex, authority=authority, name=name, job_title=job_title, created_at=now())
    session.add(row)
    await session.flush()
    return row.actor


async def find(session: AsyncSession, actors: Collection[str]) -> dict[str, AuditName]:
    """The names behind these ids; erased ones are missing."""
    rows = await session.execute(select(AuditName).where(col(AuditName.actor).in_(actors)))
    return {row.actor: row for row in rows.scalars()}


async def erase(session: AsyncSession, actor: str) -> bool:
    """Erase one name; return whether it existed."""
    erased = await session.execute(
        delete(AuditName).where(col(AuditName.actor) == actor).returning(col(AuditName.actor))
    )
    return erased.scalar() is not None


async def erase_authority(session: AsyncSession, authority: str) -> None:
    """Erase all names typed for an authority."""
    await session.execute(delete(AuditName).where(col(AuditName.authority) == authority))
