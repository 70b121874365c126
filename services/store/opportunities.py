"""Opportunities: one row per pair of plans, never deleted; a revision rises only when its content changes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Index,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, class_mapper, mapped_column
from sqlmodel import SQLModel

from services.domain.opportunity_status import OpportunityStatus
from services.store.bulk_writes import BulkWrites
from services.store.database import in_array, in_array_param
from services.store.pipelined_queries import PipelinedQuery, Rows
from services.store.sharing import match_only_sql


class _Base(MappedAsDataclass, DeclarativeBase, eq=False):
    # Settling a plan builds some twenty rows. A SQLModel takes 250 microseconds each, `build` takes two.
    metadata = SQLModel.metadata


class Opportunity(_Base):
    """The state of one pair. `payload` is the payload of its latest event; `last_notified` the latest material content.

    `plan_a < plan_b`; `revision_a` and `revision_b` are the plan revisions that were assessed.
    `causation_id` is the id of the plan event that caused the last revision.
    """

    __tablename__ = "opportunities"
    __table_args__ = (
        Index("opportunities_plan_a", "plan_a", "status"),
        Index("opportunities_plan_b", "plan_b", "status"),
        Index("opportunities_review", "review_on", postgresql_where=text("status = 'active'")),
    )

    opportunity_id: Mapped[str] = mapped_column(primary_key=True)
    plan_a: Mapped[str]
    plan_b: Mapped[str]
    revision_a: Mapped[int] = mapped_column(BigInteger)
    revision_b: Mapped[int] = mapped_column(BigInteger)
    authority_a: Mapped[str] = mapped_column(index=True)
    authority_b: Mapped[str] = mapped_column(index=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    material_revision: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str]
    score: Mapped[float]
    band: Mapped[str]
    payload: Mapped[Any] = mapped_column(JSONB, nullable=False)
    last_notified: Mapped[Any] = mapped_column(JSONB, nullable=False)
    content_hash: Mapped[str]
    causation_id: Mapped[str | None]
    generation: Mapped[str]
    assessed_as_of: Mapped[date]
    review_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    tombstoned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)

    @property
    def pair(self) -> tuple[str, str]:
        """Both plans, in id order."""
        return self.plan_a, self.plan_b


class VersionedRow(NamedTuple):
    """The version of a row when it was read. Any write to any column gives the row another version."""

    version: str
    row: Opportunity


COLUMNS: Final = tuple(field.name for field in fields(Opportunity))
OPPORTUNITY_TABLE: Final = SQLModel.metadata.tables[Opportunity.__tablename__]
_VERSION: Final[ColumnElement[str]] = literal_column("CAST(xmin AS text)")
_BY_IDS: Final = select(_VERSION, *(OPPORTUNITY_TABLE.c[name] for name in COLUMNS)).where(
    in_array_param(OPPORTUNITY_TABLE.c.opportunity_id)
)
_VERSIONS: Final = select(OPPORTUNITY_TABLE.c.opportunity_id, _VERSION).where(
    in_array_param(OPPORTUNITY_TABLE.c.opportunity_id)
)
_PARTNERS: Final = text(
    "SELECT plan_a, plan_b FROM opportunities WHERE status = 'active' AND (plan_a = ANY(:ids) OR plan_b = ANY(:ids))"
)


def build(columns: Mapping[str, Any]) -> Opportunity:
    """Build a row that no session tracks, from all its columns. The constructor takes 40 times as long."""
    row: Opportunity = class_mapper(Opportunity).class_manager.new_instance()
    row.__dict__.update(columns)
    return row


def to_columns(row: Opportunity) -> dict[str, Any]:
    """Return the columns of a row, for bulk writes."""
    return {name: getattr(row, name) for name in COLUMNS}


def get_rows(ids: Iterable[str]) -> PipelinedQuery[dict[str, VersionedRow]]:
    """Return these opportunities with their versions, as far as they exist. No session tracks them."""
    return PipelinedQuery(_BY_IDS, {"ids": list(ids)}, _versioned)


def _versioned(found: Rows) -> dict[str, VersionedRow]:
    return {
        columns[0]: VersionedRow(version, build(dict(zip(COLUMNS, columns, strict=True))))
        for version, *columns in found
    }


def get_many_versioned(ids: Iterable[str]) -> PipelinedQuery[dict[str, str]]:
    """Return the row versions of these opportunities, as far as they exist."""
    return PipelinedQuery(_VERSIONS, {"ids": list(ids)}, lambda found: {row[0]: row[1] for row in found})


async def get_many(session: AsyncSession, ids: Sequence[str]) -> dict[str, Opportunity]:
    """Return these opportunities, as far as they exist."""
    found = await session.execute(select(Opportunity).where(in_array(Opportunity.opportunity_id, ids)))
    return {row.opportunity_id: row for row in found.scalars()}


async def with_partners(session: AsyncSession, plan_id: str, partners: Collection[str]) -> list[Opportunity]:
    """Return a plan's opportunities with these partners, active or not, in the order of their ids."""
    found = await session.execute(
        select(Opportunity)
        .where(
            or_(
                and_(Opportunity.plan_a == plan_id, in_array(Opportunity.plan_b, partners)),
                and_(Opportunity.plan_b == plan_id, in_array(Opportunity.plan_a, partners)),
            )
        )
        .order_by(Opportunity.opportunity_id)
    )
    return list(found.scalars())


