"""`jointly evaluate`: measures how well a policy ranks and bands judged pairs, optionally against another policy."""

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from matching.assessment import Band
from matching.corpus_statistics import Statistics, StatisticsError
from matching.embedding import Embedder, EmbeddingError
from matching.encoders.loading import load_embedder
from matching.engine import Engine
from matching.plan import Plan
from matching.policy import Policy, PolicyError
from matching.scorer import Scorer, ScorerError
from services.cli.offline import PlanFileError, corpus_of, default_cache, features_of_plans, read_plans, say
from services.cli.pairs import Pair, PairOutcome, features_of_pairs, pair_numbers, pair_table, read_pairs

Judgements = Mapping[str, Mapping[str, int]]
Ranking = Sequence[tuple[str, Band]]
Numbers = dict[str, Any]

_RIGHT = 2
_DEPTH = 100
_SAMPLES = 2000
# The requirement does not depend on the day.
_ANY_DAY = date.min


def evaluate(
    plans: Annotated[Path, typer.Option(help="Plan payloads, one JSON object a line.")],
    judgements: Annotated[
        Path | None, typer.Option(help="Grades 0 to 3: {query plan: {candidate plan: grade}}.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Labelled pairs, JSONL: two plans (a, b), and sign: would a reader bring the buyers together?"
        ),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file; default: the shipped one.")] = None,
    against: Annotated[Path | None, typer.Option(help="Another policy file to compare with the first.")] = None,
    scorer: Annotated[Path | None, typer.Option(help="Scorer file; default: the shipped one.")] = None,
    against_scorer: Annotated[
        Path | None, typer.Option(help="Another scorer file, with the policy of --against, else that of --policy.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    statistics: Annotated[Path | None, typer.Option(help="Statistics file; default: the shipped one.")] = None,
    model: Annotated[str, typer.Option(help="Embedding model: a name, a folder, or 'hashing'.")] = "",
    cache: Annotated[Path | None, typer.Option(help="Cache file for embeddings.")] = None,
) -> None:
    """Print the quality of one policy, or of two side by side: of its rankings and bands by `--judgements`, with 90 %
    intervals over queries; of its scores, bands and calibration by `--pairs`."""
    try:
        if (judgements is None) == (pairs is None):
            raise PlanFileError("give either --judgements or --pairs")
        every = read_plans(plans)
        embedder, counted = load_embedder(model), Statistics.load(statistics)
        chosen = [Policy.load(policy, Scorer.load(scorer))]
        if against or against_scorer:
            chosen.append(Policy.load(against or policy, Scorer.load(against_scorer or scorer)))
        found = {}
        for one in chosen:
            engine = Engine.load(policy=one, statistics=counted, model=embedder.model)
            if judgements is not None:
                judged = read_judgements(judgements)
                run = ranked(engine, every, judged, embedder, cache or default_cache())
                found[one.version] = numbers_of(run, judged)
            elif pairs is not None:
                scored = outcomes(engine, every, read_pairs(pairs, judged=True), embedder, cache or default_cache())
                found[one.version] = pair_numbers(scored)
    except (PlanFileError, PolicyError, ScorerError, StatisticsError, EmbeddingError) as error:
        say(str(error))
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(align_columns(pair_table(found) if pairs else judgement_table(found)))


def read_judgements(path: Path) -> Judgements:
    """Read the grades of a file. Raises PlanFileError if it has another form."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlanFileError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(content, dict) or not all(
        isinstance(grades, dict) and all(type(g) is int and 0 <= g <= 3 for g in grades.values())
        for grades in content.values()
    ):
        raise PlanFileError(f"{path} must be an object of objects with grades 0 to 3: query, candidate, grade")
    return content


def ranked(
    engine: Engine, plans: Sequence[Plan], judged: Judgements, embedder: Embedder, cache: Path
) -> dict[str, Ranking]:
    """Return the best hundred partners of each judged plan by specification, including gated ones, each with its
    band."""
    features = features_of_plans(plans, engine, embedder, cache)
    corpus = corpus_of(features, engine)
    found: dict[str, Ranking] = {}
    for one in features:
        own = one.plan.plan_id
        if own in judged:
            best = engine.top_partners(one, corpus, _ANY_DAY, top=_DEPTH, by_specification=True)
            order = sorted(best, key=lambda a: (-a.specification.value, _other(a.plans, own)))
            found[own] = [(_other(a.plans, own), a.specification_band) for a in order]
    if not found:
        raise PlanFileError("none of the judged plans is in the plan file")
    return found


def outcomes(
    engine: Engine, plans: Sequence[Plan], judged: Sequence[Pair], embedder: Embedder, cache: Path
) -> list[PairOutcome]:
    """Return the engine's assessment of each judged pair's requirement. Raises PlanFileError if the file lacks a
    plan."""
    features = features_of_pairs(plans, judged, engine, embedder, cache)
    found = []
    for pair in judged:
        assessment = engine.assess(features[pair.a], features[pair.b], _ANY_DAY)
        found.append(PairOutcome(pair, assessment.specification.value, assessment.specification_band))
    return found


def _other(pair: tuple[str, str], own: str) -> str:
    return pair[1] if pair[0] == own else pair[0]


def numbers_of(run: Mapping[str, Ranking], judged: Judgements) -> Numbers:
    """Compute means over the queries with a right candidate (grade 2 or 3), with intervals, and the precision of the
    bands."""
    rows = [
        of_query(grades, [candidate for candidate, _ in run.get(query, ())])
        for query, grades in judged.items()
        if any(grade >= _RIGHT for grade in grades.values())
    ]
    out: Numbers = {"queries": len(rows)}
    for key in rows[0] if rows else ():
        values = [row[key] for row in rows]
        out[key] = round(sum(values) / len(values), 4)
        out[f"{key} 90%"] = interval(values)
    bands = {(query, candidate): band for query, ranking in run.items() for candidate, band in ranking}
    pairs = [
        (bands.get((query, candidate), Band.NONE), grade >= _RIGHT)
        for query, grades in judged.items()
        for candidate, grade in grades.items()
    ]
    out["notify"] = band_numbers(pairs, lambda band: band is Band.NOTIFY)
    out["notify+digest"] = band_numbers(pairs, lambda band: band in (Band.NOTIFY, Band.DIGEST))
    return out


def of_query(grades: Mapping[str, int], ranking: Sequence[str]) -> dict[str, float]:
    """Compute nDCG@10 (gain 2^grade - 1), P@1, recall@10, average precision, and the judged share of the first ten.

    A candidate without a judgement counts as grade 0.
    """
    got = [grades.get(candidate, 0) for candidate in ranking]
    ideal = sorted(grades.values(), reverse=True)
    relevant = sum(grade >= _RIGHT for grade in ideal)
    hits, precision = 0, 0.0
    for place, grade in enumerate(got, 1):
        if grade >= _RIGHT:
            hits += 1
            precision += hits / place
    return {
        "ndcg@10": _gain(got[:10]) / _gain(ideal[:10]),
        "p@1": float(bool(got) and got[0] >= _RIGHT),
        "recall@10": sum(grade >= _RIGHT for grade in got[:10]) / min(10, relevant),
        "ap": precision / relevant,
        "judged@10": sum(candidate in grades for candidate in ranking[:10]) / 10,
    }


def _gain(grades: Sequence[int]) -> float:
    return sum((2.0**grade - 1.0) / math.log2(place + 2) for place, grade in enumerate(grades))


def interval(values: Sequence[float]) -> list[float]:
    """Return the 90 % bootstrap interval of a mean, from 2,000 resamples with a fixed seed."""
    rng = random.Random(0)  # noqa: S311 (a reproducible resample, not a secret)
    means = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(_SAMPLES))
    return [round(means[100], 3), round(means[1899], 3)]


def band_numbers(pairs: Sequence[tuple[Band, bool]], chosen: Callable[[Band], bool]) -> Numbers:
    """Count a band's judged pairs and its right ones, and compute its share of all right ones."""
    said = [right for band, right in pairs if chosen(band)]
    right = sum(is_right for _, is_right in pairs)
    return {
        "pairs": len(said),
        "precision": round(sum(said) / max(1, len(said)), 4),
        "recall": round(sum(said) / max(1, right), 4),
    }


def judgement_table(found: Mapping[str, Numbers]) -> list[list[str]]:
    """Format the numbers as rows of cells, one policy a column."""
    rows = [["", *found]]
    first = next(iter(found.values()))
    for key in first:
        if key.endswith(" 90%"):
            continue
        cells = []
        for numbers in found.values():
            value = numbers[key]
            if isinstance(value, dict):
                cells.append(
                    f"precision {value['precision']:.3f}, recall {value['recall']:.3f} ({value['pairs']} pairs)"
                )
            elif f"{key} 90%" in numbers:
                low, high = numbers[f"{key} 90%"]
                cells.append(f"{value:.3f} ({low:.3f} to {high:.3f})")
            else:
                cells.append(str(value))
        rows.append([key, *cells])
    return rows


def align_columns(rows: Sequence[Sequence[str]]) -> str:
    """Format rows of cells as text, each column as wide as its widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


if __name__ == "__main__":
    typer.run(evaluate)
