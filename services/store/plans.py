"""Plans: the append-only log of every accepted revision, and the newest state of each plan."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Identity, Index, UniqueConstraint, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from events.topics import NOTICES
from matching.plan import Status
from services.store import bulk_writes, forgotten
from services.store.bulk_writes import BulkWrites
from services.store.database import (
    IDLE_IN_TRANSACTION_SECONDS,
    in_array,
    in_array_param,
    json_column,
    now,
    table_of,
    timestamp,
)
from services.store.pipelined_queries import Query, Rows, execute_pipelined, fetch

GIVE_UP_AFTER: Final = 3
"""The number of failed assessments of one revision after which the plan is quarantined."""


class PlanLog(SQLModel, table=True):
    """Every accepted event, as validated: the source of every rebuild. Rows are only ever added.

    `annulled_by`: the operator's reset (`plan_resets`) that annulled the revision.
    """

    __tablename__ = "plan_log"
    __table_args__ = (UniqueConstraint("plan_id", "revision"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    plan_id: str
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    event_id: str
    event_type: str
    content_hash: str
    payload: Any = Field(sa_column=json_column())
    origin: Any = Field(sa_column=json_column())
    published_at: datetime = Field(sa_column=timestamp())
    received_at: datetime = Field(sa_column=timestamp())
    annulled_by: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class PlanRecord(SQLModel, table=True):
    """The newest revision of a plan. `state` is its latest complete payload, null if none was ever received."""

    __tablename__ = "plans"
    __table_args__ = (
        Index("plans_active", "plan_id", "revision", postgresql_where=text("searchable")),
        Index("plans_unmatched", "plan_id", postgresql_where=text("matched_revision < revision")),
    )

    plan_id: str = Field(primary_key=True)
    authority: str = Field(index=True)
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    status: str
    searchable: bool = Field(description="active, and shared with others: a candidate for a match")
    state: Any = Field(default=None, sa_column=json_column(nullable=True))
    event_id: str
    traceparent: str | None = None
    published_at: datetime = Field(sa_column=timestamp())
    received_at: datetime = Field(sa_column=timestamp())
    matched_revision: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
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


class RecordOutcome(StrEnum):
    """The outcome of recording an event in the log."""

    APPLIED = "applied"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    OUTRANKED = "outranked"
    """A plan from a public notice, which the authority has meanwhile sent itself."""


@dataclass(frozen=True, slots=True)
class PlanRevision:
    """One revision of a plan, ready to be stored. `state` is None for withdrawals and awards. `sent_hash` is the hash
    of the content as sent, if contacts were removed from it."""

    plan_id: str
    authority: str
    revision: int
    event_id: str
    event_type: str
    content_hash: str
    payload: Mapping[str, Any]
    origin: Mapping[str, Any]
    status: str
    searchable: bool
    state: Mapping[str, Any] | None
    published_at: datetime
    traceparent: str | None
    sent_hash: str | None = None

    @property
    def from_notices(self) -> bool:
        """Whether the plan was made from a public notice, not sent by the authority."""
        return bool(self.origin.get("topic") == NOTICES.name)

    def blanked(self) -> "PlanRevision":
        """Return the same revision without its forgotten content."""
        return replace(self, payload=forgotten.blank(self.plan_id, self.revision, self.authority), state=None)


class RevisionBatch:
    """Revisions to record. Execute `queries` first. They lock the plans' rows in id order, so concurrent recorders
    can't deadlock. `first` is written along with them."""

    def __init__(self, revisions: Sequence[PlanRevision], first: BulkWrites) -> None:
        self.revisions = revisions
        ids = sorted({revision.plan_id for revision in revisions})
        _reserve(first, ids, revisions)
        self.newest = lock_query(ids)
        self.logged = _logged(revisions)
        self.forgotten = forgotten.revisions(ids)
        self.owned = _sent_by_authorities([one.plan_id for one in revisions if one.from_notices])
        self.queries: Sequence[Query[Any]] = (
            *first.queries, self.newest, self.logged, self.forgotten, self.owned
        )  # fmt: skip


