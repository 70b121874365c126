"""The rows that matchers search, one per plan that could be matched, and how matchers follow their changes.

Each matcher holds these rows' vectors in memory. `written_xid` is the id of the transaction that wrote a row; a trigger
sets it, so that no writer can forget. A matcher reads the rows whose transaction its new snapshot shows and its last
one did not. Transactions commit out of order, so a sequence number would miss late commits.

A plan that can't be matched any more keeps its row without a vector, so that matchers notice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text, TextClause, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from matching.candidates.pair_vector import JoinConstraints
from matching.candidates.plan_index import IndexEntry
from services.store import bulk_writes
from services.store.bulk_writes import BulkWrites
from services.store.database import table_of
from services.store.pipelined_queries import PipelinedQuery, Rows
from services.store.plans import PlanValues

Halves = NDArray[np.float16]


class PlanFeatures(SQLModel, table=True):
    """The tender window, area and text features of a plan, under one generation.

    Days are ordinals (`date.toordinal`). `text_hash` identifies the text behind `vector` (little-endian float16) and
    `feature_blob` (`matching.feature_codec`).
    """

    __tablename__ = "plan_features"
    __table_args__ = (
        # Both columns in one index: a matcher reads changes in this order, in portions.
        Index("plan_features_written", "written_xid", "plan_id"),
        # PostgreSQL stores vectors outside the row, so a change of dates writes only the narrow rest.
        {"postgresql_with": {"fillfactor": 70, "toast_tuple_target": 128}},
    )

    plan_id: str = Field(primary_key=True)
    generation: str
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    authority: str
    joinable: bool
    earliest: int
    latest: int
    flexible: int
    preparation_days: int
    local: bool
    areas: Any = Field(sa_column=Column(ARRAY(Text), nullable=False))
    council: str
    text_hash: str
    vector: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    feature_blob: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    written_xid: int = Field(
        default=0,
        sa_column=Column(BigInteger, nullable=False, server_default=text("((pg_current_xact_id())::text)::bigint")),
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """The indexed facts of one plan: its revision, its generation, and when and where it can be joined."""

    plan_id: str
    generation: str
    revision: int
    authority: str
    opening: JoinConstraints

    def columns(self) -> dict[str, Any]:
        """The columns for these facts."""
        whose = {name: getattr(self, name) for name in ("plan_id", "generation", "revision", "authority")}
        return whose | asdict(self.opening)


@dataclass(frozen=True, slots=True)
class Words:
    """The text features of a plan: text hash, vector, and packed features."""

    text_hash: str
    vector: NDArray[np.floating]
    blob: bytes


@dataclass(frozen=True, slots=True)
class PlanWithFeatures:
    """A stored plan, with the text hash and packed features stored for it."""

    plan: PlanValues
    text_hash: str | None
    blob: bytes | None


_LOADED: Final = text(
    "SELECT p.plan_id, p.revision, p.status, p.state, f.text_hash, f.feature_blob"
    " FROM plans p LEFT JOIN plan_features f USING (plan_id) WHERE p.plan_id = ANY(:ids)"
)
_UNASSESSED: Final = text(f"{_LOADED.text} AND p.assessed_revision < p.revision AND NOT p.quarantined")
_BLOBS: Final = text(
    "SELECT plan_id, text_hash, feature_blob FROM plan_features WHERE plan_id = ANY(:ids) AND feature_blob IS NOT NULL"
)
_HASHES: Final = text("SELECT plan_id, text_hash FROM plan_features WHERE plan_id = ANY(:ids)")


def load(plan_ids: Iterable[str]) -> PipelinedQuery[dict[str, PlanWithFeatures]]:
    """Return these plans, as far as they exist, each with its stored text features."""
    return PipelinedQuery(_LOADED, {"ids": list(plan_ids)}, _loaded)


def load_unassessed(plan_ids: Iterable[str]) -> PipelinedQuery[dict[str, PlanWithFeatures]]:
    """Return those of these plans whose newest revision has not been assessed."""
    return PipelinedQuery(_UNASSESSED, {"ids": list(plan_ids)}, _loaded)


def _loaded(found: Rows) -> dict[str, PlanWithFeatures]:
    return {row[0]: PlanWithFeatures(PlanValues(*row[:4]), *row[4:]) for row in found}


async def load_blobs(session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, tuple[str, bytes]]:
    """Return the packed features of these plans, each with the hash of its text."""
    found = await session.execute(_BLOBS, {"ids": list(plan_ids)})
    return {plan_id: (text_hash, bytes(blob)) for plan_id, text_hash, blob in found}


def text_hashes(plan_ids: Iterable[str]) -> PipelinedQuery[dict[str, str]]:
    """Return the stored text hashes of these plans."""
    return PipelinedQuery(_HASHES, {"ids": list(plan_ids)}, lambda found: {row[0]: row[1] for row in found})


_MOVE: Final = """
    UPDATE plan_features f
    SET generation = r.generation, revision = r.revision, authority = r.authority, joinable = r.joinable,
        earliest = r.earliest, latest = r.latest, flexible = r.flexible,
        preparation_days = r.preparation_days, local = r.local, areas = r.areas, council = r.council
    FROM json_populate_recordset(NULL::plan_features, CAST(:plan_features_moved AS json)) r
    WHERE f.plan_id = r.plan_id
