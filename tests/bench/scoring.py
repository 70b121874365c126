"""Measures what scoring costs: `python -m tests.bench.scoring [PLANS.jsonl]` prints one JSON line.

Without a file it makes plans of its own. Counts are the same on every machine; seconds are this machine's.
`event` is what a matcher computes for one plan, without encoder and database, with near misses and without them.
"""

import json
import random
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from matching.candidates import corpus_search
from matching.candidates.plan_index import PlanIndex
from matching.encoders.loading import load_embedder
from matching.engine import Engine, Features
from matching.plan import Plan, Window
from matching.reference import authorities, cpv_labels
from services.cli.offline import default_cache, features_of_plans, read_plans
from tests.support.policies import with_changes
from tests.unit.matching.builders import EMBEDDER, features

AS_OF = date(2026, 11, 22)
QUERIES = 200
ROUNDS = 5


def invented(count: int, seed: int = 1) -> list[Plan]:
    """Plans titled after CPV labels, of standing authorities, spread over two years."""
    rng = random.Random(seed)
    labels = sorted((code, label) for code, label in cpv_labels().items() if code.endswith("000"))
    standing = [known.code for known in authorities() if known.end is None]
    found = []
    for number in range(count):
        (code, label), (_, other) = rng.choice(labels), rng.choice(labels)
        start = AS_OF + timedelta(days=rng.randrange(30, 700))
        authority = rng.choice(standing)
        found.append(
            Plan(
                plan_id=f"{authority}:B-{number}",
                revision=1,
                authority=authority,
                title=label,
                description=f"{label} for the whole area, with {other.lower()} where it is needed.",
                tender_window=Window(start, start + timedelta(days=rng.randrange(30, 200))),
                cpv=(code,) if rng.random() < 0.5 else (),
                value=rng.choice([None, 40_000.0, 400_000.0]),
            )
        )
    return found


def measure(engine: Engine, every: list[Features], queries: int) -> dict[str, Any]:
    """Searches so many plans among all: pairs, pairs judged one by one, opportunities, and seconds."""
    corpus = engine.corpus()
    started = time.perf_counter()
    for one in every:
        corpus.upsert(one)
    put = time.perf_counter() - started
    chosen = random.Random(2).sample(every, min(queries, len(every)))
    # The first search fills the tables of places and code lists, as a matcher does once when it starts.
    judged = sum(len(corpus_search.candidates(one, corpus, AS_OF, engine.policy)) for one in chosen)
    started = time.perf_counter()
    opportunities = sum(len(engine.search(one, corpus, AS_OF)) for one in chosen)
    seconds = time.perf_counter() - started
    pairs = len(chosen) * len(every)
    return {
        "plans": len(every),
        "pairs": pairs,
        "judged_one_by_one": judged,
        "opportunities": opportunities,
        "seconds": round(seconds, 3),
        "pairs_per_second": round(pairs / seconds),
        "puts_per_second": round(len(every) / put),
    }


def events(engine: Engine, every: list[Features], queries: int) -> dict[str, Any]:
    """Searches and assesses so many plans as a matcher does: candidates and opportunities a plan, and its seconds."""
    index, by_id = PlanIndex(), {one.plan.plan_id: one for one in every}
    index.upsert([engine.index_entry(one) for one in every])
    chosen = random.Random(2).sample(every, min(queries, len(every)))
    asking = [engine.index_query(one, engine.pair_vector(one)) for one in chosen]
    started = time.process_time()
    candidates = [
        (one, by_id[other])
        for one, found in zip(chosen, index.search(asking, AS_OF.toordinal(), engine.policy), strict=True)
        for other in sorted(found)
        if other != one.plan.plan_id
    ]
    searched = time.process_time() - started
    assessed = [
        engine.assess_if_opportunity(one, other, AS_OF, alike)
        for one, other in candidates
        if not (alike := engine.similarity(one, other)).can_never_match
    ]
    seconds = time.process_time() - started
    near = sum(not _meet(one, other) for one, other in candidates)
    told = [found for found in assessed if found is not None]
    moves = sum(found.nearest_move is not None for found in told)
    return {
        "candidates": len(candidates) / len(chosen),
        "of them near misses": near / len(chosen),
        "opportunities": len(told) / len(chosen),
        "opportunities that are near misses": moves / len(chosen),
        "search_ms": 1000 * searched / len(chosen),
        "ms": 1000 * seconds / len(chosen),
    }


def _meet(one: Features, other: Features) -> bool:
    return min(one.span.flexible, other.span.flexible) >= max(one.span.earliest, other.span.earliest)


def event_cost(engine: Engine, every: list[Features], queries: int) -> dict[str, Any]:
    """The cheapest of some rounds with near misses and without, in turn, so that both see the same machine."""
    rules = replace(engine.policy.timing, near_miss_days=0)
    engines = {"with": engine, "without": replace(engine, policy=with_changes(engine.policy, timing=rules))}
    rounds = [{name: events(one, every, queries) for name, one in engines.items()} for _ in range(ROUNDS)]
    cheapest = {name: min((each[name] for each in rounds), key=lambda found: found["ms"]) for name in engines}
    found = {name: {key: round(value, 2) for key, value in one.items()} for name, one in cheapest.items()}
    return {**found, "ratio": round(cheapest["with"]["ms"] / cheapest["without"]["ms"], 2)}


def main() -> None:
    """Prints the measurement, of a file's plans by the default model or of invented ones by the stand-in."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    embedder = load_embedder() if file else EMBEDDER
    engine = Engine.load(model=embedder.model)
    if file:
        every = features_of_plans(read_plans(file), engine, embedder, default_cache())
    else:
        every = [features(plan, engine) for plan in invented(3000)]
    print(json.dumps(measure(engine, every, QUERIES) | {"event": event_cost(engine, every, QUERIES)}))


if __name__ == "__main__":
    main()
