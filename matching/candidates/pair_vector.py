"""One vector per plan. The inner product of two approximates the logit of the pair's specification.

`specification.logit` is a sum of cosines. Concatenated, each scaled by the square root of its weight, their vectors
turn the sum into one inner product, which an index can search. Word lists have no fixed length, so feature hashing
folds them into a fixed number of positions with random signs, and collisions cancel out on average. Candidates are
scored exactly afterwards; the folding only affects which plans become candidates.
"""

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from matching import reference
from matching.components.specification import Vector
from matching.features import Features
from matching.policy import Policy
from matching.scorer import NATURES, READINESS_LIMIT, Scorer, SignalWeights

EMBEDDING_DIMENSIONS = 384
HASHED_DIMENSIONS = 255
DIMENSIONS = EMBEDDING_DIMENSIONS + HASHED_DIMENSIONS + 1
_LEVELS = ((2, 0.25), (3, 0.25), (4, 0.2), (5, 0.15), (8, 0.15))
_SEED = 20261123
# The largest loss through folding in an opportunity's product. Of 1,196 opportunities among 3,086 real plans, none
# loses more than 1.35 (docs/scale.md).
_FOLDING = 1.5
# Turns a sum of two numbers into a product: (s + x / s) (s + y / s) is s * s + x + y, plus x * y / (s * s).
_STEADY = 4.0


def build_pair_vector(features: Features, scorer: Scorer) -> Vector:
    """Build the plan's vector for the index, both as entry and as query: float32, shape (640,)."""
    weights = scorer.weights
    folded = np.zeros(HASHED_DIMENSIONS, dtype=np.float64)
    for kind, terms, weight in _lists(features, scorer):
        root = weight**0.5
        for word, value in terms.items():
            place, sign = _slot(kind, word)
            folded[place] += sign * root * value
    meaning = np.zeros(EMBEDDING_DIMENSIONS, dtype=np.float64)
    meaning_part = _narrowed(features.embedding) * weights.dense**0.5
    meaning[: len(meaning_part)] = meaning_part
    # The sum weighs readiness as a share; half of it is there even for a plan without any.
    ready = [_STEADY + _readiness(features, weights) / _STEADY]
    return np.concatenate((meaning, folded, ready)).astype(np.float32)


def _readiness(f: Features, weights: SignalWeights) -> float:
    return f.readiness * weights.readiness / (4.0 * READINESS_LIMIT)


def _lists(f: Features, scorer: Scorer) -> Iterator[tuple[str, Mapping[str, float], float]]:
    w = scorer.weights
    yield "title", f.title_terms, w.title_terms
    yield "word", f.all_terms, w.all_terms
    yield "phrase", f.phrases, w.phrases
    # One list serves both signals of a need: the weights in the product add up.
    roots = {need: (w.concepts + w.needs * scorer.needs.get(need, 0.0)) ** 0.5 for need in f.concepts}
    told = {need: weight * roots[need] for need, weight in f.concepts.items()}
    yield "need", told, 1.0
    likely = zip(NATURES, f.nature, scorer.natures, strict=True)
    yield "nature", {name: share * telling**0.5 for name, share, telling in likely}, w.nature
    letters = f.title_key.split()
    yield "letters", dict.fromkeys(letters, len(letters) ** -0.5 if letters else 0.0), w.fuzzy
    yield "code", _prefixes(f.cpv_codes), w.cpv


def _prefixes(codes: tuple[str, ...]) -> dict[str, float]:
    """Weight the levels of a code so that shared levels add up to `specification.cpv_likeness`."""
    said = (
        (code[:digits], share**0.5)
        for code in codes
        for digits, share in _LEVELS
        if digits == 2 or len(code.rstrip("0")) >= digits or (digits == 8 and code[3:] != "00000")
    )
    return dict(said)


@lru_cache(maxsize=200_000)
def _slot(kind: str, word: str) -> tuple[int, int]:
    hashed = zlib.crc32(f"{kind} {word}".encode())
    return hashed % HASHED_DIMENSIONS, 1 if hashed >> 20 & 1 else -1


def _narrowed(dense: Vector) -> Vector:
    """Fit a model's vector into the index's positions: as it is, or by random projection if it is longer."""
    if len(dense) <= EMBEDDING_DIMENSIONS:
        return dense
    return np.asarray(_projection(len(dense)) @ dense, dtype=np.float32)


@lru_cache(maxsize=2)
def _projection(dimensions: int) -> Vector:
    drawn = np.random.default_rng(_SEED).standard_normal((EMBEDDING_DIMENSIONS, dimensions)) / EMBEDDING_DIMENSIONS**0.5
    return np.asarray(drawn, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class JoinConstraints:
    """When and where a plan can be joined, in the form that an index can filter; days are ordinals.

    `areas` are the ITL 1 regions of delivery; `council` is the council whose borders count (empty for no council). A
    locally bought plan (`local`) can only be joined from the same area or across its council's border.
    """

    joinable: bool
    earliest: int
    latest: int
    flexible: int
    preparation_days: int
    local: bool
    areas: tuple[str, ...]
    council: str


def join_constraints(f: Features, policy: Policy) -> JoinConstraints:
    """Build the opening of a plan."""
    return JoinConstraints(
        joinable=f.is_joinable,
        earliest=f.span.earliest,
        latest=f.span.latest,
        flexible=f.span.flexible,
        preparation_days=f.category.preparation_days,
        local=f.locality >= policy.region.local_threshold,
        areas=tuple(sorted({code[:3] for code in f.delivery_area.codes if len(code) >= 3})),
        council=f.delivery_area.authority or "",
    )


def bordering_councils(f: Features) -> tuple[str, ...]:
    """Return the councils across whose border this plan can be joined, in either direction of the register."""
    return tuple(sorted(_bordering(f.delivery_area.authority))) if f.delivery_area.authority else ()


@lru_cache(maxsize=1000)
def _bordering(council: str) -> frozenset[str]:
    back = {other.code for other in reference.authorities() if council in reference.neighbours(other.code)}
    return reference.neighbours(council) | back


def max_logits(products: NDArray[np.float32], policy: Policy) -> NDArray[np.float64]:
    """Return upper bounds of the pairs' logits, given these inner products: the parts outside the vector at their best,
    plus the largest loss through folding."""
    return np.asarray(products + (_outside_vector(policy) - _STEADY**2 + _FOLDING), dtype=np.float64)


def min_inner_product(policy: Policy) -> float:
    """Return the inner product below which no opportunity is expected: the logit needed if all else were perfect, less
    the parts outside the vectors and the largest loss through folding."""
    exponent = policy.exponents.specification
    share = max(
        (policy.bands.feed / 100.0) ** (1.0 / exponent) if exponent else 0.0, policy.specification.min_specification
    )
    return math.log(share / (1.0 - share)) - _outside_vector(policy) + _STEADY**2 - _FOLDING


def _outside_vector(policy: Policy) -> float:
    w = policy.scorer.weights
    return w.intercept + w.profile + w.described + w.values + w.readiness / 2.0
