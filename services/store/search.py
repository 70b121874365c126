"""The index that candidates are looked up in once there are too many plans to compare each with all.

Three tables. `search_vectors` has what each plan wants; it changes with a plan's words, and new words are searched for
once among all others: the newest vectors are compared by each matcher in its own memory, the others are in HNSW.
`search_neighbours` keeps what that search found: whom a plan is to be held against, whatever its dates.
`search_entries` has the dates and places that change often; they are only compared. So a change of dates costs no
search, and a plan that is closed leaves all three.

A pair is found by whichever of the two searched later: each is in the index before it searches. A neighbour is taken
away only once the two were judged to be unlike, by who holds both plans as they were judged; one too many is judged to
be nothing, one too few would be an opportunity lost.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text, false, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from matching.retrieval import DIMENSIONS, Opening
from services.store import rows
from services.store.base import table_of
from services.store.plans import PlanRow
from services.store.queries import Query, Rows, ask
from services.store.rows import Writes

Floats = NDArray[np.float32]

_PLAN_BY_INDEX: Final = text(
    "SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '400', true),"
    " set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('jit', 'off', true)"
)
_PLAN_FREELY: Final = text("SELECT set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true)")
STEPS: Final = (100, 400, 2000)
"""How many neighbours are asked for at first, and then for those plans of which all that came were near enough."""


class SearchEntry(SQLModel, table=True):
    """When and where a plan can be joined, under one generation. Days are ordinals (`date.toordinal`).

    `searched` is the content of the vector for which neighbours were last looked up. It is kept here because writing
    to a row of `search_vectors` puts its vector into the index once more.
    """

    __tablename__ = "search_entries"
    # Room for the next version of a row on its own page: then a change of dates touches no index.
    __table_args__ = ({"postgresql_with": {"fillfactor": 70}},)

    plan_id: str = Field(primary_key=True)
    generation: str
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    standing: bool
    earliest: int
    latest: int
    flexible: int
    lead_days: int
    local: bool
    areas: Any = Field(sa_column=Column(ARRAY(Text), nullable=False))
    council: str
    authority: str
    searched: str = Field(default="", sa_column_kwargs={"server_default": ""})


class SearchVector(SQLModel, table=True):
    """What a plan wants, as `matching.retrieval.vector_of` has it; `content` tells of which words it is.

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


