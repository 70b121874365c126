"""The active plans as arrays, so that one plan is compared with all of them in one computation.

Rows are appended, and marked dead on removal. Once half of the rows are dead, the arrays are compacted. So a change
costs its own row and, now and then, a bulk copy.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from matching.components.specification import Vector
from matching.features import Features
from matching.scorer import NATURES

Floats = NDArray[np.float64]
_LEAST_ROWS = 256

COLUMNS: dict[str, Any] = {
    "joinable": np.bool_,
    "earliest": np.int64,
    "latest": np.int64,
    "flexible": np.int64,
    "preparation_days": np.int64,
    "locality": np.float64,
    "value": np.float64,
    "place": np.int64,
    "codes": np.int64,
    "authority": np.int64,
    "named": np.bool_,
    "readiness": np.float64,
    "described": np.float64,
}

TERMS = ("title_terms", "all_terms", "phrases", "concepts")


class GrowableArray:
    """An array that grows by doubling; `view` is its used part."""

    def __init__(self, dtype: Any, width: int | None = None) -> None:
        self._array: NDArray[Any] = np.zeros((_LEAST_ROWS,) if width is None else (_LEAST_ROWS, width), dtype=dtype)
        self.size = 0

    def extend(self, values: Any) -> None:
        """Append rows."""
        block = np.asarray(values, dtype=self._array.dtype)
        needed = self.size + len(block)
        if needed > len(self._array):
            larger = np.zeros((max(needed, 2 * len(self._array)), *self._array.shape[1:]), dtype=self._array.dtype)
            larger[: self.size] = self._array[: self.size]
            self._array = larger
        self._array[self.size : needed] = block
        self.size = needed

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows, in this order."""
        self._array[: len(rows)] = self._array[rows]
        self.size = len(rows)

    @property
    def view(self) -> NDArray[Any]:
        """The used part, without a copy."""
        return self._array[: self.size]


class SparseTermMatrix:
    """Weighted word lists as rows of a sparse matrix; each new word adds a column."""

    def __init__(self) -> None:
        self.words: dict[str, int] = {}
        self._data, self._columns, self._starts = (
            GrowableArray(np.float32),
            GrowableArray(np.int32),
            GrowableArray(np.int32),
        )
        self._starts.extend([0])

    def append(self, terms: Mapping[str, float]) -> None:
        """Add one row."""
        self._columns.extend([self.words.setdefault(word, len(self.words)) for word in terms])
        self._data.extend(list(terms.values()))
        self._starts.extend([self._data.size])

    def similarities(self, terms: Mapping[str, float]) -> Floats:
        """Compute the cosine of every row with one word list, shape (rows,)."""
        query = np.zeros(max(1, len(self.words)), dtype=np.float32)
        for word, weight in terms.items():
            column = self.words.get(word)
            if column is not None:
                query[column] = weight
        rows = self._starts.size - 1
        matrix = sp.csr_matrix((self._data.view, self._columns.view, self._starts.view), shape=(rows, len(query)))
        return np.asarray(matrix @ query, dtype=np.float64)


class Interner:
    """Interns values that many plans share (places, code lists), and caches a relation between pairs of them."""

    def __init__(self) -> None:
        self._ids: dict[Hashable, int] = {}
        self._rows: dict[Hashable, GrowableArray] = {}

    def id_of(self, key: Hashable) -> int:
        """Return the number of a value, a new one for a new value."""
        return self._ids.setdefault(key, len(self._ids))

    def known(self, key: Hashable) -> int | None:
        """Return the number of a value, None for an unknown value."""
        return self._ids.get(key)

    def row(self, key: Hashable, relate: Callable[[Any, Any], float]) -> Floats:
        """Return `relate(key, other)` for every interned value, by number, from the cache if known."""
        row = self._rows.setdefault(key, GrowableArray(np.float64))
        if row.size < len(self._ids):
            missing = list(self._ids)[row.size :]
            row.extend([relate(key, other) for other in missing])
        return row.view


class Corpus:
    """Plans to search. Not thread-safe: one matcher owns one."""

    def __init__(self) -> None:
        self._by_id: dict[str, tuple[int, Features]] = {}
        self.places, self.cpv_codes, self.authorities = Interner(), Interner(), Interner()
        self._reset()

    def _reset(self) -> None:
        self.plan_ids: list[str] = []
        self.columns = {name: GrowableArray(dtype) for name, dtype in COLUMNS.items()}
        self.alive = GrowableArray(np.bool_)
        self.terms = {name: SparseTermMatrix() for name in TERMS}
        self.embedding: GrowableArray | None = None
        self.cpv_profile: GrowableArray | None = None
        self.nature = GrowableArray(np.float64, len(NATURES))

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def revisions(self) -> dict[str, int]:
        """The revision of every plan held."""
        return {plan_id: f.plan.revision for plan_id, (_, f) in self._by_id.items()}

    def get(self, plan_id: str) -> Features | None:
        """Return the plan's features, None if it is not held."""
        held = self._by_id.get(plan_id)
        return held[1] if held else None

    def upsert(self, features: Features) -> None:
        """Add or replace a plan."""
        self.remove(features.plan.plan_id)
        self._append(features)
        if len(self.plan_ids) > 2 * len(self._by_id) + _LEAST_ROWS:
            self._compact()

    def remove(self, plan_id: str) -> None:
        """Remove a plan, if it is held."""
        held = self._by_id.pop(plan_id, None)
        if held is not None:
            self.alive.view[held[0]] = False

    def _compact(self) -> None:
        kept = [features for _, features in self._by_id.values()]
        self._by_id.clear()
        self._reset()
        for features in kept:
            self._append(features)

    def _append(self, f: Features) -> None:
        self._by_id[f.plan.plan_id] = (len(self.plan_ids), f)
        self.plan_ids.append(f.plan.plan_id)
        self.alive.extend([True])
        row = {
            "joinable": f.is_joinable,
            "earliest": f.span.earliest,
            "latest": f.span.latest,
            "flexible": f.span.flexible,
            "preparation_days": f.category.preparation_days,
            "locality": f.locality,
            "value": f.value,
            "place": self.places.id_of(f.delivery_area),
            "codes": self.cpv_codes.id_of(f.cpv_codes),
            "authority": self.authorities.id_of(f.plan.authority),
            "named": bool(f.concepts),
            "readiness": f.readiness,
            "described": f.described,
        }
        for name, value in row.items():
            self.columns[name].extend([value])
        for name, rows in self.terms.items():
            rows.append(getattr(f, name))
        self.embedding = _with_row(self.embedding, f.embedding)
        self.cpv_profile = _with_row(self.cpv_profile, f.cpv_profile)
        self.nature.extend([f.nature])


def _with_row(rows: GrowableArray | None, vector: Vector) -> GrowableArray:
    rows = rows if rows is not None else GrowableArray(np.float32, len(vector))
    rows.extend(vector[None, :])
    return rows
