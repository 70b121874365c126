"""What the matcher holds of the plans in the database: a corpus that follows every fresh snapshot exactly."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from matching.embedding import Embedder
from matching.engine import Corpus, Engine, Features, Texts
from matching.plan import Plan
from services.runtime import metrics
from services.runtime.settings import Settings
from services.store import embeddings
from services.store import plans as store
from services.store.generations import CurrentGeneration
from services.store.plans import StoredPlan
from services.translation import plan_from_store, text_hash, today

_CHUNK: Final = 500


class World:
    """The engine, the embedder, and the features of every searchable plan.

    The corpus is a cache and never a source: `refresh` compares it with the database, revision by revision,
    in the caller's snapshot, so that what it holds is what the snapshot holds.
    """

    def __init__(self, engine: Engine, embedder: Embedder, settings: Settings) -> None:
        self.engine = engine
        self.embedder = embedder
        self.settings = settings
        self.lock = asyncio.Lock()
        self.corpus: Corpus = engine.corpus()
        self._revisions: dict[str, int] = {}

    @property
    def as_of(self) -> date:
        """The day as of which plans are judged now."""
        return today(self.settings.as_of)

    @property
    def generation(self) -> CurrentGeneration:
        """This process's generation, as the database keeps it."""
        mine = self.engine.generation
        return CurrentGeneration(generation=mine.id, policy=mine.policy, statistics=mine.statistics, model=mine.model)

    async def embed(self, texts: Iterable[str]) -> dict[str, np.ndarray]:
        """The vectors of texts by text hash, computed beside the event loop so that heartbeats go on."""
        unique = {text_hash(text): text for text in texts}
        if not unique:
            return {}
        vectors = await asyncio.to_thread(self.embedder.embed, list(unique.values()))
        metrics.EMBEDDINGS.inc(len(unique))
        return dict(zip(unique, vectors, strict=True))

    async def refresh(self, session: AsyncSession) -> None:
        """Brings the corpus to the state of the session's snapshot."""
        current = await store.searchable(session)
        for plan_id in self._revisions.keys() - current.keys():
            self.corpus.drop(plan_id)
            del self._revisions[plan_id]
        changed = [plan_id for plan_id, revision in current.items() if self._revisions.get(plan_id) != revision]
        for start in range(0, len(changed), _CHUNK):
            for features in (await self.features(session, changed[start : start + _CHUNK])).values():
                self.corpus.put(features)
                self._revisions[features.plan.plan_id] = features.plan.revision
        metrics.ACTIVE_PLANS.set(len(self._revisions))

    async def features(self, session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, Features]:
        """The features of these plans, as far as the plans are known; from the corpus where it has them."""
        return await self.made(session, await store.load(session, plan_ids))

    async def made(self, session: AsyncSession, rows: Mapping[str, StoredPlan]) -> dict[str, Features]:
        """The features of plans as given. Their texts are this engine's, whichever engine cleaned those in the rows."""
        stored = {plan_id: plan for plan_id, row in rows.items() if (plan := plan_from_store(row)) is not None}
        missing = {plan_id: plan for plan_id, plan in stored.items() if not self._held(plan)}
        texts = await asyncio.to_thread(lambda: {key: self.engine.texts(plan) for key, plan in missing.items()})
        vectors = await self._vectors(session, texts.values())
        made = await asyncio.to_thread(
            lambda: {key: self._make(plan, texts[key], vectors) for key, plan in missing.items()}
        )
        for plan_id in stored.keys() - missing.keys():
            held = self.corpus.get(plan_id)
            assert held is not None
            made[plan_id] = held
        return made

    def _held(self, plan: Plan) -> bool:
        held = self.corpus.get(plan.plan_id)
        return held is not None and held.plan == plan

    async def _vectors(self, session: AsyncSession, texts: Iterable[Texts]) -> dict[str, np.ndarray]:
        by_hash = {text_hash(text): text for both in texts for text in (both.title, both.body) if text}
        vectors = await embeddings.vectors_of(session, by_hash, self.embedder.model)
        lost = await self.embed(by_hash[key] for key in by_hash.keys() - vectors.keys())
        return vectors | lost

    def _make(self, plan: Plan, texts: Texts, vectors: dict[str, np.ndarray]) -> Features:
        blank = np.zeros(self.embedder.dimensions, dtype=np.float32)
        title = vectors[text_hash(texts.title)] if texts.title else blank
        body = vectors[text_hash(texts.body)] if texts.body else None
        return self.engine.features(plan, title, body)
