"""Measures what scoring costs: `python -m tests.bench.scoring [PLANS.jsonl]` prints one JSON line.

Without a file it makes plans of its own. Counts are the same on every machine; seconds are this machine's.
"""

import json
import random
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from matching.candidates import corpus_search
from matching.encoders.loading import load_embedder
from matching.engine import Engine, Features
from matching.plan import Plan, Window
from matching.reference import authorities, cpv_labels
from services.cli.offline import default_cache, features_of_plans, read_plans
from tests.unit.matching.builders import EMBEDDER, features

AS_OF = date(2026, 11, 22)
QUERIES = 200


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


def main() -> None:
    """Prints the measurement, of a file's plans by the default model or of invented ones by the stand-in."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    embedder = load_embedder() if file else EMBEDDER
    engine = Engine.load(model=embedder.model)
    if file:
        every = features_of_plans(read_plans(file), engine, embedder, default_cache())
    else:
        every = [features(plan, engine) for plan in invented(3000)]
    print(json.dumps(measure(engine, every, QUERIES)))


if __name__ == "__main__":
    main()
