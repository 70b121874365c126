"""Benchmark requests, and the extensions that cause them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, Column, UniqueConstraint, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from matching.plan import Status
from services.domain.benchmark_requests import BenchmarkRequest, BenchmarkStatus
from services.store.database import in_array, json_column, now, timestamp

_REQUEST: TypeAdapter[BenchmarkRequest] = TypeAdapter(BenchmarkRequest)


class BenchmarkRequestRow(SQLModel, table=True):
    """One request of a plan for one end of its contract. `revision` counts its events."""

    __tablename__ = "benchmark_requests"
    __table_args__ = (UniqueConstraint("plan_id", "current_end", name="benchmark_requests_once"),)

    request_id: str = Field(primary_key=True)
    plan_id: str = Field(index=True)
    authority: str = Field(index=True)
    current_end: date
    status: str
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: Any = Field(sa_column=json_column())
    updated_at: datetime = Field(sa_column=timestamp())

    @property
    def request(self) -> BenchmarkRequest:
        """The request as a value."""
        return _REQUEST.validate_python(self.state)


@dataclass(frozen=True, slots=True)
class Extension:
    """A plan to extend a contract: its state, and the contract's first end as far as it is known."""

    plan_id: str
    state: Mapping[str, Any]
    first_end: date


_UNASKED: Final = text(
    # The first end: from the shared contract, otherwise the earliest end in any revision of the authority's plans.
    "SELECT p.plan_id, p.state, coalesce("
    "  (SELECT min(coalesce(c.payload->>'first_end', c.payload->>'end')) FROM contracts c"
    "   WHERE c.contract_id IN (p.plan_id, p.authority || ':' || (p.state#>>'{current_contract,reference}'))),"
    "  (SELECT min(l.payload#>>'{current_contract,end}') FROM plans q JOIN plan_log l USING (plan_id)"
    "   WHERE q.authority = p.authority AND l.annulled_by IS NULL AND (l.plan_id = p.plan_id"
    "    OR nullif(l.payload#>>'{current_contract,reference}', '') = p.state#>>'{current_contract,reference}')),"
    "  p.state#>>'{current_contract,end}') AS first_end"
    " FROM plans p WHERE p.status = 'active' AND p.state->>'kind' = 'extension'"
    "  AND p.state#>>'{extension,months}' IS NOT NULL AND p.state#>>'{current_contract,end}' IS NOT NULL"
    "  AND NOT EXISTS (SELECT 1 FROM benchmark_requests r WHERE r.plan_id = p.plan_id"
    "   AND r.current_end = CAST(p.state#>>'{current_contract,end}' AS date))"
    " ORDER BY p.plan_id"
)


async def unasked_extensions(session: AsyncSession) -> list[Extension]:
    """The active plans to extend a contract without a request for its current end."""
    rows = await session.execute(_UNASKED)
    return [Extension(row.plan_id, row.state, date.fromisoformat(row.first_end)) for row in rows]


async def load(session: AsyncSession, request_id: str) -> BenchmarkRequestRow | None:
    """One request."""
    return await session.get(BenchmarkRequestRow, request_id)


async def by_id(session: AsyncSession, request_ids: Collection[str]) -> dict[str, BenchmarkRequest]:
    """These requests, as far as they exist."""
    rows = await session.execute(
        select(BenchmarkRequestRow).where(in_array(col(BenchmarkRequestRow.request_id), request_ids))
    )
    return {row.request_id: row.request for row in rows.scalars()}


async def unanswered(session: AsyncSession) -> Sequence[BenchmarkRequestRow]:
    """The requests without an answer."""
    statement = select(BenchmarkRequestRow).where(col(BenchmarkRequestRow.status) == BenchmarkStatus.REQUESTED.value)
    return (await session.execute(statement.order_by(col(BenchmarkRequestRow.request_id)))).scalars().all()


async def save(session: AsyncSession, request: BenchmarkRequest) -> int:
    """Write a request at its next revision; return the revision."""
    row = await load(session, request.request_id)
    if row is None:
        row = BenchmarkRequestRow(
            request_id=request.request_id,
            plan_id=request.plan_id,
            authority=request.authority,
            current_end=request.current_end,
            status=request.status.value,
            revision=0,
            state={},
            updated_at=now(),
        )
    row.status = request.status.value
    row.revision += 1
    row.state = _REQUEST.dump_python(request, mode="json")
    row.updated_at = now()
    session.add(row)
    await session.flush()
    return row.revision


async def undecided(session: AsyncSession) -> list[tuple[BenchmarkRequest, Status]]:
    """The requests without a decision, each with its plan's state."""
    rows = await session.execute(
        text(
            "SELECT r.state, coalesce(p.status, 'withdrawn') AS standing FROM benchmark_requests r"
            " LEFT JOIN plans p USING (plan_id) WHERE r.state->>'decision' IS NULL ORDER BY r.request_id"
        )
    )
    return [(_REQUEST.validate_python(row.state), Status(row.standing)) for row in rows]


async def load_standing(session: AsyncSession, request_id: str) -> tuple[BenchmarkRequest, Status] | None:
    """One request, with its plan's state."""
    row = await load(session, request_id)
    if row is None:
        return None
    status = (
        await session.execute(text("SELECT status FROM plans WHERE plan_id = :plan_id"), {"plan_id": row.plan_id})
    ).scalar_one_or_none()
    return row.request, Status(status or Status.WITHDRAWN)


async def listed(session: AsyncSession, authority: str | None) -> list[tuple[BenchmarkRequest, Status]]:
    """All requests, or those of one authority, by due day, each with its plan's state."""
    rows = await session.execute(
        text(
            "SELECT r.state, coalesce(p.status, 'withdrawn') AS standing FROM benchmark_requests r"
            " LEFT JOIN plans p USING (plan_id) WHERE CAST(:authority AS text) IS NULL OR r.authority = :authority"
            " ORDER BY r.state->>'due_on', r.request_id"
        ),
        {"authority": authority},
    )
    return [(_REQUEST.validate_python(row.state), Status(row.standing)) for row in rows]
