"""Plans that authorities have begun to enter on the pages. A draft is deleted on publication or when it expires."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.database import json_column, timestamp


class PlanDraft(SQLModel, table=True):
    """One draft. `fields` are the fields of a plan event entered so far.

    `base_revision`: the plan's revision when the draft was begun; 0 for a plan that was never published.
    """

    __tablename__ = "plan_drafts"

    plan_id: str = Field(primary_key=True)
    authority: str = Field(foreign_key="authorities.authority", ondelete="CASCADE", index=True)
    base_revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    fields: Any = Field(sa_column=json_column())
    expires_at: datetime = Field(sa_column=timestamp())


async def load(session: AsyncSession, plan_id: str, at: datetime) -> PlanDraft | None:
    """The draft of a plan, unless it has expired."""
    row = await session.get(PlanDraft, plan_id)
    return row if row is not None and row.expires_at > at else None


async def of_authority(session: AsyncSession, authority: str, at: datetime) -> list[PlanDraft]:
    """The drafts of an authority, by id."""
    found = await session.execute(
        select(PlanDraft)
        .where(col(PlanDraft.authority) == authority, col(PlanDraft.expires_at) > at)
        .order_by(col(PlanDraft.plan_id))
    )
    return list(found.scalars())


async def count(session: AsyncSession, authority: str) -> int:
    """The number of an authority's drafts."""
    query = select(func.count()).where(col(PlanDraft.authority) == authority)
    return int((await session.execute(query)).scalar_one())


async def put(session: AsyncSession, draft: PlanDraft) -> None:
    """Write a draft, replacing an earlier one of the same plan."""
    await session.merge(draft)
    await session.flush()


async def take(session: AsyncSession, plan_id: str) -> Mapping[str, Any] | None:
    """Delete a draft and return its fields. If two people publish it at the same moment, only one gets them."""
    query = delete(PlanDraft).where(col(PlanDraft.plan_id) == plan_id).returning(col(PlanDraft.fields))
    fields: Mapping[str, Any] | None = (await session.execute(query)).scalar_one_or_none()
    return fields


async def forget(session: AsyncSession, authority: str) -> None:
    """Delete the drafts of an authority."""
    await session.execute(delete(PlanDraft).where(col(PlanDraft.authority) == authority))


async def prune(session: AsyncSession, at: datetime) -> None:
    """Delete expired drafts."""
    await session.execute(delete(PlanDraft).where(col(PlanDraft.expires_at) <= at))