class SearchNeighbour(SQLModel, table=True):
    """Of two plans whose words are near each other, one row for each of the two."""

    __tablename__ = "search_neighbours"

    plan_id: str = Field(primary_key=True)
    other_id: str = Field(primary_key=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One plan as the index keeps it: whose revision, under which generation, and when and where it can be joined."""

    plan_id: str
    generation: str
    revision: int
    authority: str
    opening: Opening

    def columns(self) -> dict[str, Any]:
        """The entry's row."""
        whose = {name: getattr(self, name) for name in ("plan_id", "generation", "revision", "authority")}
        return whose | asdict(self.opening)


@dataclass(frozen=True, slots=True)
class Question:
    """A plan of the index that asks it for others: who borders its council, and whom it may not be matched with."""

    plan_id: str
    revision: int
    neighbours: list[str]
    related: list[str]


@dataclass(frozen=True, slots=True)
class Words:
    """What the words of a plan make: of which content they are, the vector, and the packed features."""

    content: str
    vector: Floats
    packed: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """A plan as it is stored, with what the index keeps of its words: of which content, and their packed features."""

    plan: PlanRow
    content: str | None
    packed: bytes | None


_KNOWN: Final = text(
    "SELECT p.plan_id, p.revision, p.status, p.state, v.content, v.packed"
    " FROM plans p LEFT JOIN search_vectors v USING (plan_id) WHERE p.plan_id = ANY(:ids)"
)
_UNMATCHED: Final = text(f"{_KNOWN.text} AND p.matched_revision < p.revision AND NOT p.quarantined")
_PACKED: Final = text("SELECT plan_id, content, packed FROM search_vectors WHERE plan_id = ANY(:ids)")
_CONTENTS: Final = text("SELECT plan_id, content FROM search_vectors WHERE plan_id = ANY(:ids)")


def known(plan_ids: Iterable[str]) -> Query[dict[str, Known]]:
    """These plans, as far as they exist, each with what the index keeps of its words."""
    return Query(_KNOWN, {"ids": list(plan_ids)}, _known)


def unmatched_of(plan_ids: Iterable[str]) -> Query[dict[str, Known]]:
    """Those of these plans that have a revision that has not been assessed yet."""
    return Query(_UNMATCHED, {"ids": list(plan_ids)}, _known)


def _known(found: Rows) -> dict[str, Known]:
    return {row[0]: Known(PlanRow(*row[:4]), *row[4:]) for row in found}


async def packed_of(session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, tuple[str, bytes]]:
    """The packed features of these plans, each with the content they are of."""
    found = await session.execute(_PACKED, {"ids": list(plan_ids)})
    return {plan_id: (content, bytes(packed)) for plan_id, content, packed in found}


def contents_of(plan_ids: Iterable[str]) -> Query[dict[str, str]]:
    """Of which content these plans' vectors are."""
    return Query(_CONTENTS, {"ids": list(plan_ids)}, lambda found: {row[0]: row[1] for row in found})


def put(writes: Writes, entries: Sequence[Entry], words: Mapping[str, Words]) -> None:
    """Writes entries, and what the words make of those whose words are new. The caller holds the plans."""
    told = [entry.columns() for entry in entries]
    change = [name for name in told[0] if name != "plan_id"] if told else []
    writes.insert(table_of(SearchEntry), told, key="plan_id", change=change)
    new = [
        {
            "plan_id": plan_id,
            "content": one.content,
            "vector": rows.vector(one.vector.astype(np.float16)),
            "packed": one.packed,
        }
        for plan_id, one in sorted(words.items())
    ]
    writes.insert(table_of(SearchVector), new, key="plan_id", change=("content", "vector", "packed"))


def remove(writes: Writes, plan_ids: Sequence[str]) -> None:
    """Takes plans that nobody can join out of the index."""
    if plan_ids:
        for model in (SearchEntry, SearchVector, SearchNeighbour):
            name = table_of(model).name
            writes.add(f"DELETE FROM {name} WHERE plan_id = ANY(:{name}_gone)", **{f"{name}_gone": list(plan_ids)})  # noqa: S608 (our own tables)


async def unindexed(session: AsyncSession, generation: str, limit: int) -> list[str]:
    """Plans that count as assessed and may be found, but are not in this generation's index: to be assessed again."""
    found = await session.execute(
        text(
            "SELECT p.plan_id FROM plans p LEFT JOIN search_entries e USING (plan_id) WHERE p.searchable"
            " AND p.matched_revision = p.revision"
            " AND (e.plan_id IS NULL OR e.generation <> :generation OR e.revision <> p.revision) LIMIT :limit"
        ),
        {"generation": generation, "limit": limit},
    )
    return list(found.scalars())


@dataclass(frozen=True, slots=True)
class Near:
    """Whom a plan's words are near to, found while they were these."""

    content: str
    others: list[str]


@dataclass(frozen=True, slots=True)
class Unsearched:
    """A plan whose words were not searched for yet: of which content its vector is."""

    content: str
    vector: Floats


@dataclass(frozen=True, slots=True)
class Newest:
    """What a snapshot shows of vectors that are not in HNSW and that an earlier snapshot (`seen`) did not show;
    `moved`: whether any others are in HNSW."""

    snapshot: str
    moved: bool
    vectors: dict[str, Floats]


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
    """
    SELECT q.plan_id, n.plan_id
    FROM search_vectors q
    CROSS JOIN LATERAL (
        SELECT v.plan_id, -(v.vector <#> q.vector) AS product FROM search_vectors v
        WHERE v.hnsw ORDER BY v.vector <#> q.vector LIMIT :most
    ) n
    WHERE q.plan_id = ANY(:plan_ids) AND n.product >= :least
    """
)


