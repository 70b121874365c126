"""Plans' vectors: each matcher reads the newest, to compare them in its own memory; the others are in HNSW."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import BigInteger, Column, Index, LargeBinary, false, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from matching.candidates.pair_vector import DIMENSIONS
from services.store import advisory_locks
from services.store.pipelined_queries import Query, Rows

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]

MOST: Final = 2000
"""So many near ones are found of each at most."""


class SearchVector(SQLModel, table=True):
    """What a plan wants, as `matching.candidates.pair_vector.vector_of` has it; `content` tells of which words it is.

    `hnsw`: whether it is in the HNSW index; not so a new vector, until it is moved there. `changed` is the number of
    the transaction that wrote the vector: a trigger of the table sets both, so that whoever writes can't forget to.
    """

    __tablename__ = "search_vectors"
    __table_args__ = (
        Index(
            "search_vectors_nearest",
            "vector",
            postgresql_using="hnsw",
            postgresql_with={"m": 16, "ef_construction": 200},
            postgresql_ops={"vector": "halfvec_ip_ops"},
            postgresql_where=text("hnsw"),
        ),
        Index("search_vectors_newest", "changed", postgresql_where=text("NOT hnsw")),
        Index("search_vectors_moved", "plan_id", postgresql_where=text("hnsw")),
    )

    plan_id: str = Field(primary_key=True)
    content: str
    vector: Any = Field(sa_column=Column(HALFVEC(DIMENSIONS), nullable=False))
    # Neither read nor written any more; to be dropped once no matcher of the revision before 0004 runs.
    searched: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    packed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    hnsw: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    changed: int = Field(
        default=0,
        sa_column=Column(BigInteger, nullable=False, server_default=text("((pg_current_xact_id())::text)::bigint")),
    )


OUTSIDE: Final = ~col(SearchVector.hnsw)
"""As the indexes of what is outside say it: PostgreSQL does not take `hnsw IS FALSE` for the same."""


@dataclass(frozen=True, slots=True)
class Unsearched:
    """A plan whose words were not searched for yet: of which content its vector is."""

    content: str
    vector: Floats


@dataclass(frozen=True, slots=True)
class Newest:
    """What a snapshot shows of vectors that are not in HNSW and that an earlier snapshot (`seen`) did not show;
    `moved`: whether any others are in HNSW."""

    seen: str
    snapshot: str
    moved: bool
    vectors: dict[str, Halves]


NOTHING_SEEN: Final = "1:1:"
"""The snapshot before all others."""

_UNSEARCHED: Final = text(
    "SELECT v.plan_id, v.content, halfvec_send(v.vector) FROM search_vectors v JOIN search_entries e USING (plan_id)"
    " WHERE v.plan_id = ANY(:plan_ids) AND e.searched <> v.content"
)
_NEWEST: Final = text(
    """
    SELECT CAST(pg_current_snapshot() AS text),
        (SELECT plan_id FROM search_vectors WHERE hnsw ORDER BY plan_id LIMIT 1) IS NOT NULL,
        v.plan_id, v.vector
    FROM (VALUES (1)) AS always(one) LEFT JOIN (
        SELECT plan_id, halfvec_send(vector) AS vector FROM search_vectors
        WHERE NOT hnsw AND changed >= CAST(CAST(pg_snapshot_xmin(CAST(:seen AS pg_snapshot)) AS text) AS bigint)
            AND NOT pg_visible_in_snapshot(CAST(CAST(changed AS text) AS xid8), CAST(:seen AS pg_snapshot))
    ) v ON true
    """
)
_NEAR: Final = text(
    "SELECT q.plan_id, near FROM search_vectors q CROSS JOIN LATERAL search_vectors_near(q.vector, :least, :most) near"
    " WHERE q.plan_id = ANY(:plan_ids)"
)
"""The function reads HNSW from the nearest on and ends with the first that is not near enough."""


def unsearched(plan_ids: Iterable[str]) -> Query[dict[str, Unsearched]]:
    """Those of these plans whose words were not searched for yet, with their vectors."""
    return Query(
        _UNSEARCHED,
        {"plan_ids": list(plan_ids)},
        lambda found: {
            plan_id: Unsearched(content, _halves(sent).astype(np.float32)) for plan_id, content, sent in found
        },
    )


def newest(seen: str = NOTHING_SEEN) -> Query[Newest]:
    """The vectors outside HNSW that the session's snapshot shows and the snapshot `seen` did not: each was written by a
    transaction that had not been committed then. In a REPEATABLE READ transaction nothing is left out."""
    return Query(_NEWEST, {"seen": seen}, lambda found: _newest(seen, found))


def _newest(seen: str, found: Rows) -> Newest:
    vectors = {plan_id: _halves(sent) for _, _, plan_id, sent in found if plan_id is not None}
    return Newest(seen, found[0][0], found[0][1], vectors)


async def outside_hnsw(session: AsyncSession) -> set[str]:
    """The plans whose vectors are not in HNSW."""
    found = await session.execute(select(SearchVector.plan_id).where(OUTSIDE))  # type: ignore[call-overload]
    return set(found.scalars())


def near(plan_ids: Iterable[str], least: float) -> Query[dict[str, list[str]]]:
    """Whose vectors in HNSW are near these plans': an inner product of at least `least`, the nearest `MOST`. For plans
    that have any. Nearest neighbours are approximate."""
    return Query(_NEAR, {"plan_ids": list(plan_ids), "least": least, "most": MOST}, _others)


def _others(found: Rows) -> dict[str, list[str]]:
    answers: dict[str, list[str]] = {}
    for plan_id, other in found:
        answers.setdefault(plan_id, []).append(other)
    return answers


async def how_many_outside(session: AsyncSession) -> int:
    """How many vectors are not in HNSW. Reads an entry for each."""
    return (await session.execute(select(func.count()).where(OUTSIDE))).scalar_one()


async def move_to_hnsw(session: AsyncSession, at_once: int) -> int:
    """Moves so many vectors into HNSW, the oldest first. How many it moved. One at a time; and it waits for nobody: who
    holds a vector is about to change it."""
    if not await advisory_locks.alone(session, advisory_locks.MOVE_VECTORS):
        return 0
    oldest = (
        select(SearchVector.plan_id)  # type: ignore[call-overload]
        .where(OUTSIDE)
        .order_by(col(SearchVector.changed))
        .limit(at_once)
        .with_for_update(skip_locked=True)
    )
    moved = await session.execute(
        update(SearchVector)
        .where(col(SearchVector.plan_id).in_(oldest))
        .values(hnsw=True)
        .returning(SearchVector.plan_id)  # type: ignore[call-overload]
    )
    return len(moved.all())


async def mend_numbers(session: AsyncSession) -> None:
    """After a restore into another server, whose transactions have lower numbers: vectors that seem to be written in
    the future would be read by every search. Waits for nobody: who holds a vector is about to change it."""
    await session.execute(
        text(
            "WITH these AS (SELECT plan_id FROM search_vectors WHERE NOT hnsw"
            " AND changed >= CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)"
            " ORDER BY plan_id FOR UPDATE SKIP LOCKED)"
            " UPDATE search_vectors v SET changed = 1 FROM these WHERE v.plan_id = these.plan_id"
        )
    )


def _halves(sent: bytes) -> Halves:
    """A vector as pgvector sends it in binary: two numbers of two bytes, then halves, all big-endian. Without a copy:
    a matcher that starts reads very many."""
    return np.frombuffer(sent, dtype=">f2", offset=4)
