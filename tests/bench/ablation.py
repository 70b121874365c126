"""What each ingredient of the specification is worth: quality with it left out, and with it alone.

`python -m tests.bench.ablation --plans FILE --judgements FILE` prints the table of docs/matching.md.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from matching.encoders.loading import load_embedder
from matching.engine import Engine
from matching.policy import Policy
from services.cli.evaluate import numbers_of, ranked, read_judgements
from services.cli.offline import default_cache, read_plans

INGREDIENTS = {
    "meaning": "dense",
    "title words": "title_terms",
    "all words": "all_terms",
    "pairs of words": "phrases",
    "needs": "concepts",
    "CPV from text": "profile",
    "title letters": "fuzzy",
    "CPV given": "cpv",
    "telling needs": "needs",
    "nature": "nature",
    "readiness": "readiness",
    "length of the descriptions": "described",
    "likeness of the values": "value_likeness",
    "size of the values": "value_size",
}
COLUMNS = ("ndcg@10", "p@1", "recall@10", "ap", "judged@10")


def variants(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """The policy, then each ingredient left out, then the strongest alone."""
    yield "shipped policy", policy
    for name, weight in INGREDIENTS.items():
        yield f"without {name}", _with(policy, **{weight: 0.0})
    yield "without synonyms", replace(policy, synonyms={})
    words_alone = replace(policy.specification, body_share=0.0)
    yield "without the description in meaning", replace(policy, specification=words_alone)
    for name, weight in INGREDIENTS.items():
        others = {other: 0.0 for other in INGREDIENTS.values() if other != weight}
        yield f"{name} alone", _with(policy, **others)


def _with(policy: Policy, **weights: float) -> Policy:
    changed = replace(policy.scorer, weights=replace(policy.scorer.weights, **weights))
    return replace(policy, scorer=changed)


def main() -> None:
    """Prints the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=Path, required=True)
    parser.add_argument("--judgements", type=Path, required=True)
    given = parser.parse_args()
    plans, judged = read_plans(given.plans), read_judgements(given.judgements)
    embedder = load_embedder("")
    print("| |", " | ".join(COLUMNS), "|\n|---|" + "---|" * len(COLUMNS))
    for name, policy in variants(Policy.load()):
        engine = Engine.load(policy=policy, model=embedder.model)
        found = numbers_of(ranked(engine, plans, judged, embedder, default_cache()), judged)
        cells = [f"{found[column]:.2f}".removeprefix("0") for column in COLUMNS]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