def unsearched(plan_ids: Iterable[str]) -> Query[dict[str, Unsearched]]:
    """Those of these plans whose words were not searched for yet, with their vectors."""
    return Query(
        _UNSEARCHED,
        {"plan_ids": list(plan_ids)},
        lambda found: {plan_id: Unsearched(content, _floats(sent)) for plan_id, content, sent in found},
    )


def newest(seen: str = NOTHING_SEEN) -> Query[Newest]:
    """The vectors outside HNSW that the session's snapshot shows and the snapshot `seen` did not: each was written by a
    transaction that had not been committed then. In a REPEATABLE READ transaction nothing is left out."""
    return Query(_NEWEST, {"seen": seen}, _newest)


def _newest(found: Rows) -> Newest:
    vectors = {plan_id: _floats(sent) for _, _, plan_id, sent in found if plan_id is not None}
    return Newest(found[0][0], found[0][1], vectors)


async def outside_hnsw(session: AsyncSession) -> set[str]:
    """The plans whose vectors are not in HNSW."""
    found = await session.execute(select(SearchVector.plan_id).where(col(SearchVector.hnsw).is_(False)))  # type: ignore[call-overload]
    return set(found.scalars())


async def near(session: AsyncSession, plan_ids: Sequence[str], least: float) -> dict[str, list[str]]:
    """Whose vectors in HNSW are near these plans': an inner product of at least `least`, the nearest 2,000.

    One round trip a step for all; nearest neighbours are approximate.
    """
    # The planner would rather sort all vectors where they are few; that the index is used must not depend on how many.
    before = [Query(_PLAN_BY_INDEX, {}, len)]
    found: dict[str, list[str]] = {}
    asking = list(plan_ids)
    for most in STEPS:
        query = Query(_NEAR, {"plan_ids": asking, "most": most, "least": least}, _others)
        await ask(session, *before, query)
        found |= query.answer
        asking = [plan_id for plan_id, others in query.answer.items() if len(others) >= most]
        if not asking:
            break
        before = []
    await ask(session, Query(_PLAN_FREELY, {}, len))
    return found


def _others(found: Rows) -> dict[str, list[str]]:
    answers: dict[str, list[str]] = {}
    for plan_id, other in found:
        answers.setdefault(plan_id, []).append(other)
    return answers


_ONE_MOVES: Final = 7404
"""The advisory lock of whoever moves vectors; each use has a number of its own."""


