"""The index that candidates are looked up in once there are too many plans to compare each with all.

Three tables. `search_vectors` (vectors.py) has what each plan wants; it changes with a plan's words, and new words are
searched for once among all others: the newest vectors are compared by each matcher in its own memory, the others are in
HNSW.
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
from sqlalchemy import BigInteger, Column, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from matching.candidates.pair_vector import Opening
from services.store import bulk_writes
from services.store.bulk_writes import Writes
from services.store.database import table_of
from services.store.pipelined_queries import Query, Rows
from services.store.plans import PlanRow
from services.store.vectors import Floats, SearchVector


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
            "vector": bulk_writes.vector(one.vector.astype(np.float16)),
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
