"""`jointly fit`: fits and calibrates the scorer to judged pairs, and measures it on unseen plans."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from matching import fitting, scorer
from matching.assessment import Band
from matching.components.specification import logistic
from matching.corpus_statistics import Statistics, StatisticsError
from matching.embedding import EmbeddingError
from matching.encoders.loading import load_embedder
from matching.engine import Engine, Features
from matching.fitting import Example
from matching.pair_scoring import band_of_requirement
from matching.policy import Policy, PolicyError
from matching.scorer import Scorer, ScorerError
from services.cli.evaluate import align_columns, read_judgements
from services.cli.offline import PlanFileError, default_cache, features_of_plans, read_plans, say
from services.cli.pairs import Pair, PairOutcome, pair_numbers, pair_table, read_pairs
from services.platform.files import SHARED, write_atomically

_FOLDS = 5
# The share of pairs of each grade that readers sign (from 2,672 pairs with both).
_SIGNED_BY_GRADE = {0: 0.0, 1: 0.0, 2: 0.75, 3: 0.98}
_GRADED_COUNTS = 0.5
_DRAWN_COUNTS = 0.2

Numbers = dict[str, Any]


def fit(
    plans: Annotated[Path, typer.Option(help="Plan payloads, one JSON object a line.")],
    pairs: Annotated[Path, typer.Option(help="Labelled pairs, JSONL: two plans (a, b), sign, and nature_a, nature_b.")],
    output: Annotated[Path, typer.Option(help="Output file for the scorer.")],
    judgements: Annotated[
        Path | None, typer.Option(help="Grades 0 to 3 as well: {query plan: {candidate plan: grade}}.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the scorer.")] = "own",
    seeds: Annotated[int, typer.Option(min=1, help="Number of random splits of the plans for testing.")] = 3,
    policy: Annotated[Path | None, typer.Option(help="Policy file; default: the shipped one.")] = None,
    statistics: Annotated[Path | None, typer.Option(help="Statistics file; default: the shipped one.")] = None,
    model: Annotated[str, typer.Option(help="Embedding model: a name, a folder, or 'hashing'.")] = "",
    cache: Annotated[Path | None, typer.Option(help="Cache file for embeddings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Fit the scorer to judged pairs and write it; print its quality on pairs of unseen plans."""
    try:
        # Read the small files first: nobody should wait for an encoder to learn that a line is invalid.
        judged, graded = read_pairs(pairs, judged=True), read_judgements(judgements) if judgements else {}
        embedder, rules = load_embedder(model), Policy.load(policy)
        engine = Engine.load(policy=rules, statistics=Statistics.load(statistics), model=embedder.model)
        features = features_of_plans(read_plans(plans), engine, embedder, cache or default_cache())
        by_id = {f.plan.plan_id: f for f in features}
        examples = [_example(pair, by_id) for pair in judged]
        others = [*_graded(graded, by_id), *_drawn(features, len(judged))]
    except (PlanFileError, PolicyError, ScorerError, StatisticsError, EmbeddingError) as error:
        say(str(error))
        raise typer.Exit(2) from error
    outcomes, logits = [], []
    for seed in range(seeds):
        tested = _cross_validate(examples, others, judged, rules, seed)
        outcomes += [outcome for outcome, _ in tested]
        logits += [logit for _, logit in tested]
    if len({outcome.pair.sign for outcome in outcomes}) < 2:
        say("too few pairs to test on unseen plans: judge some hundred more")
        raise typer.Exit(2)
    signs = np.array([bool(outcome.pair.sign) for outcome in outcomes])
    whole = fitting.calibrated(fitting.fit([*examples, *others], rules, name), np.array(logits), signs)
    whole = fitting.with_categories(whole, features, rules)
    numbers = _renewed(outcomes, np.array(logits), signs, rules)
    write_atomically(output, _text(whole, name, numbers, len(judged), len(others), seeds), SHARED)
    say(f"wrote {output}")
    typer.echo(json.dumps(numbers) if as_json else align_columns(pair_table({name: numbers})))


def _example(pair: Pair, by_id: Mapping[str, Features]) -> Example:
    for end in (pair.a, pair.b):
        if end not in by_id:
            raise PlanFileError(f"the plan file holds no plan {end}, which a pair names")
    return Example(by_id[pair.a], by_id[pair.b], float(bool(pair.sign)), natures=pair.natures)


def _graded(judged: Mapping[str, Mapping[str, int]], by_id: Mapping[str, Features]) -> list[Example]:
    """Convert graded candidates to pairs: the grade gives the likelihood that a reader would sign."""
    return [
        Example(by_id[query], by_id[candidate], _SIGNED_BY_GRADE[grade], _GRADED_COUNTS)
        for query, grades in judged.items()
        for candidate, grade in grades.items()
        if query in by_id and candidate in by_id
    ]


def _drawn(features: Sequence[Features], count: int) -> list[Example]:
    """Draw random pairs, which are almost never right. The judged pairs were drawn among likely ones."""
    rng = random.Random(0)  # noqa: S311 (a reproducible draw, not a secret)
    drawn = [rng.sample(range(len(features)), 2) for _ in range(count)] if len(features) > 1 else []
    return [Example(features[i], features[j], 0.0, _DRAWN_COUNTS) for i, j in drawn]


def _cross_validate(
    examples: Sequence[Example], others: Sequence[Example], judged: Sequence[Pair], policy: Policy, seed: int
) -> list[tuple[PairOutcome, float]]:
    """Cross-validate: the fits' scores of pairs whose plans they have not seen, with the plans in five parts."""
    pair_of = {id(example): pair for example, pair in zip(examples, judged, strict=True)}
    found = []
    for number, (seen, test) in enumerate(fitting.folds(examples, _FOLDS, seed), 1):
        if not seen or not test:
            continue
        unseen = {f.plan.plan_id for e in examples for f in (e.a, e.b)} - {
            f.plan.plan_id for e in seen for f in (e.a, e.b)
        }
        beside = [e for e in others if not {e.a.plan.plan_id, e.b.plan.plan_id} & unseen]
        fitted = replace(policy, scorer=fitting.fit([*seen, *beside], policy, "fold"))
        for example, logit in zip(test, fitting.logits_of(test, fitted), strict=True):
            a, b = (fitting.with_scorer(f, fitted.scorer) for f in (example.a, example.b))
            highest = band_of_requirement(a, b, Band.NOTIFY, policy)
            found.append((PairOutcome(pair_of[id(example)], 0.0, highest), float(logit)))
        say(f"seed {seed}, part {number} of {_FOLDS}: fitted to {len(seen)} pairs, tested on {len(test)}")
    return found


def _renewed(outcomes: Sequence[PairOutcome], logits: fitting.Floats, signs: Any, policy: Policy) -> Numbers:
    """Calibrate the scores of unseen pairs to probabilities. The band of each is the highest that its gates and limits
    allow."""
    slope, offset = fitting.calibration_of(logits, signs)
    scores = [logistic(slope * z + offset) for z in logits]
    return pair_numbers(
        [
            PairOutcome(outcome.pair, score, policy.bands.of(100.0 * score).at_most(outcome.band))
            for outcome, score in zip(outcomes, scores, strict=True)
        ]
    )


def _text(whole: Scorer, name: str, numbers: Numbers, pairs: int, others: int, seeds: int) -> str:
    card = {
        "made by": "jointly fit",
        "judged pairs": pairs,
        "graded and drawn pairs": others,
        "unseen plans": f"{_FOLDS} parts, {seeds} seeds",
        "all": numbers["all"],
        "councils": numbers["councils"],
    }
    return scorer.dumps(name, card, whole)
