"""Finds the frameworks that plans can use, from stored vectors alone, for processes that load no model."""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from matching.corpus_statistics import Statistics
from matching.engine import Engine, Features
from matching.frameworks import FrameworkLot, covering, day_of_need, to_plan, usable_frameworks
from matching.plan import Plan
from matching.policy import Policy
from services.domain.ids import features_hash, text_hash
from services.domain.parties import Party, by_code, entitle_members
from services.platform import logs
from services.platform.settings import Settings
from services.store import embeddings, frameworks, parties, plan_features
from services.store.mapping import plan_from_store
from services.store.pipelined_queries import fetch

LotFeatures = Sequence[tuple[FrameworkLot, Features]]

_CACHED_PLANS: Final = 10_000

# The generation of the stored vectors, and the size and newest change of the frameworks and of the parties, whose
# members a framework may entitle.
_VERSION: Final = text(
    "SELECT g.generation, g.model, f.size, f.changed_at, p.size, p.changed_at FROM generation g,"
    " (SELECT count(*) AS size, max(updated_at) AS changed_at FROM framework_lots) f,"
    " (SELECT count(*) AS size, max(updated_at) AS changed_at FROM parties) p"
)

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Version:
    generation: str
    model: str
    lots: int
    changed_at: datetime | None
    parties: int
    parties_changed_at: datetime | None


class FrameworkIndex:
    """One process's copy of the frameworks. It reloads them when the register or the generation changes, and checks
    each revision of a plan once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._version: _Version | None = None
        self._engine: Engine | None = None
        self._lots: LotFeatures = ()
        self._parties: Mapping[str, Party] = {}
        self._checked: OrderedDict[tuple[str, int], Mapping[str, str]] = OrderedDict()

    async def usable(self, session: AsyncSession, plan_ids: Collection[str]) -> dict[str, Mapping[str, str]]:
        """The titles of the frameworks that each plan can use on its day of need, by reference, most likely first.

        Plans that no matcher has processed yet are left out.
        """
        if not plan_ids or not await self._follow(session):
            return {}
        assert self._engine is not None
        found = {}
        for plan_id, stored in (await fetch(session, plan_features.load(plan_ids))).items():
            plan = plan_from_store(stored.plan)
            if plan is not None and stored.text_hash == features_hash(plan, self._engine.generation.id):
                assert stored.blob is not None
                found[plan_id] = self._check(self._engine, plan, stored.blob)
        return found

    def _check(self, engine: Engine, plan: Plan, blob: bytes) -> Mapping[str, str]:
        key = plan.plan_id, plan.revision
        if key not in self._checked:
            lots = entitle_members([lot for lot, _ in self._lots], self._parties, day_of_need(plan))
            known = zip(lots, (features for _, features in self._lots), strict=True)
            found = covering(engine.decode_features(blob, plan), known, engine.policy)
            self._checked[key] = usable_frameworks(plan, found)
            while len(self._checked) > _CACHED_PLANS:
                self._checked.popitem(last=False)
        return self._checked[key]

    async def _follow(self, session: AsyncSession) -> bool:
        """Reload the frameworks if they have changed; return whether there are any."""
        row = (await session.execute(_VERSION)).one_or_none()
        if row is None or not row[2]:
            return False
        version = _Version(*row)
        if version != self._version:
            engine = Engine.load(
                policy=Policy.load(self._settings.policy_file),
                statistics=Statistics.load(self._settings.statistics_file),
                model=version.model,
            )
            if engine.generation.id != version.generation:
                log.warning("frameworks are not checked: policy and statistics differ from the matchers'")
            lots = await frameworks.all_lots(session)
            self._lots = lot_features(
                engine, lots, await embeddings.vectors_of(session, lot_texts(engine, lots), version.model)
            )
            self._parties = by_code(await parties.all_parties(session))
            self._version, self._engine = version, engine
            self._checked.clear()
        return True


def lot_texts(engine: Engine, lots: Sequence[FrameworkLot]) -> dict[str, str]:
    """The texts of these lots to embed, by text hash."""
    both = [engine.texts(to_plan(lot)) for lot in lots]
    return {text_hash(words): words for one in both for words in (one.title, one.body) if words}


def lot_features(engine: Engine, lots: Sequence[FrameworkLot], vectors: Mapping[str, np.ndarray]) -> LotFeatures:
    """Compute the lots' features; lots with missing vectors are left out."""
    found = []
    for lot in lots:
        plan = to_plan(lot)
        both = engine.texts(plan)
        title, body = (vectors.get(text_hash(words)) if words else None for words in (both.title, both.body))
        if (both.title and title is None) or (both.body and body is None):
            continue
        if title is None:
            title = np.zeros_like(body) if body is not None else None
        if title is not None:
            found.append((lot, engine.features(plan, title, body, both)))
    return tuple(found)
