"""Plans: the newest state of each one. `plan_log` holds their history."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from matching.plan import Status
from services.store.bulk_writes import BulkWrites
from services.store.database import IDLE_IN_TRANSACTION_SECONDS, in_array, in_array_param, json_column, timestamp
from services.store.pipelined_queries import PipelinedQuery, Rows, fetch

GIVE_UP_AFTER: Final = 3
"""The number of failed assessments of one revision after which the plan is quarantined."""


class PlanRecord(SQLModel, table=True):
    """The newest revision of a plan. `state` is its latest complete payload, null if none was ever received."""

    __tablename__ = "plans"
    __table_args__ = (
        Index("plans_active", "plan_id", "revision", postgresql_where=text("matchable")),
        Index("plans_unassessed", "plan_id", postgresql_where=text("assessed_revision < revision")),
        # A request for a benchmark looks for the plans of its category that name their present contract.
        Index(
            "plans_category",
            text("left(state #>> '{cpv,0}', 5)"),
            postgresql_where=text("status = 'active' AND state -> 'current_contract' <> 'null'"),
        ),
    )

    plan_id: str = Field(primary_key=True)
    authority: str = Field(index=True)
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    status: str
    matchable: bool = Field(description="active, and shared with others: a candidate for a match")
    state: Any = Field(default=None, sa_column=json_column(nullable=True))
    event_id: str
    traceparent: str | None = None
    published_at: datetime = Field(sa_column=timestamp())
    received_at: datetime = Field(sa_column=timestamp())
    assessed_revision: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    attempts: int = Field(default=0)
    quarantined: bool = Field(default=False)


@dataclass(frozen=True, slots=True)
class PlanValues:
    """The columns that the engine's plan is built from, as a plain value: cheap to read, not tracked by a session."""

    plan_id: str
    revision: int
    status: str
    state: Any


@dataclass(frozen=True, slots=True)
class SupplierPlan:
    """A plan that names a supplier. `state` holds no more than `sharing` and `current_contract`."""

    plan_id: str
    authority: str
    state: Mapping[str, Any]


_THESE: Final = select(PlanRecord).where(in_array_param(col(PlanRecord.plan_id)))
_REVISIONS: Final = text("SELECT plan_id, revision FROM plans WHERE plan_id = ANY(:ids)")
_NOTICES: Final = text(
    "SELECT plan_id, revision, event_id, traceparent, published_at, state IS NOT NULL, ARRAY("
    "  SELECT plan_b FROM opportunities WHERE plan_a = p.plan_id AND status = 'active' UNION ALL"
    "  SELECT plan_a FROM opportunities WHERE plan_b = p.plan_id AND status = 'active')"
    " FROM plans p WHERE plan_id = ANY(:ids)"
)


async def unassessed_before(session: AsyncSession, before: datetime, limit: int) -> list[str]:
    """Return plans received before `before` whose newest revision a crash left unassessed."""
    found = await session.execute(
        select(PlanRecord.plan_id)  # type: ignore[call-overload]
        .where(
            col(PlanRecord.assessed_revision) < col(PlanRecord.revision),
            col(PlanRecord.received_at) < before,
            col(PlanRecord.quarantined).is_(False),
        )
        .order_by(col(PlanRecord.received_at))
        .limit(limit)
    )
    return list(found.scalars())


@dataclass(frozen=True, slots=True)
class AssessmentInput:
    """The input for assessing the newest revision of a plan. `has_payload` is false if only its withdrawal was ever
    received; `partners` are the plans in active opportunities with it."""

    plan_id: str
    revision: int
    event_id: str
    traceparent: str | None
    published_at: datetime
    has_payload: bool
    partners: Sequence[str]


def assessment_inputs(plan_ids: Sequence[str]) -> PipelinedQuery[dict[str, AssessmentInput]]:
    """Query the assessment inputs of these plans, as far as they exist."""
    return PipelinedQuery(
        _NOTICES, {"ids": list(plan_ids)}, lambda found: {row[0]: AssessmentInput(*row) for row in found}
    )


async def matchable(session: AsyncSession) -> dict[str, int]:
    """Return the plans that could be a partner, with their revisions."""
    found = await session.execute(
        select(PlanRecord.plan_id, PlanRecord.revision).where(col(PlanRecord.matchable))  # type: ignore[call-overload]
    )
    return dict(found.all())


def revisions(plan_ids: Iterable[str]) -> PipelinedQuery[dict[str, int]]:
    """Return the newest revision of each of these plans that exists."""
    return PipelinedQuery(_REVISIONS, {"ids": list(plan_ids)}, _by_id)


async def active_revisions(session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, int]:
    """Return the newest revision of each of these plans that is neither withdrawn nor awarded."""
    query = select(col(PlanRecord.plan_id), col(PlanRecord.revision))
    found = await session.execute(
        query.where(in_array(col(PlanRecord.plan_id), plan_ids), col(PlanRecord.status) == Status.ACTIVE)
    )
    return {plan_id: revision for plan_id, revision in found}  # noqa: C416 (rows are no pairs)