async def move_to_hnsw(session: AsyncSession, beyond: int, at_once: int) -> int:
    """Moves vectors into HNSW, the oldest first and no more than `at_once`, where more than `beyond` are outside it.
    How many. One at a time; and it waits for nobody: who holds a vector is about to change it."""
    if not (await session.execute(text(f"SELECT pg_try_advisory_xact_lock({_ONE_MOVES})"))).scalar_one():
        return 0
    outside = (await session.execute(select(func.count()).where(col(SearchVector.hnsw).is_(False)))).scalar_one()
    if outside <= beyond:
        return 0
    oldest = (
        select(SearchVector.plan_id)  # type: ignore[call-overload]
        .where(col(SearchVector.hnsw).is_(False))
        .order_by(col(SearchVector.changed))
        .limit(min(at_once, outside - beyond))
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
    the future would be read by every search."""
    await session.execute(
        text(
            "UPDATE search_vectors SET changed = 1 WHERE NOT hnsw"
            " AND changed >= CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)"
        )
    )


def _floats(sent: bytes) -> Floats:
    """A vector as pgvector sends it in binary: two numbers of two bytes, then halves, all big-endian."""
    return np.frombuffer(sent, dtype=">f2", offset=4).astype(np.float32)


def remember(writes: Writes, found: Mapping[str, Near], unlike: Set[tuple[str, str]]) -> None:
    """Keeps what was found near, for both sides, and drops pairs that proved to be `unlike`; a plan whose words have
    changed meanwhile will be searched for again.

    The caller holds the plans that were searched for, and of the unlike pairs both: so nobody adds what we drop, and
    in the order of ids two of these never wait for each other in a circle.
    """
    apart = _both_ways(unlike)
    _forget(writes, apart)
    if not found:
        return
    pairs = _both_ways((plan_id, other) for plan_id, one in found.items() for other in one.others)
    kept = [{"plan_id": a, "other_id": b} for a, b in sorted(pairs - apart)]
    writes.insert(table_of(SearchNeighbour), kept, key="plan_id, other_id")
    writes.add(
        "UPDATE search_entries e SET searched = s.content"
        " FROM unnest(CAST(:searched AS text[]), CAST(:contents AS text[])) AS s(plan_id, content)"
        " WHERE e.plan_id = s.plan_id",
        searched=list(found),
        contents=[one.content for one in found.values()],
    )


def _both_ways(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {way for a, b in pairs for way in ((a, b), (b, a))}


def _forget(writes: Writes, pairs: Set[tuple[str, str]]) -> None:
    if pairs:
        writes.add(
            "DELETE FROM search_neighbours n"
            " USING unnest(CAST(:apart AS text[]), CAST(:apart_from AS text[])) AS d(a, b)"
            " WHERE n.plan_id = d.a AND n.other_id = d.b",
            apart=[a for a, _ in pairs],
            apart_from=[b for _, b in pairs],
        )


_JOINABLE: Final = text(
    """
    SELECT q.plan_id, e.plan_id, e.revision
    FROM unnest(CAST(:plan_ids AS text[]), CAST(:revisions AS bigint[]), CAST(:neighbours AS text[]),
                CAST(:related AS text[])) AS q(plan_id, revision, neighbours, related)
    JOIN search_entries qe ON qe.plan_id = q.plan_id AND qe.revision = q.revision AND qe.generation = :generation
    LEFT JOIN LATERAL (
        SELECT other_id FROM search_neighbours WHERE plan_id = q.plan_id
        UNION
        SELECT other FROM unnest(CAST(:own AS text[]), CAST(:others AS text[])) AS f(own, other) WHERE own = q.plan_id
    ) n ON qe.standing
    LEFT JOIN search_entries e ON e.plan_id = n.other_id AND e.generation = :generation AND e.standing
        AND e.earliest <= qe.flexible AND e.flexible >= qe.earliest AND e.latest >= :today
        AND least(e.flexible, qe.flexible) - greatest(e.lead_days, qe.lead_days) >= :today
        AND (NOT (e.local OR qe.local) OR e.areas && qe.areas OR e.council = ANY (CAST(q.neighbours AS text[])))
        AND e.authority <> ALL (CAST(q.related AS text[]))
    """
)


def joinable(
    questions: Sequence[Question], found: Mapping[str, Near], *, generation: str, today: int
) -> Query[dict[str, dict[str, int]]]:
    """For each question, its neighbours, remembered or just `found`, that no gate of dates, place or authority closes,
    with the revisions of which they are in the index.

    A plan that is not in the index as of its revision is left out of the answer.
    """
    pairs = [(plan_id, other) for plan_id, one in found.items() for other in one.others]
    return Query(
        _JOINABLE,
        {
            "plan_ids": [q.plan_id for q in questions],
            "revisions": [q.revision for q in questions],
            "neighbours": [_array(q.neighbours) for q in questions],
            "related": [_array(q.related) for q in questions],
            "own": [own for own, _ in pairs],
            "others": [other for _, other in pairs],
            "generation": generation,
            "today": today,
        },
        _joinable,
    )


def _joinable(found: Rows) -> dict[str, dict[str, int]]:
    answers: dict[str, dict[str, int]] = {}
    for asking, plan_id, revision in found:
        answers.setdefault(asking, {}).update({} if plan_id is None else {plan_id: revision})
    return answers


def _array(codes: Iterable[str]) -> str:
    """A PostgreSQL array of authority codes, also of those that are not in any register."""
    return "{" + ",".join('"' + code.replace("\\", "\\\\").replace('"', '\\"') + '"' for code in codes) + "}"
