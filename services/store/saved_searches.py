"""Searches that authorities have saved, and the plans that have come to fit one since."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.domain.notifications import DeliveryFailure, EmailState
from services.store import plan_search
from services.store.database import json_column, now, timestamp
from services.store.intents import Mail
from services.store.plan_search import SearchQuery

MAX_FITTING: Final = 1_000
"""The maximum number of plans that fit a search when it is saved. A hit is kept for each."""
NO_NEWS: Final = "no-news"
"""The `mail_id` of hits that no email tells of: they fitted when the search was saved, or came with its news off."""


class SavedSearch(SQLModel, table=True):
    """One search. `query`: its filters, without those that were left empty. `news`: whether the weekly email tells of
    plans that come to fit it.

    `looked_at`: when it was last looked for hits; `looked_to`: the position in the log of plans up to which all
    revisions had arrived by then.
    """

    __tablename__ = "saved_searches"

    search_id: str = Field(primary_key=True)
    authority: str = Field(foreign_key="authorities.authority", ondelete="CASCADE", index=True)
    name: str
    query: Any = Field(sa_column=json_column())
    news: bool = Field(default=True)
    created_at: datetime = Field(sa_column=timestamp())
    looked_to: int = Field(sa_column=Column(BigInteger, nullable=False))
    looked_at: datetime = Field(sa_column=timestamp())


class SearchHit(SQLModel, table=True):
    """A plan that fits a search, or did. `mail_id`: the email that tells of it, or `NO_NEWS`; null as long as none
    does."""

    __tablename__ = "search_hits"

    search_id: str = Field(primary_key=True, foreign_key="saved_searches.search_id", ondelete="CASCADE")
    plan_id: str = Field(primary_key=True)
    mail_id: str | None = Field(default=None)


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


async def add(session: AsyncSession, authority: str, name: str, query: SearchQuery) -> bool:
    """Save a search; False if more than `MAX_FITTING` plans fit it. The plans that fit it now are no news."""
    at, search_id = now(), uuid.uuid4().hex
    # The first look reads all plans that arrive behind this position. Those that fit now are marked below.
    position = await plan_search.log_position(session, at)
    fitting = await plan_search.fitting_plans(session, authority, query, MAX_FITTING + 1)
    if len(fitting) > MAX_FITTING:
        return False
    row = SavedSearch(
        search_id=search_id,
        authority=authority,
        name=name,
        query=query.to_json(),
        created_at=at,
        looked_to=position,
        looked_at=at,
    )
    session.add(row)
    await session.flush()
    session.add_all(SearchHit(search_id=search_id, plan_id=plan_id, mail_id=NO_NEWS) for plan_id in fitting)
    await session.flush()
    return True


async def remove(session: AsyncSession, authority: str, search_id: str) -> bool:
    """Delete one of the authority's searches; whether it was there."""
    query = (
        delete(SavedSearch)
        .where(col(SavedSearch.search_id) == search_id, col(SavedSearch.authority) == authority)
        .returning(col(SavedSearch.search_id))
    )
    return (await session.execute(query)).scalar_one_or_none() is not None


async def set_news(session: AsyncSession, authority: str, search_id: str, *, news: bool) -> bool | None:
    """Switch the news of one of the authority's searches on or off; return whether that changed it, None if there is
    no such search.

    Plans that come to fit while it is off are not reported later.
    """
    one = await session.get(SavedSearch, search_id, with_for_update=True)
    if one is None or one.authority != authority:
        return None
    if one.news == news:
        return False
    one.news = news
    untold = (col(SearchHit.search_id) == search_id, col(SearchHit.mail_id).is_(None))
    await session.execute(update(SearchHit).where(*untold).values(mail_id=NO_NEWS))
    return True


async def forget(session: AsyncSession, authority: str) -> None:
    """Delete all searches of an authority."""
    await session.execute(delete(SavedSearch).where(col(SavedSearch.authority) == authority))


