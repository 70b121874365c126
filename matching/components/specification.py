"""Likeness of two requirements by meaning, rare words and codes: one logistic sum of signals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from matching.scorer import READINESS_LIMIT, SignalWeights

Vector = NDArray[np.float32]
_BRIDGED = frozenset({"48", "72"})
_SHARED = {2: 0.25, 3: 0.5, 4: 0.7, 5: 0.85}


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of likeness between two requirements, each 0 to 1."""

    dense: float
    title_terms: float
    all_terms: float
    phrases: float
    concepts: float
    profile: float
    fuzzy: float
    cpv: float
    needs: float
    nature: float
    readiness: float
    described: float
    value_likeness: float
    value_size: float


def logit(signals: Signals, weights: SignalWeights) -> float:
    """The weighted sum before the logistic function; it rises with every signal."""
    return math.fsum(
        (
            weights.intercept,
            weights.dense * signals.dense,
            weights.title_terms * signals.title_terms,
            weights.all_terms * signals.all_terms,
            weights.phrases * signals.phrases,
            weights.concepts * signals.concepts,
            weights.profile * signals.profile,
            weights.fuzzy * signals.fuzzy,
            weights.cpv * signals.cpv,
            weights.needs * signals.needs,
            weights.nature * signals.nature,
            weights.readiness * signals.readiness,
            weights.described * signals.described,
            weights.value_likeness * signals.value_likeness,
            weights.value_size * signals.value_size,
        )
    )


def logistic(z: float) -> float:
    """Compute 1 / (1 + e^-z) without overflow."""
    return 1.0 / (1.0 + math.exp(-z)) if z >= 0 else math.exp(z) / (1.0 + math.exp(z))


def cosine(a: Vector, b: Vector) -> float:
    """Compute the cosine of two unit vectors, with negative values as 0. The order does not matter, to the last bit."""
    return min(1.0, max(0.0, float(np.dot(a, b))))


def title_similarity(a: str, b: str) -> float:
    """Return the likeness of two prepared titles, 0 to 1, by rapidfuzz's token set ratio in both orders."""
    return max(fuzz.token_set_ratio(a, b), fuzz.token_set_ratio(b, a)) / 100.0


def readiness(a: Any, b: Any) -> Any:
    """Return the readiness of two plans for a joint purchase, 0 to 1, from the logits of each. For numbers and
    arrays."""
    return (a + b) / (4.0 * READINESS_LIMIT) + 0.5


def common_nature(a: Sequence[float], b: Sequence[float], telling: Sequence[float]) -> float:
    """Return the likelihood that two plans have one nature, 0 to 1, with each nature weighted by its information. The
    order does not matter."""
    return math.fsum(x * y * weight for x, y, weight in zip(a, b, telling, strict=True))


def described(words: int) -> float:
    """Return the information in a description of this many words, 0 to 1; 150 words reach 1."""
    return min(1.0, math.log1p(words) / 5.0)


def value_similarity(a: Any, b: Any) -> Any:
    """Return the closeness of two amounts, 0 (a hundredfold apart) to 1 (equal), .5 if one is unknown. For numbers and
    arrays."""
    apart = np.abs(np.log(np.maximum(a, 1.0)) - np.log(np.maximum(b, 1.0))) / math.log(100.0)
    return np.where(np.isnan(apart), 0.5, 1.0 - np.minimum(apart, 1.0))


def value_size(a: Any, b: Any) -> Any:
    """Return the size of the smaller of two amounts, 0 (10,000 pounds) to 1 (a million), .5 if one is unknown. For
    numbers and arrays."""
    size = (np.log10(np.maximum(np.minimum(a, b), 1.0)) - 4.0) / 2.0
    return np.where(np.isnan(size), 0.5, np.clip(size, 0.0, 1.0))


def cpv_similarity(a: Sequence[str], b: Sequence[str], unknown: float) -> float:
    """Return the share of the hierarchy common to the nearest two codes: division .25, group .5, class .7, category
    .85, all 1.

    Software packages (48) and IT services (72) count as one division: councils use either for the same purchase.
    `unknown` applies if a side gives no code: a missing code is no evidence of a difference.
    """
    if not a or not b:
        return unknown
    return max(_code_similarity(one, other) for one in a for other in b)


def _code_similarity(one: str, other: str) -> float:
    if one == other:
        # A bare division carries no more information than that.
        return 0.25 if one[2:] == "000000" else 0.5 if one[3:] == "00000" else 1.0
    shared = next((i for i, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), 8)
    if shared < 2:
        return 0.25 if {one[:2], other[:2]} == _BRIDGED else 0.0
    # Trailing zeros mean "any"; they are no level of their own.
    level = min(shared, len(one.rstrip("0")), len(other.rstrip("0")))
    return _SHARED.get(max(2, min(level, 5)), 0.25)
