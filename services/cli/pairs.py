"""Pairs of plans from a file, and measures of how well an engine orders and bands judged ones."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matching.assessment import Band
from matching.embedding import Embedder
from matching.engine import Engine, Features
from matching.plan import Plan
from services.cli.offline import PlanFileError, features_of_plans, numbered_lines

Numbers = dict[str, Any]

_RECALLS = (30, 50, 70)
_BINS = 10
_ENDS = (("a", "b"), ("plan", "partner"))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two plan ids from a file. `sign`: whether a reader would bring the two buyers together, None without a judgement;
    `natures`: what each side buys in the reader's view, empty if not given."""

    a: str
    b: str
    sign: bool | None = None
    natures: tuple[str, str] = ("", "")

    @property
    def is_of_councils(self) -> bool:
        """Return whether both plans are of councils: their authorities have ONS codes (a letter and digits)."""
        return all(end.partition(":")[0][1:].isdigit() for end in (self.a, self.b))


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """The engine's assessment of a judged pair: `score` from 0 to 1 for the requirement, and its band."""

    pair: Pair
    score: float
    band: Band


def read_pairs(path: Path, *, judged: bool = False) -> list[Pair]:
    """Read the pairs of a JSONL file: `{"a": ID, "b": ID}` or `{"plan": ID, "partner": ID}`, with `"sign": true` or
    `false` for judged ones. Raises PlanFileError that names the line; with `judged`, also if `sign` is missing."""
    found = []
    for number, line in numbered_lines(path):
        try:
            found.append(_pair(json.loads(line), judged=judged))
        except ValueError as error:
            raise PlanFileError(f"{path}, line {number}: not a pair: {error}") from error
    if not found:
        raise PlanFileError(f"{path} holds no pairs")
    return found


def _pair(content: object, *, judged: bool) -> Pair:
    if not isinstance(content, dict):
        raise ValueError("each line must be an object")
    ends = next(((content[x], content[y]) for x, y in _ENDS if x in content and y in content), None)
    if ends is None or not all(isinstance(end, str) and end for end in ends) or ends[0] == ends[1]:
        raise ValueError('name two different plans, as "a" and "b" or as "plan" and "partner"')
    sign = content.get("sign")
    if (judged or sign is not None) and not isinstance(sign, bool):
        raise ValueError('"sign" must be true or false')
    return Pair(*ends, sign=sign, natures=(str(content.get("nature_a") or ""), str(content.get("nature_b") or "")))


def features_of_pairs(
    plans: Sequence[Plan], pairs: Sequence[Pair], engine: Engine, embedder: Embedder, cache: Path
) -> dict[str, Features]:
    """Return the features of every plan in the pairs, by id. Raises PlanFileError if a plan is not among `plans`."""
    by_id = {plan.plan_id: plan for plan in plans}
    named = sorted({end for pair in pairs for end in (pair.a, pair.b)})
    missing = [plan_id for plan_id in named if plan_id not in by_id]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise PlanFileError(f"the plan file holds no plan {', '.join(missing[:3])}{more}, which a pair names")
    features = features_of_plans([by_id[plan_id] for plan_id in named], engine, embedder, cache)
    return dict(zip(named, features, strict=True))


def pair_numbers(outcomes: Sequence[PairOutcome]) -> Numbers:
    """Measure the quality over all judged pairs, over those of councils, and the calibration of the scores."""
    return {
        "all": _quality(outcomes),
        "councils": _quality([one for one in outcomes if one.pair.is_of_councils]),
        "calibration": calibration([(one.score, bool(one.pair.sign)) for one in outcomes]),
    }


