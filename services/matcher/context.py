"""What the matcher knows of the plans in the database: their features, and the candidates of each."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from events.plans import PlanPayload, PlanState
from matching.embedding import Embedder
from matching.engine import Engine, Features, Texts
from matching.plan import Plan
from services.domain.ids import features_hash, text_hash
from services.matcher.hopeless_pairs import HopelessPairs
from services.matcher.plan_index import SnapshotIndex
from services.platform import metrics
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import embeddings, plan_features
from services.store import plans as store
from services.store.generation import GenerationRow
from services.store.mapping import plan_from_payload, plan_from_store
from services.store.pipelined_queries import execute_pipelined, fetch
from services.store.plan_features import IndexDelta, PlanWithFeatures
from services.store.plans import PlanRecord, PlanValues

Blobs = Mapping[str, tuple[str, bytes]]
"""By plan id, the hash of a plan's words, and the packed features that they make."""

_CACHED_TEXTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of each plan that was asked for; `known` has the features of partners and candidates."""

    by_plan: Mapping[str, list[Features]]
    known: Mapping[str, Features]


class MatcherContext:
    """The engine, the embedder, the index of candidates, and the features of plans seen lately.

    Features are a cache and never a source: each is of one revision, and which revision counts is read in the caller's
    snapshot.
    """

    def __init__(self, engine: Engine, embedder: Embedder, settings: Settings) -> None:
        self.engine = engine
        self.embedder = embedder
        self.settings = settings
        self.index = SnapshotIndex(engine)
        self.hopeless = HopelessPairs()
        self._recent: OrderedDict[str, Features] = OrderedDict()
        self._texts: dict[tuple[str, str, str], Texts] = {}
        self._embedded: dict[str, np.ndarray] = {}
        # Always the same thread: PyTorch and the allocator keep memory for each that ever embedded anything.
        self._encoding = ThreadPoolExecutor(1, "encoder")

    @property
    def as_of(self) -> date:
        """The day as of which plans are judged now."""
        return today(self.settings.as_of)

    @property
    def generation(self) -> GenerationRow:
        """This process's generation, as the database keeps it."""
        mine = self.engine.generation
        return GenerationRow(generation=mine.id, policy=mine.policy, statistics=mine.statistics, model=mine.model)

    async def embed(self, texts: Iterable[str]) -> dict[str, np.ndarray]:
        """The vectors of texts by text hash, computed beside the event loop so that heartbeats go on."""
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

    async def new_texts(self, session: AsyncSession, payloads: Iterable[PlanPayload]) -> dict[str, str]:
        """The texts of plan events, by text hash, that were never embedded: none of those whose words are stored,
        so that a change of dates or figures neither cleans nor embeds anything."""
        plans = [plan_from_payload(payload) for payload in payloads if isinstance(payload, PlanState)]
        unread = [plan for plan in plans if self._alike(plan) is None]
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

    def _cleaned(self, plan: Plan) -> Texts:
        """Cleaning costs more than most else, and a plan's texts are wanted twice: to embed, and to compare."""
        key = (plan.authority, plan.title, plan.description)
        texts = self._texts.get(key)
        if texts is None:
            if len(self._texts) >= _CACHED_TEXTS:
                self._texts.clear()
            texts = self._texts[key] = self.engine.texts(plan)
        return texts

    async def candidates(
        self, session: AsyncSession, asking: Mapping[str, Features], partners: Set[str], delta: IndexDelta
    ) -> Candidates:
        """The candidates of each of these plans in the session's snapshot, and their present `partners`; commits.

        `delta`: what the index had not seen, asked in this transaction. A plan that moved on since it was read is left
        out: whoever moved it searches for it.
        """
        found = await self.index.search(session, asking, self.as_of, delta)
        revisions = store.revisions(partners)
        await execute_pipelined(session, *([revisions] if partners else []), commit=True)
        wanted = revisions.result if partners else {}
        for others in found.values():
            wanted |= others
        known = await self.features_at(session, wanted)
        by_plan = {key: [known[other] for other in others if other in known] for key, others in found.items()}
        return Candidates(by_plan, known)

    async def features(self, session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, Features]:
        """The features of these plans' newest revisions, as far as the plans are known."""
        asked = list(plan_ids)
        return await self.features_at(session, await fetch(session, store.revisions(asked))) if asked else {}

    async def features_at(self, session: AsyncSession, revisions: Mapping[str, int]) -> dict[str, Features]:
        """The features of plans whose newest revisions are these, or newer ones."""
        known = {key: held for key, revision in revisions.items() if (held := self._held(key, revision)) is not None}
        missing = revisions.keys() - known.keys()
        if not missing:
            return known
        return known | await self.features_of(session, await fetch(session, plan_features.load(missing)))

    async def features_of(self, session: AsyncSession, loaded: Mapping[str, PlanWithFeatures]) -> dict[str, Features]:
        """The features of plans that were read and whose revisions are committed or about to be: kept for later."""
        blobs = {key: (one.text_hash, one.blob) for key, one in loaded.items() if one.text_hash and one.blob}
        made = await self.made(session, {key: one.plan for key, one in loaded.items()}, blobs)
        for plan_id, features in made.items():
            self._keep(plan_id, features)
        return made

    async def made(
        self, session: AsyncSession, rows: Mapping[str, PlanRecord | PlanValues], blobs: Blobs | None = None
    ) -> dict[str, Features]:
        """The features of plans as given. Their texts are this engine's, whichever engine cleaned those in the rows.

        `blobs`: what is stored of their words; read where it is not given.
        """
        stored = {plan_id: plan for plan_id, row in rows.items() if (plan := plan_from_store(row)) is not None}
        moved = {key: self.engine.moved(held, plan) for key, plan in stored.items() if (held := self._alike(plan))}
        asked = {key: plan for key, plan in stored.items() if key not in moved}
        if blobs is None and asked:
            blobs = await plan_features.load_blobs(session, asked)
        moved |= self._unpacked(asked, blobs or {})
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

    def _unpacked(self, plans: Mapping[str, Plan], blobs: Blobs) -> dict[str, Features]:
        """The features of those plans of which is stored what their words make."""
        return {
            plan_id: self.engine.unpack(blobs[plan_id][1], plan)
            for plan_id, plan in plans.items()
            if plan_id in blobs and blobs[plan_id][0] == features_hash(plan, self.engine.generation.id)
        }

    def forget(self, plan_ids: Iterable[str]) -> None:
        """Drops what is kept of plans, after a transaction that read what it had written itself was rolled back."""
        for plan_id in plan_ids:
            self._recent.pop(plan_id, None)

    def _alike(self, plan: Plan) -> Features | None:
        held = self._recent.get(plan.plan_id)
        return held if held is not None and self.engine.same_words(held, plan) else None

    def _held(self, plan_id: str, revision: int) -> Features | None:
        held = self._recent.get(plan_id)
        if held is None or held.plan.revision != revision:
            return None
        self._recent.move_to_end(plan_id)
        return held

    def _keep(self, plan_id: str, features: Features) -> None:
        self._recent[plan_id] = features
        self._recent.move_to_end(plan_id)
        while len(self._recent) > self.settings.feature_cache_plans:
            self._recent.popitem(last=False)

    async def _vectors(self, session: AsyncSession, texts: Iterable[Texts]) -> dict[str, np.ndarray]:
        by_hash = {text_hash(text): text for both in texts for text in (both.title, both.body) if text}
        vectors = {key: self._embedded[key] for key in by_hash if key in self._embedded}
        if unknown := by_hash.keys() - vectors.keys():
            vectors |= await embeddings.vectors_of(session, unknown, self.embedder.model)
        return vectors | await self.embed(by_hash[key] for key in by_hash.keys() - vectors.keys())
