"""The log of plans: every accepted revision, appended and never changed. It is the source of every rebuild."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Identity, UniqueConstraint, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from events.topics import NOTICES
from services.store import bulk_writes, forgotten
from services.store.bulk_writes import BulkWrites
from services.store.database import assign, json_column, now, table_of, timestamp
from services.store.pipelined_queries import PipelinedQuery, execute_pipelined
from services.store.plans import PlanRecord, lock_query


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
    matchable: bool
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
        own = (self.newest, self.logged, self.forgotten, self.owned)
        self.queries: Sequence[PipelinedQuery[Any]] = (*first.queries, *own)


async def append_revisions(
    session: AsyncSession, recording: RevisionBatch, *then: PipelinedQuery[Any]
) -> list[RecordOutcome]:
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
    SET revision = r.revision, status = r.status, matchable = r.matchable, state = coalesce(r.state, p.state),
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
        "matchable": revision.matchable,
        "state": state,
        "event_id": revision.event_id,
        "traceparent": revision.traceparent,
        "published_at": revision.published_at,
        "received_at": now(),
    }


_LOGGED: Final = text(
    "SELECT plan_id, revision, content_hash FROM plan_log WHERE plan_id = ANY(:ids) AND revision = ANY(:revisions)"
)


_OWNED: Final = text(
    "SELECT DISTINCT plan_id FROM plan_log WHERE plan_id = ANY(:ids) AND origin ->> 'topic' <> :notices"
)


def _sent_by_authorities(plan_ids: Sequence[str]) -> PipelinedQuery[frozenset[str]]:
    """Return which of these plans their authorities have sent themselves."""
    asked = {"ids": list(plan_ids), "notices": NOTICES.name}
    return PipelinedQuery(_OWNED, asked, lambda found: frozenset(row[0] for row in found))


async def log_entry(session: AsyncSession, plan_id: str, revision: int) -> PlanLog:
    """Return the log's row of one revision."""
    row: PlanLog = (
        await session.execute(select(PlanLog).where(col(PlanLog.plan_id) == plan_id, col(PlanLog.revision) == revision))
    ).scalar_one()
    return row


def _reserve(writes: BulkWrites, ids: Sequence[str], revisions: Sequence[PlanRevision]) -> None:
    """Insert a row for every plan, so that it can be locked. Revision 0 marks a row as not filled yet."""
    first = {revision.plan_id: revision for revision in reversed(revisions)}
    writes.add(
        "INSERT INTO plans (plan_id, authority, revision, status, matchable, event_id, published_at, received_at,"
        " attempts, quarantined) SELECT plan_id, authority, 0, 'active', false, '', :now, :now, 0, false"
        " FROM unnest(CAST(:ids AS text[]), CAST(:authorities AS text[])) AS r(plan_id, authority)"
        " ON CONFLICT DO NOTHING",
        ids=list(ids),
        authorities=[first[plan_id].authority for plan_id in ids],
        now=now(),
    )


def _logged(revisions: Sequence[PlanRevision]) -> PipelinedQuery[dict[tuple[str, int], str]]:
    asked = {"ids": list({one.plan_id for one in revisions}), "revisions": list({one.revision for one in revisions})}
    return PipelinedQuery(
        _LOGGED, asked, lambda found: {(plan_id, revision): content for plan_id, revision, content in found}
    )


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
    assign(plan, _moved(revision, {"state": plan.state}))
    plan.attempts = 0
    plan.quarantined = False
