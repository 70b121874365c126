"""Vectors side by side in memory, of which one looked up is compared with all at once."""

from collections.abc import Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from matching.candidates.corpus import Grown

Floats = NDArray[np.float32]

_BLOCK = 1000
"""So many vectors are turned into rows of one array at once."""


class Vectors:
    """The vectors of some plans, by id. Exact, and as quick as memory is read: .1 ms a plan among 10,000 where a
    hundred are looked up together, 3 ms for a single one."""

    def __init__(self, dimensions: int) -> None:
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._held = Grown(np.float32, dimensions)

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, vectors: Mapping[str, NDArray[np.floating]]) -> None:
        """Adds vectors, or puts them in the place of those that these plans had. Kept in single precision."""
        new = {plan_id: vector for plan_id, vector in vectors.items() if plan_id not in self._rows}
        for plan_id in vectors.keys() - new.keys():
            self._held.view[self._rows[plan_id]] = vectors[plan_id]
        ids = list(new)
        for start in range(0, len(ids), _BLOCK):
            block = ids[start : start + _BLOCK]
            # Rows first: where this fails, for want of memory, no plan may have the row of another one.
            self._held.extend([new[plan_id] for plan_id in block])
            self._rows |= {plan_id: row for row, plan_id in enumerate(block, len(self._ids))}
            self._ids += block

    def keep(self, plan_ids: Set[str]) -> None:
        """Forgets all plans but these."""
        kept = [(plan_id, row) for plan_id, row in self._rows.items() if plan_id in plan_ids]
        if len(kept) == len(self._ids):
            return
        self._held.keep([row for _, row in kept])
        self._ids = [plan_id for plan_id, _ in kept]
        self._rows = {plan_id: row for row, plan_id in enumerate(self._ids)}

    def near(self, asked: Sequence[Floats], least: float, most: int) -> list[list[str]]:
        """For each vector asked for, whose have an inner product of at least `least` with it; no more than the nearest
        `most`, in no particular order."""
        if not len(asked):
            return []
        products = np.stack(asked) @ self._held.view.T
        return [self._nearest(row, least, most) for row in products]

    def _nearest(self, products: Floats, least: float, most: int) -> list[str]:
        found = np.flatnonzero(products >= least)
        if len(found) > most:
            found = found[np.argpartition(products[found], -most)[-most:]]
        return [self._ids[row] for row in found.tolist()]
