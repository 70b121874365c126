"""A set of plans in memory with its own index, for rebuilds and previews."""

from collections.abc import Sequence
from datetime import date

from matching.assessment import Band
from matching.candidates.plan_index import PlanIndex
from matching.engine import Engine, Features
from matching.pair_scoring import score_pair


class PlanSet:
    """The features of plans by id, and a search for opportunities among them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._features: dict[str, Features] = {}
        self._index = PlanIndex()

    def put(self, features: Sequence[Features]) -> None:
        """Add or replace plans."""
        self._index.upsert([self._engine.index_entry(one) for one in features])
        self._features |= {one.plan.plan_id: one for one in features}

    def get(self, plan_id: str) -> Features | None:
        """The features of a plan; None if the set does not have it."""
        return self._features.get(plan_id)

    def search(self, plan_ids: Sequence[str], as_of: date) -> dict[str, list[str]]:
        """Find the opportunities of each of these plans of the set: the partners' ids, sorted."""
        asking = [self._features[plan_id] for plan_id in plan_ids]
        queries = [self._engine.index_query(one, self._engine.pair_vector(one)) for one in asking]
        found = self._index.search(queries, as_of.toordinal(), self._engine.policy)
        return {
            one.plan.plan_id: sorted(other for other in near if self._is_opportunity(one, self._features[other], as_of))
            for one, near in zip(asking, found, strict=True)
        }

    def _is_opportunity(self, one: Features, other: Features, as_of: date) -> bool:
        return score_pair(one, other, as_of, self._engine.policy).band is not Band.NONE
