"""What a generated corpus is like: partners a plan, near misses, lengths and duplicates, by the engine itself."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from matching.candidates import corpus_search
from matching.embedding import Embedder
from matching.encoders.loading import load_embedder
from matching.engine import Corpus, Engine, Features
from matching.pair_scoring import score_pair
from services.store.mapping import plan_from_payload
from tests.bench.generator import AS_OF, need_number, plans

_AT_ONCE = 512
_SHARES = (5, 10, 25, 50, 75, 90, 95)


def measure(count: int, seed: int, sample: int, model: str) -> dict[str, Any]:
    """Searches for so many plans, drawn at random, among all plans of a corpus."""
    embedder = load_embedder(model)
    engine = Engine.load(model=embedder.model)
    corpus = corpus_of(count, seed, engine, embedder)
    every = [found for plan_id in corpus.plan_ids if (found := corpus.get(plan_id)) is not None]
    chosen = random.Random(2).sample(every, min(sample, len(every)))
    texts = [f"{one.texts.title}\n{one.texts.body}" for one in every]
    return {
        "plans": count,
        "seed": seed,
        "model": embedder.model,
        "sample": len(chosen),
        **_partners(chosen, corpus, engine),
        "words": {
            "title": _quantiles([len(one.plan.title.split()) for one in every]),
            "description": _quantiles([len(one.plan.description.split()) for one in every]),
            "title_cleaned": _quantiles([len(one.texts.title.split()) for one in every]),
            "body_cleaned": _quantiles([len(one.texts.body.split()) for one in every]),
        },
        "same_text_as_another": round(sum(n for n in Counter(texts).values() if n > 1) / count, 4),
        "authorities": len({one.plan.authority for one in every}),
        "needs": len({need_number(one.plan.plan_id) for one in every}),
        "without_cpv": round(sum(not one.cpv_codes for one in every) / count, 3),
    }


def corpus_of(count: int, seed: int, engine: Engine, embedder: Embedder) -> Corpus:
    """All plans of a generated corpus as the engine searches them."""
    corpus = engine.corpus()
    block: list[Any] = []
    for payload in plans(count, seed):
        block.append(plan_from_payload(payload))
        if len(block) == _AT_ONCE:
            _put(block, corpus, engine, embedder)
            block = []
    _put(block, corpus, engine, embedder)
    return corpus


def _put(block: Sequence[Any], corpus: Corpus, engine: Engine, embedder: Embedder) -> None:
    if not block:
        return
    texts = [engine.texts(plan) for plan in block]
    vectors = embedder.embed([text for both in texts for text in (both.title, both.body)])
    for row, plan in enumerate(block):
        corpus.upsert(engine.features(plan, vectors[2 * row], vectors[2 * row + 1] if texts[row].body else None))


def _partners(chosen: Sequence[Features], corpus: Corpus, engine: Engine) -> dict[str, Any]:
    """Partners a plan in all, by band and of other needs than the plan's own; and what nearly was one."""
    bands: Counter[str] = Counter()
    a_plan, strangers, judged, near = [], 0, 0, 0
    for one in chosen:
        judged += len(corpus_search.candidates(one, corpus, AS_OF, engine.policy))
        found = {partner: corpus.get(partner) for partner in engine.search(one, corpus, AS_OF)}
        a_plan.append(len(found))
        bands.update(score_pair(one, other, AS_OF, engine.policy).band.value for other in found.values() if other)
        own = need_number(one.plan.plan_id)
        strangers += sum(need_number(partner) != own for partner in found)
        near += _out_of_time(one, corpus, engine)
    size = len(chosen)
    return {
        "partners_a_plan": round(float(np.mean(a_plan)), 3),
        "standard_error": round(float(np.std(a_plan) / size**0.5), 3),
        "partners_at": _quantiles(a_plan),
        "by_band": {band: round(bands[band] / size, 3) for band in ("notify", "digest", "feed")},
        "of_another_need": round(strangers / size, 3),
        "like_enough_but_no_common_window": round(near / size, 3),
        "judged_one_by_one": round(judged / size, 3),
    }


def _out_of_time(one: Features, corpus: Corpus, engine: Engine) -> int:
    """How many plans are alike enough for the feed band and have no day in common."""
    rows, bounds = corpus_search.bounds_by_specification(one, corpus, engine.policy)
    found = 0
    least = engine.policy.bands.feed / 100.0
    for row in rows[bounds >= least]:
        other = corpus.get(corpus.plan_ids[row])
        if other is not None and other is not one:
            judged = score_pair(one, other, AS_OF, engine.policy)
            found += judged.specification >= least and any(gate.code == "no-common-window" for gate in judged.gates)
    return found


def _quantiles(values: Sequence[int]) -> dict[str, float]:
    return {f"p{share}": float(value) for share, value in zip(_SHARES, np.percentile(values, _SHARES), strict=True)}
