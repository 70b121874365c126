"""The matchable plans as arrays: one exact scan finds all candidates for a plan.

A plan's vector (`pair_vector`) describes its need, its opening when and where it can be joined. A scan multiplies
vectors block by block and keeps the rows whose product still allows an opportunity. Then it drops rows that a gate of
time, place or authority rejects, and rows whose windows overlap too little for any band.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.candidates.corpus import GrowableArray
from matching.candidates.pair_vector import DIMENSIONS, JoinConstraints, max_logits, min_inner_product
from matching.components import timing
from matching.components.specification import Vector
from matching.policy import Policy

MAX_CANDIDATES = 2000
"""The maximum number of candidates of a plan, nearest first. A real plan has a few dozen."""
BLOCK_PRODUCTS = 8_000_000
"""The maximum number of products that a scan holds in memory, 32 MB."""
_SLACK_POINTS = 0.05
"""Tolerance in points of score for sums in another order."""
_FACTS = np.dtype(
    [
        ("revision", np.int64),
        ("earliest", np.int32),
        ("latest", np.int32),
        ("flexible", np.int32),
        ("preparation_days", np.int32),
        ("authority", np.int32),
        ("council", np.int32),
        ("areas", np.uint64),
        ("joinable", np.bool_),
        ("local", np.bool_),
    ]
)

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One revision of a plan in the index."""

    plan_id: str
    revision: int
    authority: str
    opening: JoinConstraints
    vector: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """A plan that asks for candidates. `related` authorities can't be partners, its own included; `bordering` councils
    are near enough for a local purchase."""

    vector: Vector
    opening: JoinConstraints
    related: Collection[str]
    bordering: Collection[str]


