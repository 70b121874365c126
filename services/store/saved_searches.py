"""Searches that authorities have saved, to run them again with one click."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.database import json_column, now, timestamp


class SavedSearch(SQLModel, table=True):
    """One search. `query`: the filters as they were entered, without those that were left empty."""

    __tablename__ = "saved_searches"

    search_id: str = Field(primary_key=True)
    authority: str = Field(foreign_key="authorities.authority", ondelete="CASCADE", index=True)
    name: str
    query: Any = Field(sa_column=json_column())
    created_at: datetime = Field(sa_column=timestamp())


async def of_authority(session: AsyncSession, authority: str) -> list[SavedSearch]:
    """The searches of an authority, by name."""
    found = await session.execute(
        select(SavedSearch)
        .where(col(SavedSearch.authority) == authority)
        .order_by(col(SavedSearch.name), col(SavedSearch.search_id))
    )
    return list(found.scalars())


async def count(session: AsyncSession, authority: str) -> int:
    """The number of an authority's searches."""
    query = select(func.count()).where(col(SavedSearch.authority) == authority)
    return int((await session.execute(query)).scalar_one())


async def add(session: AsyncSession, authority: str, name: str, query: Mapping[str, str]) -> None:
    """Saves a search."""
    search_id = uuid.uuid4().hex
    session.add(SavedSearch(search_id=search_id, authority=authority, name=name, query=dict(query), created_at=now()))
    await session.flush()


async def remove(session: AsyncSession, authority: str, search_id: str) -> bool:
    """Deletes one of the authority's searches; whether it was there."""
    query = (
        delete(SavedSearch)
        .where(col(SavedSearch.search_id) == search_id, col(SavedSearch.authority) == authority)
        .returning(col(SavedSearch.search_id))
    )
    return (await session.execute(query)).scalar_one_or_none() is not None


async def forget(session: AsyncSession, authority: str) -> None:
    """Deletes all searches of an authority."""
    await session.execute(delete(SavedSearch).where(col(SavedSearch.authority) == authority))