async def append_revisions(session: AsyncSession, recording: RevisionBatch, *then: Query[Any]) -> list[RecordOutcome]:
    """Append revisions to the log and move each plan to its newest one, in the order given. The queries `then` share
    the round trip, and see the new revisions."""
    newest, logged = dict(recording.newest.result), dict(recording.logged.result)
    moves: dict[str, dict[str, Any]] = {}
    log, outcomes = [], []
    for revision in recording.revisions:
        key = (revision.plan_id, revision.revision)
        gone = revision.revision <= recording.forgotten.result.get(revision.plan_id, 0)
        if key in logged:
            same = gone or logged[key] in (revision.content_hash, revision.sent_hash)
            outcomes.append(RecordOutcome.DUPLICATE if same else RecordOutcome.CONFLICT)
            continue
        if revision.from_notices and revision.plan_id in recording.owned.result:
            outcomes.append(RecordOutcome.OUTRANKED)
            continue
        if gone:
            # First delivered after the plan was forgotten: log it, and blank it immediately.
            revision = revision.blanked()
        logged[key] = revision.content_hash
        log.append(_log_row(revision))
        if revision.revision > newest[revision.plan_id]:
            newest[revision.plan_id] = revision.revision
            moves[revision.plan_id] = _moved(revision, moves.get(revision.plan_id))
            outcomes.append(RecordOutcome.APPLIED)
        else:
            outcomes.append(RecordOutcome.SUPERSEDED)
    writes = BulkWrites()
    writes.insert(table_of(PlanLog), log)
    if moves:
        writes.add(_MOVE, moves=bulk_writes.to_recordset_json([moves[plan_id] for plan_id in sorted(moves)]))
    await execute_pipelined(session, *writes.queries, *then)
    return outcomes


_MOVE: Final = """
    UPDATE plans p
    SET revision = r.revision, status = r.status, searchable = r.searchable, state = coalesce(r.state, p.state),
        event_id = r.event_id, traceparent = r.traceparent, published_at = r.published_at, received_at = r.received_at,
        attempts = 0, quarantined = false
    FROM json_populate_recordset(NULL::plans, CAST(:moves AS json)) r
    WHERE p.plan_id = r.plan_id
"""


