"""What the matcher's search finds of what there is, against the exhaustive array search."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matching.assessment import Band
from matching.engine import Features
from services.local_stack.postgres import Server
from services.matcher.app import make_context
from services.matcher.context import MatcherContext
from services.platform.settings import Settings
from services.store import plans
from services.store.database import make_engine, make_sessions, transaction
from services.store.pipelined_queries import fetch
from tests.bench.corpora import Corpus
from tests.bench.generator import AS_OF
from tests.bench.running import loaded

_AT_ONCE: Final = 64
_LOUD: Final = (Band.DIGEST, Band.NOTIFY)

Pairs = dict[tuple[str, str], Band]


def recall(server: Server, corpus: Corpus, count: int, model: str, folder: Path) -> dict[str, Any]:
    """(r) For so many active plans, which of the opportunities that an exhaustive search finds the matcher's gives."""
    with loaded(server, corpus, model, folder) as database:
        return asyncio.run(_recall(server.url(database), count, model)) | {"model": model or "default"}


async def _recall(url: str, count: int, model: str) -> dict[str, Any]:
    settings = Settings(database_url=url, embedding_model=model, as_of=AS_OF)  # type: ignore[arg-type]
    context = make_context(settings)
    database = make_engine(url)
    try:
        async with transaction(make_sessions(database), isolation="REPEATABLE READ") as session:
            known = sorted(await plans.matchable(session))
            asked = random.Random(5).sample(known, min(count, len(known)))
            asking = await context.features.load(session, asked)
            all_plans = await context.features.load(session, known)
            delta = await fetch(session, context.index.delta())
            await context.index.search(session, {}, AS_OF, delta)
            started = time.perf_counter()
            found = [await context.index.search(session, block, AS_OF, delta) for block in _blocks(asking)]
            spent = time.perf_counter() - started
        by_index = _pairs(context, asking, all_plans, found)
        there = _pairs(context, asking, all_plans, [_exhaustive(context, asking, all_plans)])
    finally:
        await database.dispose()
    missed = there.keys() - by_index.keys()
    loud = [pair for pair, band in there.items() if band in _LOUD]
    return {
        "plans_asked": len(asking),
        "pairs": Counter(band.value for band in there.values()),
        "missed": Counter(there[pair].value for pair in missed),
        "recall_at_digest_or_above": round(1 - sum(pair in missed for pair in loud) / max(1, len(loud)), 5),
        "recall_at_feed_or_above": round(1 - len(missed) / max(1, len(there)), 5),
        "candidates_a_plan": round(sum(len(others) for block in found for others in block.values()) / count, 2),
        "search_ms_a_plan": round(1000 * spent / max(1, len(asking)), 3),
    }


def _blocks(asking: Mapping[str, Features]) -> Iterator[dict[str, Features]]:
    ids = sorted(asking)
    for start in range(0, len(ids), _AT_ONCE):
        yield {plan_id: asking[plan_id] for plan_id in ids[start : start + _AT_ONCE]}


def _exhaustive(
    context: MatcherContext, asking: Mapping[str, Features], known: Mapping[str, Features]
) -> dict[str, list[str]]:
    corpus = context.engine.corpus()
    for one in known.values():
        corpus.upsert(one)
    return {plan_id: context.engine.search(one, corpus, AS_OF) for plan_id, one in asking.items()}


def _pairs(
    context: MatcherContext,
    asking: Mapping[str, Features],
    known: Mapping[str, Features],
    found: Sequence[Mapping[str, Iterable[str]]],
) -> Pairs:
    """The opportunities among candidates, by (plan asked, partner)."""
    pairs = {}
    for block in found:
        for plan_id, others in block.items():
            for other in others:
                band = context.engine.assess(asking[plan_id], known[other], AS_OF).band
                if other != plan_id and band is not Band.NONE:
                    pairs[plan_id, other] = band
    return pairs
