"""What the matcher knows of the plans in the database: their features, and whom each is to be judged against."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from events.plans import PlanPayload, PlanState
from matching.embedding import Embedder
from matching.engine import Corpus, Engine, Features, Texts
from matching.plan import Plan
from services.domain.ids import text_hash
from services.matcher import indexing
from services.matcher.nearest import Look, Nearest
from services.platform import metrics
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import embeddings, search
from services.store import plans as store
from services.store.generation import CurrentGeneration
from services.store.mapping import plan_from_payload, plan_from_store
from services.store.pipelined_queries import answer, ask
from services.store.plans import PlanRow, StoredPlan
from services.store.search import Known, Near

Kept = Mapping[str, tuple[str, bytes]]
"""Of plans, what the index keeps of their words: of which content, and packed."""

_CHUNK: Final = 500
COUNT_AGAIN_SECONDS: Final = 60.0
"""How long there count as many plans once there were too many to compare each with all."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Whom each plan is to be judged against, and what the index found near that it did not know before; `known` are
    the partners asked for, and all candidates, where they are known before they are asked for."""

    candidates: Mapping[str, Iterable[Features]]
    near: Mapping[str, Near]
    known: dict[str, Features]


class World:
    """The engine, the embedder, and the features of plans seen lately.

    Features are a cache and never a source: each is of one revision, and which revision counts is read in the caller's
    snapshot. Up to `exhaustive_plans` searchable plans, `corpus` holds all of them and each plan is compared with all;
    beyond, the index in the database says which plans are near.
    """

    def __init__(self, engine: Engine, embedder: Embedder, settings: Settings) -> None:
        self.engine = engine
        self.embedder = embedder
        self.settings = settings
        self.lock = asyncio.Lock()
        self.corpus: Corpus = engine.corpus()
        self.nearest = Nearest()
        self._revisions: dict[str, int] = {}
        self._recent: OrderedDict[str, Features] = OrderedDict()
        self._texts: dict[tuple[str, str, str], Texts] = {}
        self._embedded: dict[str, np.ndarray] = {}
        self._many_until = 0.0
        # Always the same thread: PyTorch and the allocator keep memory for each that ever embedded anything.
        self._encoding = ThreadPoolExecutor(1, "encoder")

    @property
    def by_index(self) -> bool:
        """Whether there were too many plans to compare each with all when they were last counted."""
        return time.monotonic() < self._many_until

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
        known = {key: self._embedded[key] for key in unique if key in self._embedded}
        new = {key: text for key, text in unique.items() if key not in known}
        if not new:
            return known
        texts_in_order = list(new.values())
        vectors = await asyncio.get_running_loop().run_in_executor(self._encoding, self.embedder.embed, texts_in_order)
        metrics.EMBEDDINGS.inc(len(new))
        made = dict(zip(new, vectors, strict=True))
        if len(self._embedded) >= 2 * _CHUNK:
            self._embedded.clear()
        self._embedded |= made
        return known | made

    async def new_texts(self, session: AsyncSession, payloads: Iterable[PlanPayload]) -> dict[str, str]:
        """The texts of plan events, by text hash, that were never embedded: none of those whose words are in the index,
        so that a change of dates or figures neither cleans nor embeds anything."""
        plans = [plan_from_payload(payload) for payload in payloads if isinstance(payload, PlanState)]
        unread = [plan for plan in plans if self._alike(plan) is None]
        if not unread:
            return {}
        contents = await answer(session, search.contents_of(plan.plan_id for plan in unread))
        changed = [plan for plan in unread if contents.get(plan.plan_id) != indexing.content_of(plan, self.engine)]
        both = await asyncio.to_thread(lambda: [self._cleaned(plan) for plan in changed])
        texts = {text_hash(text): text for one in both for text in (one.title, one.body) if text}
        if not texts:
            return {}
        known = await answer(session, embeddings.known_embeddings(texts, self.embedder.model))
        return {key: text for key, text in texts.items() if key not in known}

    def _cleaned(self, plan: Plan) -> Texts:
        """Cleaning costs more than most else, and a plan's texts are wanted twice: to embed, and to compare."""
        key = (plan.authority, plan.title, plan.description)
        texts = self._texts.get(key)
        if texts is None:
            if len(self._texts) >= 2 * _CHUNK:
                self._texts.clear()
            texts = self._texts[key] = self.engine.texts(plan)
        return texts

    def look(self, plan_ids: Collection[str]) -> Look | None:
        """What the search for candidates of these plans begins with; None where they are compared with all."""
        return self.nearest.look(plan_ids) if self.by_index else None

    async def candidates(
        self,
        session: AsyncSession,
        asking: Mapping[str, Features],
        partners: Set[str] = frozenset(),
        look: Look | None = None,
    ) -> Sought:
        """Whom each of these plans is to be judged against, in the session's snapshot, whose last words these are;
        `look`: what was asked in it already.

        All that could be an opportunity, exactly, while there are few plans; the nearest by the index where there are
        many. A plan that moved on since it was indexed is left out: whoever moved it searches for it.
        """
        if await self.refresh(session):
            day = self.as_of
            candidates = {key: self.engine.candidates(one, self.corpus, day) for key, one in asking.items()}
            return Sought(candidates, {}, await self.features(session, partners))
        found = {key: dict[str, int]() for key, one in asking.items() if not indexing.may_be_found(one)}
        questions = [indexing.question(one) for key, one in asking.items() if key not in found]
        near = await self.nearest.near(session, {one.plan_id for one in questions}, self.engine.least_product, look)
        joinable = search.joinable(questions, near, generation=self.engine.generation.id, today=self.as_of.toordinal())
        revisions = store.revisions(partners)
        await ask(session, *([joinable] if questions else []), *([revisions] if partners else []), commit=True)
        found |= joinable.answer if questions else {}
        metrics.CANDIDATES.inc(sum(map(len, found.values())))
        wanted = revisions.answer if partners else {}
        for others in found.values():
            wanted |= others
        known = await self.features_at(session, wanted)
        return Sought(
            {key: [known[other] for other in others if other in known] for key, others in found.items()}, near, known
        )

    async def refresh(self, session: AsyncSession) -> bool:
        """Brings the corpus to the state of the session's snapshot. False, and empty, where there are too many."""
        if self.by_index:
            return False
        most = self.settings.exhaustive_plans
        current = await store.searchable(session, most + 1)
        if len(current) > most:
            self.corpus, self._revisions = self.engine.corpus(), {}
            self._many_until = time.monotonic() + COUNT_AGAIN_SECONDS
            metrics.ACTIVE_PLANS.set(most + 1)
            return False
        for plan_id in self._revisions.keys() - current.keys():
            self.corpus.drop(plan_id)
            del self._revisions[plan_id]
        changed = [plan_id for plan_id, revision in current.items() if self._revisions.get(plan_id) != revision]
        for start in range(0, len(changed), _CHUNK):
            for features in (await self.features(session, changed[start : start + _CHUNK])).values():
                self.corpus.put(features)
                self._revisions[features.plan.plan_id] = features.plan.revision
        metrics.ACTIVE_PLANS.set(len(self._revisions))
        return True

    async def features(self, session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, Features]:
        """The features of these plans' newest revisions, as far as the plans are known."""
        asked = list(plan_ids)
        return await self.features_at(session, await answer(session, store.revisions(asked))) if asked else {}

    async def features_at(self, session: AsyncSession, revisions: Mapping[str, int]) -> dict[str, Features]:
        """The features of plans whose newest revisions are these, or newer ones."""
        known = {key: held for key, revision in revisions.items() if (held := self._held(key, revision)) is not None}
        missing = revisions.keys() - known.keys()
        if not missing:
            return known
        return known | await self.features_of(session, await answer(session, search.known(missing)))

    async def features_of(self, session: AsyncSession, known: Mapping[str, Known]) -> dict[str, Features]:
        """The features of plans that were read and whose revisions are committed or about to be: kept for later."""
        kept = {key: (one.content, one.packed) for key, one in known.items() if one.content and one.packed}
        made = await self.made(session, {key: one.plan for key, one in known.items()}, kept)
        for plan_id, features in made.items():
            self._keep(plan_id, features)
        return made

    async def made(
        self, session: AsyncSession, rows: Mapping[str, StoredPlan | PlanRow], kept: Kept | None = None
    ) -> dict[str, Features]:
        """The features of plans as given. Their texts are this engine's, whichever engine cleaned those in the rows.

        `kept`: what the index keeps of their words; read where it is not given.
        """
        stored = {plan_id: plan for plan_id, row in rows.items() if (plan := plan_from_store(row)) is not None}
        moved = {key: self.engine.moved(held, plan) for key, plan in stored.items() if (held := self._alike(plan))}
        asked = {key: plan for key, plan in stored.items() if key not in moved}
        if kept is None and asked:
            kept = await search.packed_of(session, asked)
        moved |= self._unpacked(asked, kept or {})
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

    def _unpacked(self, stored: Mapping[str, Plan], kept: Kept) -> dict[str, Features]:
        """The features of those plans of which the index keeps what their words make."""
        return {
            plan_id: self.engine.unpack(kept[plan_id][1], plan)
            for plan_id, plan in stored.items()
            if plan_id in kept and kept[plan_id][0] == indexing.content_of(plan, self.engine)
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
        while len(self._recent) > self.settings.kept_plans:
            self._recent.popitem(last=False)

    async def _vectors(self, session: AsyncSession, texts: Iterable[Texts]) -> dict[str, np.ndarray]:
        by_hash = {text_hash(text): text for both in texts for text in (both.title, both.body) if text}
        vectors = {key: self._embedded[key] for key in by_hash if key in self._embedded}
        if unknown := by_hash.keys() - vectors.keys():
            vectors |= await embeddings.vectors_of(session, unknown, self.embedder.model)
        return vectors | await self.embed(by_hash[key] for key in by_hash.keys() - vectors.keys())