async def active_of(session: AsyncSession, authorities: Iterable[str]) -> list[PlanRecord]:
    """The active plans of these authorities, by id."""
    found = await session.execute(
        select(PlanRecord)
        .where(in_array(col(PlanRecord.authority), authorities), col(PlanRecord.status) == Status.ACTIVE)
        .order_by(col(PlanRecord.plan_id))
    )
    return list(found.scalars())


async def by_id(session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, PlanRecord]:
    """Return these plans, as far as they exist."""
    found = await session.execute(_THESE, {"ids": list(plan_ids)})
    return {plan.plan_id: plan for plan in found.scalars()}


_LOCK: Final = text(
    "SELECT p.plan_id, p.revision, p.state IS NOT NULL"
    " FROM (SELECT set_config('idle_in_transaction_session_timeout', :silence, true) OFFSET 0) brief(set), plans p"
    " WHERE p.plan_id = ANY(:plan_ids) ORDER BY p.plan_id FOR UPDATE OF p"
)


def lock_query(plan_ids: Iterable[str]) -> PipelinedQuery[dict[str, int]]:
    """Lock these plans in id order, and return their revisions. Nobody can change them until the transaction ends.

    The same statement limits how long the transaction may stay idle, see `limit_idle_in_transaction`.
    """
    return PipelinedQuery(
        _LOCK, {"plan_ids": sorted(set(plan_ids)), "silence": f"{IDLE_IN_TRANSACTION_SECONDS}s"}, _by_id
    )


def lock_whole_query(plan_ids: Iterable[str]) -> PipelinedQuery[dict[str, int]]:
    """Lock these plans, and leave out those without content: nothing may be written about a plan forgotten
    meanwhile."""
    query = lock_query(plan_ids)
    return PipelinedQuery(query.statement, query.given, lambda found: {row[0]: row[1] for row in found if row[2]})


async def lock_plans(session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, int]:
    """Execute `lock_query` alone."""
    return await fetch(session, lock_query(plan_ids))


def _by_id(found: Rows) -> dict[str, int]:
    return {row[0]: row[1] for row in found}


async def naming_suppliers(session: AsyncSession) -> list[SupplierPlan]:
    """The active plans that name the supplier of the current contract, by id."""
    rows = await session.execute(
        text(
            "SELECT plan_id, authority, jsonb_build_object('sharing', state->'sharing', 'current_contract',"
            " state->'current_contract') AS state FROM plans WHERE status = 'active'"
            " AND state#>>'{current_contract,supplier}' <> '' ORDER BY plan_id"
        )
    )
    return [SupplierPlan(row.plan_id, row.authority, row.state) for row in rows]


def mark_assessed(writes: BulkWrites, revisions: Mapping[str, int]) -> None:
    """Mark these revisions as assessed against all others. The caller has locked the plans."""
    if revisions:
        writes.add(
            "UPDATE plans p SET assessed_revision = r.revision, attempts = 0"
            " FROM unnest(CAST(:assessed AS text[]), CAST(:assessed_revisions AS bigint[])) AS r(plan_id, revision)"
            " WHERE p.plan_id = r.plan_id AND p.revision = r.revision",
            assessed=list(revisions),
            assessed_revisions=list(revisions.values()),
        )


async def is_last_attempt(session: AsyncSession, plan_id: str) -> bool:
    """Return whether the next counted failure quarantines the plan."""
    attempts = select(col(PlanRecord.attempts)).where(col(PlanRecord.plan_id) == plan_id)
    return int((await session.execute(attempts)).scalar_one()) + 1 >= GIVE_UP_AFTER


async def count_failure(session: AsyncSession, plan_id: str, revision: int) -> bool:
    """Count a failed assessment of a revision. True if the plan is now quarantined."""
    row = await session.execute(
        update(PlanRecord)
        .where(col(PlanRecord.plan_id) == plan_id, col(PlanRecord.revision) == revision)
        .values(
            attempts=col(PlanRecord.attempts) + 1,
            quarantined=col(PlanRecord.attempts) + 1 >= GIVE_UP_AFTER,
            matchable=col(PlanRecord.matchable) & (col(PlanRecord.attempts) + 1 < GIVE_UP_AFTER),
        )
        .returning(PlanRecord.quarantined)  # type: ignore[call-overload]
    )
    return bool(row.scalar_one_or_none())


async def count_unassessed(session: AsyncSession) -> int:
    """Count the plans with a revision that has not been assessed."""
    return int(
        (
            await session.execute(
                select(func.count()).where(
                    col(PlanRecord.assessed_revision) < col(PlanRecord.revision), col(PlanRecord.quarantined).is_(False)
                )
            )
        ).scalar_one()
    )
