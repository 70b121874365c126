"""The matcher's working set: the engine, the features of plans, and the index of candidates."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from matching.embedding import Embedder
from matching.engine import Engine, Features
from services.matcher.feature_store import FeatureStore
from services.matcher.hopeless_pairs import HopelessPairs
from services.matcher.plan_index import SnapshotIndex
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import plans
from services.store.generation import GenerationRow
from services.store.pipelined_queries import execute_pipelined
from services.store.plan_features import IndexDelta


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of each requested plan. `known` has the features of partners and candidates."""

    by_plan: Mapping[str, list[Features]]
    known: Mapping[str, Features]


class MatcherContext:
    """The engine, the embedder, the features of plans and the index of candidates, for one set of settings."""

    def __init__(self, engine: Engine, embedder: Embedder, settings: Settings) -> None:
        self.engine = engine
        self.embedder = embedder
        self.settings = settings
        self.features = FeatureStore(engine, embedder, settings.feature_cache_plans)
        self.index = SnapshotIndex(engine)
        self.hopeless_pairs = HopelessPairs()

    @property
    def as_of(self) -> date:
        """The day as of which plans are assessed."""
        return today(self.settings.as_of)

    @property
    def generation(self) -> GenerationRow:
        """This process's generation as a database row."""
        mine = self.engine.generation
        return GenerationRow(generation=mine.id, policy=mine.policy, statistics=mine.statistics, model=mine.model)

    async def candidates(
        self, session: AsyncSession, asking: Mapping[str, Features], partners: Set[str], delta: IndexDelta
    ) -> Candidates:
        """Find the candidates of each plan in the session's snapshot, load their present `partners`, and commit.

        `delta`: the changes that the index has not seen yet, queried in this transaction. A plan with a newer revision
        is left out; the handler of that revision searches for it.
        """
        found = await self.index.search(session, asking, self.as_of, delta)
        revisions = plans.revisions(partners)
        await execute_pipelined(session, *([revisions] if partners else []), commit=True)
        wanted = revisions.result if partners else {}
        for others in found.values():
            wanted |= others
        known = await self.features.load_revisions(session, wanted)
        by_plan = {key: [known[other] for other in others if other in known] for key, others in found.items()}
        return Candidates(by_plan, known)