def _quality(outcomes: Sequence[PairOutcome]) -> Numbers:
    signed = sum(bool(one.pair.sign) for one in outcomes)
    if not 0 < signed < len(outcomes):
        return {"pairs": len(outcomes), "signed": signed}
    ranked = sorted(outcomes, key=lambda one: -one.score)
    precisions = _precisions([bool(one.pair.sign) for one in ranked])
    numbers: Numbers = {
        "pairs": len(outcomes),
        "signed": signed,
        "ap": round(sum(precision for precision, hit in precisions if hit) / signed, 4),
        "auc": round(_auc(ranked), 4),
    }
    hits = [precision for precision, hit in precisions if hit]
    for share in _RECALLS:
        # The first rank at which this many signed pairs have been found is always a hit.
        numbers[f"p@r{share}"] = round(hits[-(-share * signed // 100) - 1], 3)
    numbers["notify"] = _band(outcomes, signed, lambda band: band is Band.NOTIFY)
    numbers["notify+digest"] = _band(outcomes, signed, lambda band: band in (Band.NOTIFY, Band.DIGEST))
    return numbers


def _precisions(signs: Sequence[bool]) -> list[tuple[float, bool]]:
    """Yield the precision after each rank, and whether that rank is a hit."""
    found, hits = [], 0
    for place, sign in enumerate(signs, 1):
        hits += sign
        found.append((hits / place, sign))
    return found


def _auc(ranked: Sequence[PairOutcome]) -> float:
    """Compute how often a signed pair scores higher than an unsigned one; equal scores count half (AUC)."""
    wins = above = at = 0.0
    signed_at = 0
    signed = sum(bool(one.pair.sign) for one in ranked)
    last: float | None = None
    for one in reversed(ranked):
        if one.score != last:
            wins += signed_at * (above + at / 2)
            above, at, signed_at, last = above + at, 0.0, 0, one.score
        if one.pair.sign:
            signed_at += 1
        else:
            at += 1
    wins += signed_at * (above + at / 2)
    return wins / (signed * (len(ranked) - signed))


def _band(outcomes: Sequence[PairOutcome], signed: int, chosen: Callable[[Band], bool]) -> Numbers:
    inside = [bool(one.pair.sign) for one in outcomes if chosen(one.band)]
    right = sum(inside)
    return {
        "pairs": len(inside),
        "signed": round(right / len(inside), 3) if inside else None,
        "of all signed": round(right / signed, 3),
    }


def calibration(scored: Sequence[tuple[float, bool]]) -> Numbers:
    """Compute ten bins of the score: pairs, mean score and signed share of each; `error` is the mean distance between
    the two over all pairs, `brier` the mean squared error of the scores."""
    bins: list[Numbers] = []
    distance = 0.0
    for number in range(_BINS):
        inside = [pair for pair in scored if min(int(pair[0] * _BINS), _BINS - 1) == number]
        if not inside:
            continue
        mean = sum(score for score, _ in inside) / len(inside)
        share = sum(sign for _, sign in inside) / len(inside)
        distance += abs(mean - share) * len(inside)
        bins.append({"from": number / _BINS, "pairs": len(inside), "score": round(mean, 3), "signed": round(share, 3)})
    count = max(1, len(scored))
    return {
        "error": round(distance / count, 4),
        "brier": round(sum((score - sign) ** 2 for score, sign in scored) / count, 4),
        "bins": bins,
    }


def pair_table(found: Mapping[str, Numbers]) -> list[list[str]]:
    """Format the numbers as rows of cells, one engine a column."""
    rows = [["", *found]]
    for group in ("all", "councils"):
        keys = dict.fromkeys(key for numbers in found.values() for key in numbers[group])
        rows += [[f"{group}: {key}", *(_cell(n[group].get(key)) for n in found.values())] for key in keys]
    curves = [numbers["calibration"] for numbers in found.values()]
    rows += [[f"calibration: {key}", *(f"{curve[key]:.3f}" for curve in curves)] for key in ("error", "brier")]
    for start in (number / _BINS for number in range(_BINS)):
        bins = [next((b for b in curve["bins"] if b["from"] == start), None) for curve in curves]
        cells = [f"{b['signed']:.3f} signed at {b['score']:.3f} ({b['pairs']})" if b else "none" for b in bins]
        rows.append([f"score from {start:.1f}", *cells])
    return rows


def _cell(value: object) -> str:
    if isinstance(value, dict):
        signed = "none" if value["signed"] is None else f"{value['signed']:.3f} signed"
        return f"{signed}, {value['of all signed']:.3f} of all signed ({value['pairs']} pairs)"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
