"""Public feeds: the collector's position in each, the releases that it keeps, and the plans made from them."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.database import in_array, json_column, table_of, timestamp


class FeedCursor(SQLModel, table=True):
    """The collector's position in one feed. `window_until` and `next_url` describe the window in progress."""

    __tablename__ = "feed_cursors"

    source: str = Field(primary_key=True)
    collected_to: datetime = Field(sa_column=timestamp())
    window_until: datetime | None = Field(default=None, sa_column=timestamp(nullable=True))
    next_url: str | None = None
    not_before: datetime | None = Field(default=None, sa_column=timestamp(nullable=True))
    last_page_at: datetime | None = Field(default=None, sa_column=timestamp(nullable=True))


class FeedRelease(SQLModel, table=True):
    """One release of a feed. `content` holds the parts from which plans are made; null if no known authority buys."""

    __tablename__ = "feed_releases"
    __table_args__ = (
        Index("feed_releases_ocid", "ocid"),
        Index("feed_releases_number", "source", "notice_year", "notice_number"),
    )

    source: str = Field(primary_key=True)
    release_id: str = Field(primary_key=True)
    released: str = Field(primary_key=True)
    ocid: str
    notice_year: int | None = None
    notice_number: int | None = None
    content: Any = Field(default=None, sa_column=json_column(nullable=True))
    received_at: datetime = Field(sa_column=timestamp())


class FeedPlan(SQLModel, table=True):
    """The latest published event of a plan made from notices: its revision and the hash of its content."""

    __tablename__ = "feed_plans"

    plan_id: str = Field(primary_key=True)
    authority: str = Field(index=True)
    ocid: str
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    content_hash: str
    active: bool = Field(description="neither withdrawn nor awarded")


async def load_cursor(session: AsyncSession, source: str) -> FeedCursor | None:
    """Return the collector's position in a feed; None if it never collected the feed."""
    return await session.get(FeedCursor, source)


async def save(session: AsyncSession, *rows: FeedCursor | FeedPlan | FeedRelease) -> None:
    """Insert or update rows by their keys."""
    for row in rows:
        await session.merge(row)


async def add_releases(session: AsyncSession, rows: Sequence[FeedRelease]) -> None:
    """Insert releases. Known releases stay as they are."""
    if rows:
        values = [row.model_dump() for row in rows]
        await session.execute(insert(table_of(FeedRelease)).values(values).on_conflict_do_nothing())


async def known_releases(session: AsyncSession, source: str, ids: Collection[str]) -> set[tuple[str, str]]:
    """Return which of these releases the database holds, as (release id, date)."""
    found = await session.execute(
        select(col(FeedRelease.release_id), col(FeedRelease.released)).where(
            col(FeedRelease.source) == source, in_array(col(FeedRelease.release_id), ids)
        )
    )
    return {(release_id, released) for release_id, released in found}


async def releases_of(session: AsyncSession, ocids: Collection[str]) -> list[Any]:
    """Return the stored releases of these processes."""
    found = await session.execute(
        select(col(FeedRelease.content)).where(
            in_array(col(FeedRelease.ocid), ocids), col(FeedRelease.content).is_not(None)
        )
    )
    return [content for content in found.scalars() if content]


async def plans_of(session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, FeedPlan]:
    """Return the latest published events of these plans."""
    found = await session.execute(select(FeedPlan).where(in_array(col(FeedPlan.plan_id), plan_ids)))
    return {plan.plan_id: plan for plan in found.scalars()}


_OWN: Final = text(
    "SELECT state FROM plans WHERE authority = ANY(:authorities) AND status = 'active' AND state IS NOT NULL"
    " AND coalesce(state ->> 'origin', 'authority') = 'authority'"
)
_STANDING: Final = text(
    "SELECT p.state FROM feed_plans f JOIN plans p USING (plan_id)"
    " WHERE f.active AND p.status = 'active' AND coalesce(p.state ->> 'origin', 'authority') <> 'authority'"
)
_MISSING: Final = text(
    "WITH day AS (SELECT notice_year, min(notice_number) AS first, max(notice_number) AS last FROM feed_releases"
    "  WHERE source = :source AND released LIKE :day AND notice_number IS NOT NULL GROUP BY notice_year)"
    " SELECT coalesce(sum(d.last - d.first + 1 - (SELECT count(DISTINCT r.notice_number) FROM feed_releases r"
    "  WHERE r.source = :source AND r.notice_year = d.notice_year AND r.notice_number BETWEEN d.first AND d.last)), 0)"
    " FROM day d"
)


async def own_plans(session: AsyncSession, authorities: Collection[str]) -> list[Any]:
    """Return the states of the active plans that these authorities sent themselves."""
    return list((await session.execute(_OWN, {"authorities": list(authorities)})).scalars())


async def active_plans(session: AsyncSession) -> list[Any]:
    """Return the states of the active plans made from notices."""
    return list((await session.execute(_STANDING)).scalars())


async def missing_notices(session: AsyncSession, source: str, day: str) -> int:
    """Count the notice numbers missing between the first and the last of a day (`2026-11-28`)."""
    found = await session.execute(_MISSING, {"source": source, "day": f"{day}%"})
    return int(found.scalar_one())
