"""`jointly score`: the best partners of each plan of a file, as JSONL; needs neither broker nor database."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from matching.assessment import Assessment, NearestMove
from matching.corpus_statistics import Statistics, StatisticsError
from matching.embedding import Embedder, EmbeddingError
from matching.encoders.loading import load_embedder
from matching.engine import Engine
from matching.plan import Plan
from matching.policy import Policy, PolicyError
from matching.scorer import Scorer, ScorerError
from services.cli.days import DAY, read_day
from services.cli.offline import PlanFileError, corpus_of, default_cache, features_of_plans, read_plans, say
from services.cli.pairs import Pair, features_of_pairs, read_pairs
from services.platform.clock import today


class By(StrEnum):
    """The order of partners."""

    SCORE = "score"
    SPECIFICATION = "specification"


def score(
    plans: Annotated[Path, typer.Option(help="Plan payloads, one JSON object a line.")],
    plan: Annotated[list[str] | None, typer.Option(help="Only this plan; repeatable.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Only these pairs, JSONL: two plans a line (a and b, or plan and partner).")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of partners of each plan.")] = 10,
    by: Annotated[
        By, typer.Option(help="Rank by the full score, or by the requirement alone, including gated pairs.")
    ] = By.SCORE,
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=read_day, metavar=DAY, help="Day to assess on (YYYY-MM-DD); default: today."),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file; default: the shipped one.")] = None,
    scorer: Annotated[Path | None, typer.Option(help="Scorer file; default: the shipped one.")] = None,
    statistics: Annotated[Path | None, typer.Option(help="Statistics file; default: the shipped one.")] = None,
    model: Annotated[str, typer.Option(help="Embedding model: a name, a folder, or 'hashing'.")] = "",
    cache: Annotated[Path | None, typer.Option(help="Cache file for embeddings.")] = None,
) -> None:
    """Print the best partners of each plan, or the pairs of a file, as JSONL, without broker or database."""
    day, kept = today(as_of.date() if as_of else None), cache or default_cache()
    try:
        # Files come first: a model takes seconds to load, and a wrong file name should not wait for it.
        given, asked = _read_known(plans, plan), None if pairs is None else read_pairs(pairs)
        embedder = load_embedder(model)
        rules = Policy.load(policy, Scorer.load(scorer))
        engine = Engine.load(policy=rules, statistics=Statistics.load(statistics), model=embedder.model)
        if asked is not None:
            _score_pairs(given, asked, engine, embedder, day, kept)
        else:
            _score_plans(given, plan, top, by, engine, embedder, day, kept)
    except (PlanFileError, PolicyError, ScorerError, StatisticsError, EmbeddingError) as error:
        say(str(error))
        raise typer.Exit(2) from error


def _read_known(path: Path, wanted: Sequence[str] | None) -> list[Plan]:
    """The plans of the file. Raises PlanFileError if a wanted one is missing."""
    plans = read_plans(path)
    if unknown := set(wanted or ()) - {plan.plan_id for plan in plans}:
        raise PlanFileError(f"{path} holds no plan {', '.join(sorted(unknown))}")
    return plans


def _score_plans(
    plans: Sequence[Plan],
    wanted: list[str] | None,
    top: int,
    by: By,
    engine: Engine,
    embedder: Embedder,
    as_of: date,
    cache: Path,
) -> None:
    features = features_of_plans(plans, engine, embedder, cache)
    corpus = corpus_of(features, engine)
    chosen = [f for f in features if not wanted or f.plan.plan_id in wanted]
    for number, query in enumerate(chosen, 1):
        best = engine.top_partners(query, corpus, as_of, top=top, by_specification=by is By.SPECIFICATION)
        for assessment in best:
            typer.echo(json.dumps(row_of(query.plan.plan_id, assessment), ensure_ascii=False))
        if number % 100 == 0 or number == len(chosen):
            say(f"scored {number} of {len(chosen)} plans against {len(corpus)}")


def _score_pairs(
    plans: Sequence[Plan], pairs: Sequence[Pair], engine: Engine, embedder: Embedder, as_of: date, cache: Path
) -> None:
    """Print every pair in the order of the file, including gated ones."""
    features = features_of_pairs(plans, pairs, engine, embedder, cache)
    for pair in pairs:
        assessment = engine.assess(features[pair.a], features[pair.b], as_of)
        typer.echo(json.dumps(row_of(pair.a, assessment), ensure_ascii=False))


def row_of(plan_id: str, found: Assessment) -> dict[str, Any]:
    """Build one line of output: the plan, its partner, and the engine's assessment."""
    window = found.common_window
    return {
        "plan": plan_id,
        "partner": found.plans[1] if found.plans[0] == plan_id else found.plans[0],
        "specification": found.specification.value,
        "timing": found.timing.value,
        "region": found.region.value,
        "value": found.value.value,
        "score": found.score,
        "band": found.band.value,
        "specification_band": found.specification_band.value,
        "gates": [gate.code for gate in found.gates],
        "reasons": [*found.reasons, *(gate.sentence for gate in found.gates)],
        "would_change": list(found.would_change),
        "common_window": [window.earliest.isoformat(), window.latest.isoformat()] if window else None,
        "decide_by": found.decide_by.isoformat() if found.decide_by else None,
        "nearest_move": _move(found.nearest_move),
    }


def _move(move: NearestMove | None) -> dict[str, Any] | None:
    if move is None:
        return None
    window = move.common_window
    return {
        "plan": move.plan_id,
        "months": move.months,
        "common_window": [window.earliest.isoformat(), window.latest.isoformat()],
    }


if __name__ == "__main__":
    typer.run(score)
