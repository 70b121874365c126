"""The index that candidates are looked up in: of every plan that others may find, when and where it can be joined, and
the vector of what it wants.

Only plans that are open to others are in it, so what is closed costs a search nothing. The vectors have a table of
their own: they change with the words and not with dates, and a row that does not change is not indexed again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import BigInteger, Column, Index, Text, delete, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from matching.retrieval import DIMENSIONS
from services.store import rows
from services.store.base import table_of

Floats = NDArray[np.float32]

_PLAN_BY_INDEX: Final = (
    "SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '80', true),"
    " set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('jit', 'off', true)"
)


class SearchEntry(SQLModel, table=True):
    """When and where a plan can be joined, under one generation. Days are ordinals (`date.toordinal`)."""

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


class SearchVector(SQLModel, table=True):
    """What a plan wants, as `matching.retrieval.vector_of` has it; `content` tells of which words it is."""

    __tablename__ = "search_vectors"
    __table_args__ = (
        Index("search_vectors_nearest", "vector", postgresql_using="hnsw", postgresql_ops={"vector": "halfvec_ip_ops"}),
    )

    plan_id: str = Field(primary_key=True)
    content: str
    vector: Any = Field(sa_column=Column(HALFVEC(DIMENSIONS), nullable=False))


@dataclass(frozen=True, slots=True)
class Entry:
    """One plan as the index keeps it."""

    plan_id: str
    generation: str
    revision: int
    standing: bool
    earliest: int
    latest: int
    flexible: int
    lead_days: int
    local: bool
    areas: list[str]
    council: str
    authority: str


@dataclass(frozen=True, slots=True)
class Question:
    """A plan of the index that asks it for others: who borders its council, and whom it may not be matched with."""

    plan_id: str
    revision: int
    neighbours: list[str]
    related: list[str]


async def contents_of(session: AsyncSession, plan_ids: Sequence[str]) -> dict[str, str]:
    """Of which content these plans' vectors are."""
    found = await session.execute(
        select(SearchVector.plan_id, SearchVector.content).where(col(SearchVector.plan_id).in_(plan_ids))  # type: ignore[call-overload]
    )
    return dict(found.all())


async def put(session: AsyncSession, entries: Sequence[Entry], vectors: Mapping[str, tuple[str, Floats]]) -> None:
    """Writes entries, and the vectors (content, vector) of those whose words are new. The caller holds the plans."""
    told = [asdict(entry) for entry in entries]
    change = [name for name in told[0] if name != "plan_id"] if told else []
    await rows.insert(session, table_of(SearchEntry), told, key="plan_id", change=change)
    new = [
        {"plan_id": plan_id, "content": content, "vector": _written(vector)}
        for plan_id, (content, vector) in sorted(vectors.items())
    ]
    await rows.insert(session, table_of(SearchVector), new, key="plan_id", change=("content", "vector"))


def _written(vector: Floats) -> str:
    return "[" + ",".join(f"{value:.5g}" for value in vector.tolist()) + "]"


async def remove(session: AsyncSession, plan_ids: Sequence[str]) -> None:
    """Takes plans that nobody can join out of the index."""
    if plan_ids:
        for model in (SearchEntry, SearchVector):
            await session.execute(delete(model).where(col(model.plan_id).in_(plan_ids)))


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


_FIND: Final = text(
    """
    SELECT q.plan_id, found.plan_id
    FROM unnest(CAST(:plan_ids AS text[]), CAST(:revisions AS bigint[]), CAST(:neighbours AS text[]),
                CAST(:related AS text[])) AS q(plan_id, revision, neighbours, related)
    JOIN search_entries qe ON qe.plan_id = q.plan_id AND qe.revision = q.revision
    LEFT JOIN search_vectors qv ON qv.plan_id = q.plan_id
    LEFT JOIN LATERAL (
        SELECT v.plan_id, -(v.vector <#> qv.vector) AS product
        FROM search_vectors v JOIN search_entries e USING (plan_id)
        WHERE e.generation = :generation AND e.standing AND qe.standing
          AND e.earliest <= qe.flexible AND e.flexible >= qe.earliest AND e.latest >= :today
          AND least(e.flexible, qe.flexible) - greatest(e.lead_days, qe.lead_days) >= :today
          AND (NOT (e.local OR qe.local) OR e.areas && qe.areas OR e.council = ANY (CAST(q.neighbours AS text[])))
          AND e.authority <> ALL (CAST(q.related AS text[]))
        ORDER BY v.vector <#> qv.vector
        LIMIT :most
    ) AS found ON found.product >= :least
    WHERE qe.generation = :generation
    """
)


async def find(
    session: AsyncSession, questions: Sequence[Question], *, generation: str, today: int, most: int, least: float
) -> dict[str, list[str]]:
    """For each question, the nearest plans that no gate of dates, place or authority closes: the ids of the `most`
    nearest with an inner product of at least `least`.

    One round trip for all; which are nearest is approximate. A plan that is not in the index as of its revision is left
    out of the answer: it was not searched for.
    """
    if not questions:
        return {}
    # The planner can't know how selective the gates are; sorting all vectors is never what is wanted here.
    await session.execute(text(_PLAN_BY_INDEX))
    given = await session.execute(
        _FIND,
        {
            "plan_ids": [q.plan_id for q in questions],
            "revisions": [q.revision for q in questions],
            "neighbours": [_array(q.neighbours) for q in questions],
            "related": [_array(q.related) for q in questions],
            "generation": generation,
            "today": today,
            "most": most,
            "least": least,
        },
    )
    found: dict[str, list[str]] = {}
    for asking, plan_id in given:
        found.setdefault(asking, [])
        if plan_id is not None:
            found[asking].append(plan_id)
    return found


def _array(codes: Iterable[str]) -> str:
    """A PostgreSQL array of authority codes, also of those that are not in any register."""
    return "{" + ",".join('"' + code.replace("\\", "\\\\").replace('"', '\\"') + '"' for code in codes) + "}"