def put(writes: BulkWrites, changed: Sequence[Opportunity]) -> None:
    """Write new and changed opportunities. The caller has locked both plans of each."""
    new = [to_columns(row) for row in changed]
    writes.insert(OPPORTUNITY_TABLE, new, key="opportunity_id", change=COLUMNS[1:])


async def active_for_plan(session: AsyncSession, plan_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return the partners of all active opportunities of each plan."""
    found = await session.execute(_PARTNERS, {"ids": list(plan_ids)})
    partners: dict[str, set[str]] = {plan_id: set() for plan_id in plan_ids}
    for plan_a, plan_b in found:
        for own, other in ((plan_a, plan_b), (plan_b, plan_a)):
            if own in partners:
                partners[own].add(other)
    return partners


async def active_between(session: AsyncSession, plan_ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """The active opportunities whose plans are both among these: id and both plans."""
    found = await session.execute(
        select(Opportunity.opportunity_id, Opportunity.plan_a, Opportunity.plan_b).where(
            in_array(Opportunity.plan_a, plan_ids),
            in_array(Opportunity.plan_b, plan_ids),
            Opportunity.status == OpportunityStatus.ACTIVE,
        )
    )
    return [(row[0], row[1], row[2]) for row in found]


async def near_misses(session: AsyncSession, plan_id: str, limit: int) -> Sequence[Opportunity]:
    """The active opportunities of a plan whose windows do not meet, the strongest first."""
    found = await session.execute(
        select(Opportunity)
        .where(
            or_(Opportunity.plan_a == plan_id, Opportunity.plan_b == plan_id),
            Opportunity.status == OpportunityStatus.ACTIVE,
            Opportunity.payload["nearest_move"].as_string().is_not(None),
        )
        .order_by(Opportunity.score.desc(), Opportunity.opportunity_id)
        .limit(limit)
    )
    return found.scalars().all()


async def due_for_review(session: AsyncSession, as_of: date, limit: int) -> Sequence[str]:
    """Return plans of active opportunities whose assessment may be out of date because days have passed."""
    found = await session.execute(
        select(Opportunity.plan_a)
        .where(Opportunity.status == OpportunityStatus.ACTIVE, Opportunity.review_on <= as_of)
        .distinct()
        .limit(limit)
    )
    return list(found.scalars())


@dataclass(frozen=True, slots=True)
class PlanReach:
    """Count the active opportunities of one plan; with `partner`, only those with plans of that authority."""

    plan_id: str
    partner: str | None
    opportunities: int


async def most_connected(session: AsyncSession, limit: int) -> Sequence[PlanReach]:
    """Return the plans with most active opportunities, and the pairs of plan and other authority with most; `limit` of
    each."""
    a, b = Opportunity.plan_a, Opportunity.plan_b
    active = Opportunity.status == OpportunityStatus.ACTIVE
    sides = union_all(
        select(a.label("plan"), Opportunity.authority_b.label("partner")).where(active),
        select(b.label("plan"), Opportunity.authority_a.label("partner")).where(active),
    ).subquery()
    found: list[PlanReach] = []
    for grouped in ([sides.c.plan], [sides.c.plan, sides.c.partner]):
        counted = func.count().label("opportunities")
        counts = await session.execute(
            select(*grouped, counted).group_by(*grouped).order_by(counted.desc(), *grouped).limit(limit)
        )
        found += [PlanReach(row[0], row[1] if len(grouped) > 1 else None, row[-1]) for row in counts]
    return found


_FIRST_SIDE: Final = "payload #> '{plans,0}'"
_SECOND_SIDE: Final = "payload #> '{plans,1}'"
_PROBES: Final = text(
    "SELECT met.authority, count(*) FROM ("  # noqa: S608 (ours)
    "  SELECT authority_a AS authority, plan_a AS plan_id, created_at FROM opportunities"
    f"  WHERE created_at > :since AND {match_only_sql(_SECOND_SIDE)} UNION ALL"
    "  SELECT authority_b, plan_b, created_at FROM opportunities"
    f"  WHERE created_at > :since AND {match_only_sql(_FIRST_SIDE)}"
    ") met JOIN plan_log l ON l.plan_id = met.plan_id"
    " AND l.received_at > met.created_at AND l.received_at <= met.created_at + :within"
    " GROUP BY met.authority ORDER BY 2 DESC, 1 LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class Probes:
    """The number of times that an authority changed or withdrew a plan soon after an opportunity with a match_only
    plan."""

    authority: str
    count: int


async def probes(session: AsyncSession, since: datetime, within: timedelta, limit: int) -> Sequence[Probes]:
    """Count by authority, since `since`: plans that met a match_only plan and were changed or withdrawn `within` that
    time. Each partner and each change counts; the highest counts come first."""
    found = await session.execute(_PROBES, {"since": since, "within": within, "limit": limit})
    return [Probes(authority, count) for authority, count in found]


async def top_by_score(session: AsyncSession, limit: int) -> Sequence[Opportunity]:
    """Return the active opportunities with the highest scores."""
    found = await session.execute(
        select(Opportunity)
        .where(Opportunity.status == OpportunityStatus.ACTIVE)
        .order_by(Opportunity.score.desc(), Opportunity.opportunity_id)
        .limit(limit)
    )
    return found.scalars().all()


async def find(
    session: AsyncSession,
    *,
    authority: str | None,
    band: str | None,
    status: str,
    limit: int,
    plan_id: str | None = None,
) -> Sequence[Opportunity]:
    """Return opportunities of one status by band, then score; optionally of one authority, plan or band."""
    wanted = [Opportunity.status == status]
    if authority is not None:
        wanted.append(or_(Opportunity.authority_a == authority, Opportunity.authority_b == authority))
    if plan_id is not None:
        wanted.append(or_(Opportunity.plan_a == plan_id, Opportunity.plan_b == plan_id))
    if band is not None:
        wanted.append(Opportunity.band == band)
    # Sort by the score that may be shown. It is null if either authority does not share openly.
    shown_score = Opportunity.payload["score"].as_float()
    loudness = case({"notify": 0, "digest": 1, "feed": 2}, value=Opportunity.band, else_=3)
    found = await session.execute(
        select(Opportunity)
        .where(*wanted)
        .order_by(loudness, shown_score.desc().nulls_last(), Opportunity.opportunity_id)
        .limit(limit)
    )
    return found.scalars().all()
