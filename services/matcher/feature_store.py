"""The features of plans, read from the database or computed from their texts, with a cache of recent ones."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from events.plans import PlanPayload, PlanState
from matching.embedding import Embedder
from matching.engine import CleanedTexts, Engine, Features
from matching.plan import Plan
from services.domain.ids import features_hash, text_hash
from services.platform import metrics
from services.store import embeddings, plan_features, plans
from services.store.mapping import plan_from_payload, plan_from_store
from services.store.pipelined_queries import fetch
from services.store.plan_features import PlanWithFeatures
from services.store.plans import PlanRecord, PlanValues

Blobs = Mapping[str, tuple[str, bytes]]
"""By plan id: the hash of the plan's words, and the packed features computed from them."""

_CACHED_TEXTS: Final = 1000


class FeatureStore:
    """The features of plans by one engine and one embedder. It caches those of `cached_plans` plans.

    The cache is never a source: each entry belongs to one revision, and the caller's snapshot says which revision
    counts.
    """

    def __init__(self, engine: Engine, embedder: Embedder, cached_plans: int) -> None:
        self.engine = engine
        self.embedder = embedder
        self._cached_plans = cached_plans
        self._recent: OrderedDict[str, Features] = OrderedDict()
        self._texts: dict[tuple[str, str, str], CleanedTexts] = {}
        self._embedded: dict[str, np.ndarray] = {}
        # One thread only: PyTorch and the allocator keep memory for every thread that has run the encoder.
        self._encoding = ThreadPoolExecutor(1, "encoder")

    async def load(self, session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, Features]:
        """Load the features of these plans' newest revisions; unknown plans are missing from the result."""
        asked = list(plan_ids)
        return await self.load_revisions(session, await fetch(session, plans.revisions(asked))) if asked else {}

    async def load_revisions(self, session: AsyncSession, revisions: Mapping[str, int]) -> dict[str, Features]:
        """Load the features of plans whose newest revisions are these, or newer."""
        known = {key: held for key, revision in revisions.items() if (held := self._cached(key, revision)) is not None}
        missing = revisions.keys() - known.keys()
        if not missing:
            return known
        return known | await self.load_rows(session, await fetch(session, plan_features.load(missing)))

    async def load_rows(self, session: AsyncSession, loaded: Mapping[str, PlanWithFeatures]) -> dict[str, Features]:
        """Load and cache the features of rows whose revisions are committed or will be with this transaction."""
        blobs = {key: (one.text_hash, one.blob) for key, one in loaded.items() if one.text_hash and one.blob}
        made = await self.compute(session, {key: one.plan for key, one in loaded.items()}, blobs)
        for plan_id, features in made.items():
            self._cache(plan_id, features)
        return made

    async def compute(
        self, session: AsyncSession, rows: Mapping[str, PlanRecord | PlanValues], blobs: Blobs | None = None
    ) -> dict[str, Features]:
        """Compute the features of these plans. This engine cleans their texts, whichever engine wrote the rows.

        `blobs`: the stored features of their words; read from the database if not given.
        """
        stored = {plan_id: plan for plan_id, row in rows.items() if (plan := plan_from_store(row)) is not None}
        moved = {
            key: self.engine.with_revision(held, plan)
            for key, plan in stored.items()
            if (held := self._cached_same_words(plan))
        }
        asked = {key: plan for key, plan in stored.items() if key not in moved}
        if blobs is None and asked:
            blobs = await plan_features.load_blobs(session, asked)
        moved |= self._unpack_stored(asked, blobs or {})
        fresh = {key: plan for key, plan in stored.items() if key not in moved}
        if not fresh:
            return moved
        texts = await asyncio.to_thread(lambda: {key: self._cleaned(plan) for key, plan in fresh.items()})
        vectors = await self._vectors(session, texts.values())
        blank = np.zeros(self.embedder.dimensions, dtype=np.float32)

        def make(plan_id: str) -> Features:
            both = texts[plan_id]
            title = vectors[text_hash(both.title)] if both.title else blank
            body = vectors[text_hash(both.body)] if both.body else None
            return self.engine.features(fresh[plan_id], title, body, both)

        return moved | await asyncio.to_thread(lambda: {plan_id: make(plan_id) for plan_id in fresh})

    async def texts_to_embed(self, session: AsyncSession, payloads: Iterable[PlanPayload]) -> dict[str, str]:
        """Texts of plan events that have no vector yet, by text hash.

        Plans whose words are stored are skipped: a change of dates or figures neither cleans nor embeds anything.
        """
        plans = [plan_from_payload(payload) for payload in payloads if isinstance(payload, PlanState)]
        unread = [plan for plan in plans if self._cached_same_words(plan) is None]
        if not unread:
            return {}
        stored = await fetch(session, plan_features.text_hashes(plan.plan_id for plan in unread))
        changed = [
            plan for plan in unread if stored.get(plan.plan_id) != features_hash(plan, self.engine.generation.id)
        ]
        both = await asyncio.to_thread(lambda: [self._cleaned(plan) for plan in changed])
        texts = {text_hash(text): text for one in both for text in (one.title, one.body) if text}
        if not texts:
            return {}
        known = await fetch(session, embeddings.known_embeddings(texts, self.embedder.model))
        return {key: text for key, text in texts.items() if key not in known}

    async def embed(self, texts: Iterable[str]) -> dict[str, np.ndarray]:
        """Compute the vectors of texts, by text hash, outside the event loop so that heartbeats continue."""
        unique = {text_hash(text): text for text in texts}
        known = {key: self._embedded[key] for key in unique if key in self._embedded}
        new = {key: text for key, text in unique.items() if key not in known}
        if not new:
            return known
        texts_in_order = list(new.values())
        vectors = await asyncio.get_running_loop().run_in_executor(self._encoding, self.embedder.embed, texts_in_order)
        metrics.EMBEDDINGS.inc(len(new))
        made = dict(zip(new, vectors, strict=True))
        if len(self._embedded) >= _CACHED_TEXTS:
            self._embedded.clear()
        self._embedded |= made
        return known | made

    def invalidate(self, plan_ids: Iterable[str]) -> None:
        """Drop plans from the cache, after the rollback of a transaction that had read its own writes."""
        for plan_id in plan_ids:
            self._recent.pop(plan_id, None)

    def _unpack_stored(self, wanted: Mapping[str, Plan], blobs: Blobs) -> dict[str, Features]:
        """Unpack the stored features of those plans whose words have not changed."""
        return {
            plan_id: self.engine.decode_features(blobs[plan_id][1], plan)
            for plan_id, plan in wanted.items()
            if plan_id in blobs and blobs[plan_id][0] == features_hash(plan, self.engine.generation.id)
        }

    def _cleaned(self, plan: Plan) -> CleanedTexts:
        """Clean a plan's texts, once: cleaning is expensive, and both embedding and comparison need the result."""
        key = (plan.authority, plan.title, plan.description)
        texts = self._texts.get(key)
        if texts is None:
            if len(self._texts) >= _CACHED_TEXTS:
                self._texts.clear()
            texts = self._texts[key] = self.engine.texts(plan)
        return texts

    async def _vectors(self, session: AsyncSession, texts: Iterable[CleanedTexts]) -> dict[str, np.ndarray]:
        by_hash = {text_hash(text): text for both in texts for text in (both.title, both.body) if text}
        vectors = {key: self._embedded[key] for key in by_hash if key in self._embedded}
        if unknown := by_hash.keys() - vectors.keys():
            vectors |= await embeddings.vectors_of(session, unknown, self.embedder.model)
        return vectors | await self.embed(by_hash[key] for key in by_hash.keys() - vectors.keys())

    def _cached_same_words(self, plan: Plan) -> Features | None:
        held = self._recent.get(plan.plan_id)
        return held if held is not None and self.engine.same_text(held, plan) else None

    def _cached(self, plan_id: str, revision: int) -> Features | None:
        held = self._recent.get(plan_id)
        if held is None or held.plan.revision != revision:
            return None
        self._recent.move_to_end(plan_id)
        return held

    def _cache(self, plan_id: str, features: Features) -> None:
        self._recent[plan_id] = features
        self._recent.move_to_end(plan_id)
        while len(self._recent) > self._cached_plans:
            self._recent.popitem(last=False)
