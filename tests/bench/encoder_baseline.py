"""What each part costs alone, and what one would otherwise write: a, b and c of the benchmark."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rapidfuzz import fuzz, process

from events.plans import PlanState
from matching.embedding import Embedder
from services.platform.settings import Settings
from tests.bench.corpora import Corpus, distinct, stand_in_vectors

AT_ONCE = Settings.model_fields["max_poll_records"].default
"""How many plans' texts the matcher embeds at once when there are many."""
NEAREST = 50


def encoder(corpus: Corpus, count: int, embedder: Embedder) -> dict[str, Any]:
    """(a) The encoder alone on the new plans' cleaned texts: all at once, and in batches as they come to a matcher."""
    new = corpus.new[:count]
    texts = distinct(new)
    embedder.embed(texts[:32])  # the first call is dearer than any other
    used = time.process_time()
    whole = _seconds(lambda: embedder.embed(texts))
    used = time.process_time() - used
    batches = [distinct(new[start : start + AT_ONCE]) for start in range(0, len(new), AT_ONCE)]
    by_batch = _seconds(lambda: [embedder.embed(batch) for batch in batches])
    return {
        "model": embedder.model,
        "plans": len(new),
        "texts": len(texts),
        "plans_per_second": round(len(new) / whole, 2),
        "texts_per_second": round(len(texts) / whole, 2),
        "cpu_ms_a_plan": round(1000 * used / len(new), 3),
        "plans_per_second_in_batches": round(len(new) / by_batch, 2),
    }


def plain_loop(corpus: Corpus, count: int, embedder: Embedder) -> dict[str, Any]:
    """(b) For each event: embed its text, semantic_search over all active plans, rapidfuzz over all their titles.

    Also without embedding, as a loop would be that keeps the vectors of texts it knows: what an update costs there.
    The active plans' vectors are stand-ins; search costs the same by any.
    """
    from sentence_transformers.util import semantic_search

    vectors = stand_in_vectors(corpus.active)
    titles = [plan.title.lower() for plan in corpus.active]
    updates = corpus.updates(count)
    rows = {plan.plan_id: row for row, plan in enumerate(corpus.active)}
    embed, search, letters = [], [], []
    for plan in updates:
        embed.append(_seconds(lambda plan=plan: embedder.embed([_said(plan)])))  # type: ignore[misc]
        query = vectors[rows[plan.plan_id]]
        search.append(_seconds(lambda query=query: semantic_search(query, vectors, top_k=NEAREST)))  # type: ignore[misc]
        letters.append(_seconds(lambda plan=plan: _titles_like(plan, titles)))  # type: ignore[misc]
    known = [one + other for one, other in zip(search, letters, strict=True)]
    return {
        "model": embedder.model,
        "active_vectors": "stand-in",
        "events": len(updates),
        "embed_ms": _middle(embed),
        "semantic_search_ms": _middle(search),
        "rapidfuzz_ms": _middle(letters),
        "new_per_second": round(1.0 / float(np.median(np.add(known, embed))), 3),
        "updates_per_second": round(1.0 / float(np.median(known)), 3),
    }


def _said(plan: PlanState) -> str:
    return f"{plan.title}. {plan.description}"


def _titles_like(plan: PlanState, titles: Sequence[str]) -> Any:
    return process.extract(plan.title.lower(), titles, scorer=fuzz.token_set_ratio, limit=NEAREST)


def bm25(corpus: Corpus, count: int) -> dict[str, Any]:
    """(c) Search by words alone: bm25s over title and description of all active plans, one query at a time."""
    import bm25s

    def tokenised(plans: Sequence[PlanState]) -> Any:
        return bm25s.tokenize([_said(plan) for plan in plans], stopwords="en", show_progress=False)

    retriever = bm25s.BM25()
    indexing = _seconds(lambda: retriever.index(tokenised(corpus.active), show_progress=False))
    nearest = min(NEAREST, len(corpus.active))

    def ask(plan: PlanState) -> Any:
        return retriever.retrieve(tokenised([plan]), k=nearest, show_progress=False)

    queries = corpus.updates(count)
    ask(queries[0])
    spent = [_seconds(lambda plan=plan: ask(plan)) for plan in queries]  # type: ignore[misc]
    return {"events": len(queries), "index_seconds": round(indexing, 2), **_spread(spent)}


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _middle(seconds: Sequence[float]) -> float:
    return round(1000 * float(np.median(seconds)), 3)


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "p50_ms": _middle(seconds),
        "p99_ms": round(1000 * float(np.percentile(seconds, 99)), 3),
        "searches_per_second": round(1.0 / float(np.median(seconds)), 2),
    }
