"""A memory of plan pairs whose words allow no opportunity on any day and at any value.

Most events change a date or a figure and no word, and most candidates of a plan were its candidates before. Nothing is
lost with this memory: a pair that it does not hold is scored.
"""

from typing import Final

from matching.engine import Features

MAX_PAIRS: Final = 500_000
"""About 100 MB. A full memory starts again from empty."""

Key = tuple[str, int, str, int]


class HopelessPairs:
    """Pairs, keyed by the ids and the words of both plans. A pair with new words is another pair."""

    def __init__(self, max_pairs: int = MAX_PAIRS) -> None:
        self._pairs: set[Key] = set()
        self._max_pairs = max_pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, one: Features, other: Features) -> None:
        """Remember a pair."""
        if len(self._pairs) >= self._max_pairs:
            self._pairs.clear()
        self._pairs.add(_key(one, other))

    def __contains__(self, pair: tuple[Features, Features]) -> bool:
        return _key(*pair) in self._pairs


def _key(one: Features, other: Features) -> Key:
    first, second = (one, other) if one.plan.plan_id <= other.plan.plan_id else (other, one)
    return first.plan.plan_id, _words(first), second.plan.plan_id, _words(second)


def _words(features: Features) -> int:
    plan = features.plan
    return hash((plan.authority, plan.title, plan.description, plan.cpv))