class PlanIndex:
    """Every matchable plan: its vector and its facts, one row per plan, in single precision."""

    def __init__(self, *, max_candidates: int = MAX_CANDIDATES, block_products: int = BLOCK_PRODUCTS) -> None:
        self._max_candidates, self._block_products = max_candidates, block_products
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._vectors = GrowableArray(np.float32, DIMENSIONS)
        self._facts = GrowableArray(_FACTS)
        self._authorities: dict[str, int] = {"": -1}
        self._areas: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Add plans, or replace their rows. No plan may appear twice."""
        new = [entry for entry in entries if entry.plan_id not in self._rows]
        for entry in entries:
            row = self._rows.get(entry.plan_id)
            if row is not None:
                self._vectors.view[row] = entry.vector
                self._facts.view[row] = self._facts_of(entry)
        if new:
            # Rows first: if memory runs out, no plan may have another one's row.
            self._vectors.extend([entry.vector for entry in new])
            self._facts.extend([self._facts_of(entry) for entry in new])
            self._rows |= {entry.plan_id: row for row, entry in enumerate(new, len(self._ids))}
            self._ids += [entry.plan_id for entry in new]

    def remove(self, plan_ids: Iterable[str]) -> None:
        """Remove the plans that are here; the last row moves into each gap."""
        for plan_id in plan_ids:
            row = self._rows.pop(plan_id, None)
            if row is None:
                continue
            last_id, last = self._ids.pop(), len(self._ids)
            if row != last:
                self._ids[row], self._rows[last_id] = last_id, row
                self._vectors.view[row] = self._vectors.view[last]
                self._facts.view[row] = self._facts.view[last]
            self._vectors.size = self._facts.size = last

    def vector(self, plan_id: str, revision: int) -> Vector | None:
        """Return the vector of this revision of a plan; None if the index holds none or another revision."""
        row = self._rows.get(plan_id)
        if row is None or self._facts.view["revision"][row] != revision:
            return None
        return np.asarray(self._vectors.view[row])

    def search(self, queries: Sequence[IndexQuery], as_of: int, policy: Policy) -> list[dict[str, int]]:
        """Return, for each query, the plans that may be an opportunity on that day (an ordinal), with their revisions.

        These are all plans whose product allows it, up to `max_candidates`.
        """
        found = self._scan([query.vector for query in queries], min_inner_product(policy))
        return [
            self._revisions(self._open(query, rows, products, as_of, policy))
            for query, (rows, products) in zip(queries, found, strict=True)
        ]

    def nearest(self, vector: Vector, limit: int) -> dict[str, int]:
        """Return the plans with the largest products with this vector, whatever gates they fail, with their
        revisions."""
        products = self._vectors.view @ vector
        return self._revisions(_largest(np.arange(len(products)), products, limit))

    def _scan(self, vectors: Sequence[Vector], min_product: float) -> list[tuple[Rows, NDArray[np.float32]]]:
        """For each vector, the rows with at least this product, and the products."""
        if not vectors:
            return []
        asked, held = np.stack(vectors), self._vectors.view
        rows: list[list[Rows]] = [[] for _ in vectors]
        products: list[list[NDArray[np.float32]]] = [[] for _ in vectors]
        at_once = max(1, self._block_products // len(vectors))
        for start in range(0, max(1, len(held)), at_once):
            block = asked @ held[start : start + at_once].T
            for number, line in enumerate(block):
                near = np.flatnonzero(line >= min_product)
                rows[number].append(near + start)
                products[number].append(line[near])
        return [(np.concatenate(r), np.concatenate(p)) for r, p in zip(rows, products, strict=True)]

    def _open(self, query: IndexQuery, rows: Rows, products: NDArray[np.float32], as_of: int, policy: Policy) -> Rows:
        """The rows of `rows` that no gate closes and that may reach a band."""
        mine, facts = query.opening, self._facts.view[rows]
        latest, flexible = facts["latest"], facts["flexible"]
        stated = timing.overlap_days(mine.earliest, mine.latest, facts["earliest"], latest)
        common = timing.overlap_days(mine.earliest, mine.flexible, facts["earliest"], flexible)
        end = timing.common_end(stated, common, (mine.latest, latest), (mine.flexible, flexible))
        preparation = np.maximum(mine.preparation_days, facts["preparation_days"])
        # Values and nations can only bring the day to decide by forward: the bound holds.
        decide = timing.latest_decision(mine.earliest, facts["earliest"], preparation, policy.timing)
        open_ = (
            facts["joinable"]
            & timing.within_reach(common, policy.timing)
            & (timing.prepare_by(end, preparation) >= as_of)
            & (np.minimum(mine.latest, latest) >= as_of)
        )
        open_ &= ~np.isin(facts["authority"], self._numbers(query.related))
        near = (facts["areas"] & self._area_bits(mine.areas)) != 0
        near |= np.isin(facts["council"], self._numbers(query.bordering))
        open_ &= near | ~(facts["local"] | mine.local)
        time = timing.overlap_factor(stated, common, policy.timing) * timing.lead_factor(decide, as_of, policy.timing)
        specification = 1.0 / (1.0 + np.exp(-np.clip(max_logits(products, policy), -500.0, 500.0)))
        e = policy.exponents
        score = 100.0 * specification**e.specification * time**e.timing
        open_ &= score >= policy.bands.feed - _SLACK_POINTS
        return _largest(rows[open_], products[open_], self._max_candidates) if mine.joinable else rows[:0]

    def _revisions(self, rows: Rows) -> dict[str, int]:
        revisions = self._facts.view["revision"]
        return {self._ids[row]: int(revisions[row]) for row in rows.tolist()}

    def _facts_of(self, entry: IndexEntry) -> tuple[int | bool | np.uint64, ...]:
        opening = entry.opening
        return (
            entry.revision,
            opening.earliest,
            opening.latest,
            opening.flexible,
            opening.preparation_days,
            self._authorities.setdefault(entry.authority, len(self._authorities)),
            self._authorities.setdefault(opening.council, len(self._authorities)),
            self._area_bits(opening.areas),
            opening.joinable,
            opening.local,
        )

    def _numbers(self, authorities: Iterable[str]) -> list[int]:
        return [number for code in authorities if (number := self._authorities.get(code)) is not None]

    def _area_bits(self, areas: Iterable[str]) -> np.uint64:
        """Encode areas as one bit each. There are 12; with more than 63, the rest would share the last bit."""
        bits = 0
        for area in areas:
            bits |= 1 << min(self._areas.setdefault(area, len(self._areas)), 63)
        return np.uint64(bits)


def _largest(rows: Rows, products: NDArray[np.float32], limit: int) -> Rows:
    return rows if len(rows) <= limit else rows[np.argpartition(products, -limit)[-limit:]]