"""
_CLOSE: Final = """
    UPDATE plan_features SET revision = 0, joinable = false, text_hash = '', vector = NULL, feature_blob = NULL
    WHERE plan_id = ANY(:plan_features_closed) AND revision > 0
"""


def put(writes: BulkWrites, placements: Sequence[Placement], words: Mapping[str, Words]) -> None:
    """Write the indexed facts of plans, and the text features of those with new text. The caller has locked the
    plans."""
    new = [
        {**placement.columns(), **_columns(words[placement.plan_id])}
        for placement in placements
        if placement.plan_id in words
    ]
    change = [name for name in new[0] if name != "plan_id"] if new else []
    writes.insert(table_of(PlanFeatures), new, key="plan_id", change=change)
    moved = [placement.columns() for placement in placements if placement.plan_id not in words]
    if moved:
        writes.add(_MOVE, plan_features_moved=bulk_writes.to_recordset_json(moved))


def _columns(words: Words) -> dict[str, Any]:
    return {
        "text_hash": words.text_hash,
        "vector": words.vector.astype("<f2").tobytes(),
        "feature_blob": words.blob,
    }


def close(writes: BulkWrites, plan_ids: Sequence[str]) -> None:
    """Remove plans from search and delete their text features. The caller has locked the plans."""
    if plan_ids:
        writes.add(_CLOSE, plan_features_closed=list(plan_ids))


async def misplaced(session: AsyncSession, generation: str, limit: int) -> list[str]:
    """Return assessed, matchable plans whose row is missing or has another revision or generation. The matcher must
    assess them again."""
    found = await session.execute(
        text(
            "SELECT p.plan_id FROM plans p LEFT JOIN plan_features f USING (plan_id) WHERE p.matchable"
            " AND p.assessed_revision = p.revision"
            " AND (f.plan_id IS NULL OR f.generation <> :generation OR f.revision <> p.revision) LIMIT :limit"
        ),
        {"generation": generation, "limit": limit},
    )
    return list(found.scalars())


@dataclass(frozen=True, slots=True)
class ChangePosition:
    """The position of a matcher in the changes: a snapshot, and the server start that it belongs to.

    After a restart it may be another server, whose transactions have other numbers.
    """

    server: str
    snapshot: str

    def is_older(self, other: "ChangePosition") -> bool:
        """Return whether `other`, of the same server start, may show a transaction that this one does not."""
        (_, xmax, running), (_, other_xmax, other_running) = (one.snapshot.split(":") for one in (self, other))
        if xmax != other_xmax:
            return int(xmax) < int(other_xmax)
        return not set(filter(None, running.split(","))) <= set(other_running.split(","))


NOTHING_SEEN: Final = ChangePosition("", "1:1:")
"""The position before any snapshot of any server."""
PORTION: Final = 5000
"""The maximum number of rows per read: 6 MB of vectors."""


@dataclass(frozen=True, slots=True)
class IndexDelta:
    """Rows that the snapshot `until` shows and `since` did not: matchable plans, and the ids of plans no longer
    matchable. `after` is the last row if more may follow."""

    since: ChangePosition
    until: ChangePosition
    entries: list[IndexEntry]
    closed: list[str]
    after: tuple[int, str] | None


def delta_query(portion: int) -> str:
    """Build the query for one portion. The limit is a literal: the planner must know it to choose the index."""
    return f"""
    SELECT CAST(pg_postmaster_start_time() AS text), CAST(pg_current_snapshot() AS text), f.*
    FROM (VALUES (1)) AS always(one) LEFT JOIN (
        SELECT written_xid, plan_id, revision, authority, joinable, earliest, latest, flexible, preparation_days, local,
            areas, council, CASE WHEN generation = :generation THEN vector END
        FROM plan_features
        WHERE (written_xid, plan_id) > (CAST(:xid AS bigint), CAST(:plan_id AS text))
            AND NOT pg_visible_in_snapshot(CAST(CAST(written_xid AS text) AS xid8), CAST(:snapshot AS pg_snapshot))
        ORDER BY written_xid, plan_id LIMIT {portion}
    ) f ON true
    """  # noqa: S608 (a number of ours)


def delta(
    since: ChangePosition, generation: str, after: tuple[int, str] | None = None, portion: int = PORTION
) -> PipelinedQuery[IndexDelta]:
    """Read the first portion of the changes since a snapshot, or the portion after the row `after`. Plans of another
    generation can't be matched. In a REPEATABLE READ transaction the portions miss nothing."""
    xid, plan_id = after or (int(since.snapshot.split(":")[0]), "")
    given = {"generation": generation, "xid": xid, "plan_id": plan_id, "snapshot": since.snapshot}
    return PipelinedQuery(_statement(portion), given, lambda found: _delta(since, found, portion))


