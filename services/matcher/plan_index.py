"""The matcher's in-memory index of candidates, which follows the database's snapshots."""

import asyncio
from collections.abc import Mapping
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from matching.candidates.plan_index import PlanIndex
from matching.components.specification import Vector
from matching.engine import Engine, Features
from services.domain.disclosure import is_matchable
from services.domain.ids import features_hash
from services.platform import metrics
from services.store import plan_features
from services.store.pipelined_queries import PipelinedQuery, fetch
from services.store.plan_features import NOTHING_SEEN, ChangePosition, IndexDelta, Placement, Words

Revisions = Mapping[str, int]


class SnapshotIndex:
    """All plans that can be matched, as of the newest snapshot that a search has used.

    A search in an older snapshot may see newer rows. This loses no pair: the process that wrote a newer row searches
    after its commit, and finds every plan of the older snapshot.
    """

    def __init__(self, engine: Engine, portion: int = plan_features.PORTION) -> None:
        self._engine = engine
        self._portion = portion
        self._index = PlanIndex()
        self._seen = NOTHING_SEEN
        self._following = asyncio.Lock()

    def delta(self) -> PipelinedQuery[IndexDelta]:
        """The query for the changes since the last search. Run it first in the transaction that searches."""
        return self._changes(self._seen)

    async def search(
        self, session: AsyncSession, asking: Mapping[str, Features], as_of: date, delta: IndexDelta
    ) -> dict[str, Revisions]:
        """Find each plan's candidates, with their revisions, at least as of the session's snapshot.

        The transaction must be REPEATABLE READ, and `delta` queried in it. A plan with a newer revision is left out;
        the handler of that revision searches for it. A plan that can't be matched has no candidates.
        """
        found: dict[str, Revisions] = {key: {} for key, one in asking.items() if not belongs_in_index(one)}
        async with self._following:
            await self._follow(session, delta)
            queries = {}
            for key, one in asking.items():
                vector = self._index.vector(key, one.plan.revision)
                if vector is not None and key not in found:
                    queries[key] = self._engine.index_query(one, vector)
            near = await asyncio.to_thread(
                self._index.search, list(queries.values()), as_of.toordinal(), self._engine.policy
            )
        metrics.CANDIDATES.inc(sum(map(len, near)))
        return found | dict(zip(queries, near, strict=True))

    def _changes(self, since: ChangePosition, after: tuple[int, str] | None = None) -> PipelinedQuery[IndexDelta]:
        return plan_features.delta(since, self._engine.generation.id, after, self._portion)

    async def nearest(self, session: AsyncSession, vector: Vector, limit: int) -> Revisions:
        """Find the plans with the nearest words in the session's snapshot, even if rules keep them apart."""
        delta = await fetch(session, self.delta())
        async with self._following:
            await self._follow(session, delta)
            return await asyncio.to_thread(self._index.nearest, vector, limit)

    async def _follow(self, session: AsyncSession, delta: IndexDelta) -> None:
        """Brings the index to the session's snapshot. The caller holds the lock."""
        known = self._seen if self._seen.server == delta.until.server else NOTHING_SEEN
        if (known == NOTHING_SEEN and delta.since != NOTHING_SEEN) or delta.since.server not in (
            "",
            delta.until.server,
        ):
            # PostgreSQL restarted since the query: the old server's transaction ids mean nothing to the new one.
            delta = await fetch(session, self._changes(known))
        if known == NOTHING_SEEN:
            self._index, self._seen = PlanIndex(), NOTHING_SEEN
        elif delta.until.is_older(known):
            return
        while True:
            self._index.remove(delta.closed)
            self._index.upsert(delta.entries)
            if delta.after is None:
                break
            delta = await fetch(session, self._changes(delta.since, delta.after))
        self._seen = delta.until
        metrics.ACTIVE_PLANS.set(len(self._index))


def belongs_in_index(features: Features) -> bool:
    """Whether a plan can be matched, and so belongs in the index."""
    return is_matchable(features.plan.status, features.plan.sharing)


def placement(features: Features, engine: Engine) -> Placement:
    """Build the index entry of a plan."""
    plan = features.plan
    return Placement(
        plan.plan_id, engine.generation.id, plan.revision, plan.authority, engine.join_constraints(features)
    )


def new_words(features: Mapping[str, Features], stored: Mapping[str, str | None], engine: Engine) -> dict[str, Words]:
    """Build the word features of plans whose `stored` words differ or are missing."""
    hashes = {plan_id: features_hash(one.plan, engine.generation.id) for plan_id, one in features.items()}
    return {
        plan_id: Words(hashes[plan_id], engine.pair_vector(one), engine.encode_features(one))
        for plan_id, one in features.items()
        if stored.get(plan_id) != hashes[plan_id]
    }