async def due(session: AsyncSession, before: datetime) -> Sequence[str]:
    """The authorities with a search that was last looked at before a moment."""
    query = select(col(SavedSearch.authority)).where(col(SavedSearch.looked_at) < before).distinct()
    return (await session.execute(query.order_by(col(SavedSearch.authority)))).scalars().all()


async def look(session: AsyncSession, authority: str, before: datetime, at: datetime) -> int:
    """Add the hits of an authority's searches that were last looked at before a moment; the number of those to tell of.

    The caller has locked the authority's row. It reads only plans that have changed since the last look.
    """
    position = await plan_search.log_position(session, at)
    found = 0
    for one in await of_authority(session, authority):
        if one.looked_at >= before:
            continue
        plan_ids = await plan_search.new_plans(
            session,
            authority,
            SearchQuery.from_json(one.query),
            search_id=one.search_id,
            looked_to=one.looked_to,
        )
        told = None if one.news else NO_NEWS
        session.add_all(SearchHit(search_id=one.search_id, plan_id=plan_id, mail_id=told) for plan_id in plan_ids)
        one.looked_to, one.looked_at = position, at
        found += len(plan_ids) if one.news else 0
    await session.flush()
    return found


_WAITING: Final = text(
    "SELECT DISTINCT s.authority FROM search_hits h JOIN saved_searches s USING (search_id)"
    " WHERE h.mail_id IS NULL AND s.news AND (CAST(:authority AS text) IS NULL OR s.authority = :authority)"
    " AND NOT EXISTS (SELECT 1 FROM notification_mails m WHERE m.authority = s.authority AND m.purpose = 'digest'"
    "  AND m.state IN ('queued', 'claimed', 'sending', 'ambiguous'))"
    " AND NOT EXISTS (SELECT 1 FROM notification_intents i WHERE i.authority = s.authority AND i.purpose = 'digest'"
    "  AND i.state = 'pending' AND i.due_at <= :until) ORDER BY s.authority"
)


async def without_email(session: AsyncSession, until: datetime, authority: str | None = None) -> Sequence[str]:
    """The authorities with hits that nobody has told them of, and no weekly email until a moment that could.

    With an `authority`: only this one, if it is among them.
    """
    return (await session.execute(_WAITING, {"until": until, "authority": authority})).scalars().all()


async def hits_for(session: AsyncSession, authority: str, mail_id: str) -> list[tuple[SavedSearch, list[SearchHit]]]:
    """The hits that an email of the authority tells of, or could, by search; locked."""
    query = (
        select(SavedSearch, SearchHit)
        .join(SearchHit, col(SearchHit.search_id) == col(SavedSearch.search_id))
        .where(
            col(SavedSearch.authority) == authority,
            col(SavedSearch.news),
            or_(col(SearchHit.mail_id).is_(None), col(SearchHit.mail_id) == mail_id),
        )
        .order_by(col(SavedSearch.name), col(SavedSearch.search_id), col(SearchHit.plan_id))
        .with_for_update(of=SearchHit)
    )
    found: dict[str, tuple[SavedSearch, list[SearchHit]]] = {}
    for search, hit in await session.execute(query):
        found.setdefault(search.search_id, (search, []))[1].append(hit)
    return list(found.values())


async def release(session: AsyncSession, mail_id: str) -> None:
    """Leave the hits of an email that is not sent to the next one."""
    await session.execute(update(SearchHit).where(col(SearchHit.mail_id) == mail_id).values(mail_id=None))


async def release_failed(session: AsyncSession, authority: str) -> None:
    """Leave the hits that an authority's mailbox refused to its next email. What may have arrived is not told twice."""
    refused = select(col(Mail.mail_id)).where(
        col(Mail.authority) == authority,
        col(Mail.state) == EmailState.FAILED,
        col(Mail.failure) != DeliveryFailure.AMBIGUOUS,
    )
    await session.execute(update(SearchHit).where(col(SearchHit.mail_id).in_(refused)).values(mail_id=None))