@cache
def _statement(portion: int) -> TextClause:
    return text(delta_query(portion))


def _delta(since: ChangePosition, found: Rows, portion: int) -> IndexDelta:
    changed = [row[2:] for row in found if row[2] is not None]
    entries = [
        IndexEntry(plan_id, revision, authority, _opening(*opening), _halves(vector))
        for _, plan_id, revision, authority, *opening, vector in changed
        if vector is not None
    ]
    closed = [row[1] for row in changed if row[-1] is None]
    after = (changed[-1][0], changed[-1][1]) if len(changed) == portion else None
    return IndexDelta(since, ChangePosition(found[0][0], found[0][1]), entries, closed, after)


def _opening(*columns: Any) -> JoinConstraints:
    joinable, earliest, latest, flexible, preparation_days, local, areas, council = columns
    return JoinConstraints(joinable, earliest, latest, flexible, preparation_days, local, tuple(areas), council)


def _halves(vector: bytes) -> Halves:
    return np.frombuffer(vector, dtype="<f2")


async def reset_future_xids(session: AsyncSession) -> None:
    """Reset transaction ids that lie in the future, after a restore into another server with lower ids.

    Matchers would read such rows again and again. The trigger stamps them anew. Locked rows are skipped: their lock
    holder is about to write them.
    """
    await session.execute(
        text(
            "WITH these AS (SELECT plan_id FROM plan_features"
            " WHERE written_xid >= CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)"
            " ORDER BY plan_id FOR UPDATE SKIP LOCKED)"
            " UPDATE plan_features f SET written_xid = 1 FROM these WHERE f.plan_id = these.plan_id"
        )
    )
