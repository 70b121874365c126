"""One vector a plan whose inner product with another's is nearly the sum that decides how alike the two are.

`specification.logit` is a sum of cosines. Laid side by side, each by the root of its weight, their vectors make one
long vector, and the sum becomes an inner product: something that an index can look up. Word lists, which have no end,
are folded into a fixed number of places with a sign each, so that what falls on the same place cancels out on average
(feature hashing). What is found is judged exactly afterwards; the folding only decides what is looked at.
"""

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from matching import reference
from matching.features import Features
from matching.policy import Policy, SpecificationWeights
from matching.specification import Vector

MEANING = 384
FOLDED = 256
DIMENSIONS = MEANING + FOLDED
_LEVELS = ((2, 0.25), (3, 0.25), (4, 0.2), (5, 0.15), (8, 0.15))
_SEED = 20261123
_NOT_IN_THE_VECTORS = 1.6


def vector_of(features: Features, weights: SpecificationWeights) -> Vector:
    """The plan as an index keeps it and is asked for it: float32, shape (640,)."""
    folded = np.zeros(FOLDED, dtype=np.float64)
    for kind, terms, weight in _lists(features, weights):
        root = weight**0.5
        for word, value in terms.items():
            place, sign = _place(kind, word)
            folded[place] += sign * root * value
    meaning = np.zeros(MEANING, dtype=np.float64)
    meaning_part = _narrowed(features.dense) * weights.dense**0.5
    meaning[: len(meaning_part)] = meaning_part
    return np.concatenate((meaning, folded)).astype(np.float32)


def _lists(f: Features, w: SpecificationWeights) -> Iterator[tuple[str, Mapping[str, float], float]]:
    yield "title", f.title_terms, w.title_terms
    yield "word", f.all_terms, w.all_terms
    yield "phrase", f.phrases, w.phrases
    yield "need", f.concepts, w.concepts
    letters = f.fuzzy.split()
    yield "letters", dict.fromkeys(letters, len(letters) ** -0.5 if letters else 0.0), w.fuzzy
    yield "code", _prefixes(f.codes), w.cpv


def _prefixes(codes: tuple[str, ...]) -> dict[str, float]:
    """The levels that codes share are worth what `specification.cpv_likeness` gives them, in sum."""
    said = (
        (code[:digits], share**0.5)
        for code in codes
        for digits, share in _LEVELS
        if digits == 2 or len(code.rstrip("0")) >= digits or (digits == 8 and code[3:] != "00000")
    )
    return dict(said)


@lru_cache(maxsize=200_000)
def _place(kind: str, word: str) -> tuple[int, int]:
    hashed = zlib.crc32(f"{kind} {word}".encode())
    return hashed % FOLDED, 1 if hashed >> 20 & 1 else -1


def _narrowed(dense: Vector) -> Vector:
    """A model's vector in the places that the index has: as it is, or projected where the model has more."""
    if len(dense) <= MEANING:
        return dense
    return np.asarray(_projection(len(dense)) @ dense, dtype=np.float32)


@lru_cache(maxsize=2)
def _projection(dimensions: int) -> Vector:
    drawn = np.random.default_rng(_SEED).standard_normal((MEANING, dimensions)) / MEANING**0.5
    return np.asarray(drawn, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Opening:
    """When and where a plan can be joined, as far as an index can ask: days are ordinals.

    `areas` are the ITL 1 regions of delivery and `council` whose borders count (empty for no council): a plan that is
    bought locally (`local`) can only be joined from the same area or across its council's border.
    """

    standing: bool
    earliest: int
    latest: int
    flexible: int
    lead_days: int
    local: bool
    areas: tuple[str, ...]
    council: str


def opening_of(f: Features, policy: Policy) -> Opening:
    """The opening of a plan."""
    return Opening(
        standing=f.standing,
        earliest=f.span.earliest,
        latest=f.span.latest,
        flexible=f.span.flexible,
        lead_days=f.category.lead_days,
        local=f.category.locality >= policy.region.local_from,
        areas=tuple(sorted({code[:3] for code in f.place.codes if len(code) >= 3})),
        council=f.place.authority or "",
    )


def bordering(f: Features) -> tuple[str, ...]:
    """The councils across whose border this plan can be joined, in either direction of the register."""
    return tuple(sorted(_bordering(f.place.authority))) if f.place.authority else ()


@lru_cache(maxsize=1000)
def _bordering(council: str) -> frozenset[str]:
    back = {other.code for other in reference.authorities() if council in reference.neighbours(other.code)}
    return reference.neighbours(council) | back


def least_product(policy: Policy) -> float:
    """The inner product below which no opportunity is expected: what is needed were all else perfect, less what is not
    in the vectors and what folding may take away."""
    share = max(policy.bands.feed / 100.0, policy.specification.weak)
    return math.log(share / (1.0 - share)) - policy.specification.intercept - _NOT_IN_THE_VECTORS