def _moved(revision: PlanRevision, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Build the columns of a plan at its newest revision. A revision without a state keeps the stored state."""
    state = revision.state if revision.state is not None else (before or {}).get("state")
    return {
        "plan_id": revision.plan_id,
        "revision": revision.revision,
        "status": revision.status,
        "searchable": revision.searchable,
        "state": state,
        "event_id": revision.event_id,
        "traceparent": revision.traceparent,
        "published_at": revision.published_at,
        "received_at": now(),
    }


_THESE: Final = select(PlanRecord).where(in_array_param(col(PlanRecord.plan_id)))
_REVISIONS: Final = text("SELECT plan_id, revision FROM plans WHERE plan_id = ANY(:ids)")
_NOTICES: Final = text(
    "SELECT plan_id, revision, event_id, traceparent, published_at, state IS NOT NULL, ARRAY("
    "  SELECT plan_b FROM opportunities WHERE plan_a = p.plan_id AND status = 'active' UNION ALL"
    "  SELECT plan_a FROM opportunities WHERE plan_b = p.plan_id AND status = 'active')"
    " FROM plans p WHERE plan_id = ANY(:ids)"
)
_LOGGED: Final = text(
    "SELECT plan_id, revision, content_hash FROM plan_log WHERE plan_id = ANY(:ids) AND revision = ANY(:revisions)"
)


_OWNED: Final = text(
    "SELECT DISTINCT plan_id FROM plan_log WHERE plan_id = ANY(:ids) AND origin ->> 'topic' <> :notices"
)


def _sent_by_authorities(plan_ids: Sequence[str]) -> Query[frozenset[str]]:
    """Return which of these plans their authorities have sent themselves."""
    asked = {"ids": list(plan_ids), "notices": NOTICES.name}
    return Query(_OWNED, asked, lambda found: frozenset(row[0] for row in found))


async def unassessed_before(session: AsyncSession, before: datetime, limit: int) -> list[str]:
    """Return plans received before `before` whose newest revision a crash left unassessed."""
    found = await session.execute(
        select(PlanRecord.plan_id)  # type: ignore[call-overload]
        .where(
            col(PlanRecord.matched_revision) < col(PlanRecord.revision),
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


def assessment_inputs(plan_ids: Sequence[str]) -> Query[dict[str, AssessmentInput]]:
    """Query the assessment inputs of these plans, as far as they exist."""
    return Query(_NOTICES, {"ids": list(plan_ids)}, lambda found: {row[0]: AssessmentInput(*row) for row in found})


async def searchable(session: AsyncSession, limit: int | None = None) -> dict[str, int]:
    """Return the plans that could be a partner, with their revisions; at most `limit`."""
    found = await session.execute(
        select(PlanRecord.plan_id, PlanRecord.revision).where(col(PlanRecord.searchable)).limit(limit)  # type: ignore[call-overload]
    )
    return dict(found.all())


def revisions(plan_ids: Iterable[str]) -> Query[dict[str, int]]:
    """Return the newest revision of each of these plans that exists."""
    return Query(_REVISIONS, {"ids": list(plan_ids)}, _by_id)


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


def lock_query(plan_ids: Iterable[str]) -> Query[dict[str, int]]:
    """Lock these plans in id order, and return their revisions. Nobody can change them until the transaction ends.

    The same statement limits how long the transaction may stay idle, see `limit_idle_in_transaction`.
    """
    return Query(_LOCK, {"plan_ids": sorted(set(plan_ids)), "silence": f"{IDLE_IN_TRANSACTION_SECONDS}s"}, _by_id)


def lock_whole_query(plan_ids: Iterable[str]) -> Query[dict[str, int]]:
    """Lock these plans, and leave out those without content: nothing may be written about a plan forgotten
    meanwhile."""
    query = lock_query(plan_ids)
    return Query(query.statement, query.given, lambda found: {row[0]: row[1] for row in found if row[2]})


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
            "UPDATE plans p SET matched_revision = r.revision, attempts = 0"
            " FROM unnest(CAST(:matched AS text[]), CAST(:matched_revisions AS bigint[])) AS r(plan_id, revision)"
            " WHERE p.plan_id = r.plan_id AND p.revision = r.revision",
            matched=list(revisions),
            matched_revisions=list(revisions.values()),
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
            searchable=col(PlanRecord.searchable) & (col(PlanRecord.attempts) + 1 < GIVE_UP_AFTER),
        )
        .returning(PlanRecord.quarantined)  # type: ignore[call-overload]
    )
    return bool(row.scalar_one_or_none())


async def log_entry(session: AsyncSession, plan_id: str, revision: int) -> PlanLog:
    """Return the log's row of one revision."""
    row: PlanLog = (
        await session.execute(select(PlanLog).where(col(PlanLog.plan_id) == plan_id, col(PlanLog.revision) == revision))
    ).scalar_one()
    return row


async def count_unassessed(session: AsyncSession) -> int:
    """Count the plans with a revision that has not been assessed."""
    return int(
        (
            await session.execute(
                select(func.count()).where(
                    col(PlanRecord.matched_revision) < col(PlanRecord.revision), col(PlanRecord.quarantined).is_(False)
                )
            )
        ).scalar_one()
    )


def _reserve(writes: BulkWrites, ids: Sequence[str], revisions: Sequence[PlanRevision]) -> None:
    """Insert a row for every plan, so that it can be locked. Revision 0 marks a row as not filled yet."""
    first = {revision.plan_id: revision for revision in reversed(revisions)}
    writes.add(
        "INSERT INTO plans (plan_id, authority, revision, status, searchable, event_id, published_at, received_at,"
        " attempts, quarantined) SELECT plan_id, authority, 0, 'active', false, '', :now, :now, 0, false"
        " FROM unnest(CAST(:ids AS text[]), CAST(:authorities AS text[])) AS r(plan_id, authority)"
        " ON CONFLICT DO NOTHING",
        ids=list(ids),
        authorities=[first[plan_id].authority for plan_id in ids],
        now=now(),
    )


def _logged(revisions: Sequence[PlanRevision]) -> Query[dict[tuple[str, int], str]]:
    asked = {"ids": list({one.plan_id for one in revisions}), "revisions": list({one.revision for one in revisions})}
    return Query(_LOGGED, asked, lambda found: {(plan_id, revision): content for plan_id, revision, content in found})


def _log_row(revision: PlanRevision) -> dict[str, Any]:
    return {
        "plan_id": revision.plan_id,
        "revision": revision.revision,
        "event_id": revision.event_id,
        "event_type": revision.event_type,
        "content_hash": revision.content_hash,
        "payload": revision.payload,
        "origin": revision.origin,
        "published_at": revision.published_at,
        "received_at": now(),
    }


def apply_revision(plan: PlanRecord, revision: PlanRevision) -> None:
    """Move a plan to a revision. The authority of a plan never changes."""
    for name, value in _moved(revision, {"state": plan.state}).items():
        setattr(plan, name, value)
    plan.attempts = 0
    plan.quarantined = False
