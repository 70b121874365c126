"""Fits the scorer to judged pairs: a logistic sum with signal weights of 0 or more, and the effect of words and needs.

It is deterministic: the same features, pairs and seed give the same file. Its signals are `pair_scoring.signals_of`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize

from matching.components.specification import logit
from matching.features import Features
from matching.pair_scoring import signals_of
from matching.policy import Policy
from matching.scorer import NATURES, READINESS_LIMIT, Scorer, SignalWeights

Floats = NDArray[np.float64]

# Regularisation: factors of the inputs, where a larger one is shrunk less. Chosen by cross-validation.
_NEED, _READINESS, _CLASS_WORD = 1.5, 0.5, 2.4
_TELLING = 1.0
_LEAST_PLANS = 4
_SIGNALS = tuple(f.name for f in fields(SignalWeights) if f.name not in ("intercept", "needs", "nature", "readiness"))


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A judged pair. `sign` is 1 or 0, or between if only its kind was judged; `weight` is its weight in the fit.

    `natures` are the natures that a reader gave the two sides, empty if nobody did.
    """

    a: Features
    b: Features
    sign: float
    weight: float = 1.0
    natures: tuple[str, str] = ("", "")


def fit(examples: Sequence[Example], policy: Policy, name: str) -> Scorer:
    """Fits the scorer. Its scores are too confident on unseen pairs until they are `calibrated`."""
    blank = _blank(policy.scorer, name)
    blank = _with_natures(examples, blank)
    reading = replace(policy, scorer=blank)
    natures = {id(f): blank.nature_of(f.title_terms, f.all_terms, f.concepts) for f in _plans(examples)}
    # Terms of judged plans only: drawn plans would add words without any judgement behind them.
    judged = _plans([e for e in examples if e.weight >= 1.0])
    seen = Counter(term for f in judged for term in _terms(f))
    terms = sorted(term for term, count in seen.items() if count >= _LEAST_PLANS)
    needs = [term[1:] for term in terms if term.startswith("~")]
    signals = np.array(
        [[getattr(signals_of(e.a, e.b, reading), s) for s in _SIGNALS] for e in examples], dtype=np.float64
    )
    common = np.array([np.multiply(natures[id(e.a)], natures[id(e.b)]) for e in examples])
    shared = _table([_product(e.a.concepts, e.b.concepts) for e in examples], needs)
    named = _table([_sum(_terms(e.a), _terms(e.b)) for e in examples], terms)
    inputs = sp.hstack([signals, common, shared * _NEED, named * _READINESS]).tocsr()
    free = np.arange(inputs.shape[1]) >= inputs.shape[1] - len(terms)
    targets, weights = np.array([e.sign for e in examples]), np.array([e.weight for e in examples])
    found = _logistic(inputs, targets, weights, free)
    ends = np.cumsum([len(_SIGNALS), len(NATURES), len(needs)])
    by_signal, by_nature, by_need, by_term = np.split(found[:-1], ends)
    by_need, by_term = by_need * _NEED, by_term * _READINESS
    return replace(
        blank,
        weights=SignalWeights(
            intercept=float(found[-1]) - 2.0 * READINESS_LIMIT,
            **dict(zip(_SIGNALS, map(float, by_signal), strict=True)),
            needs=float(by_need.max(initial=0.0)),
            nature=float(by_nature.max(initial=0.0)),
            readiness=4.0 * READINESS_LIMIT,
        ),
        needs=_shares(needs, by_need),
        natures=tuple(_shares(NATURES, by_nature, keep_zeros=True).values()),
        readiness={term: float(value) for term, value in zip(terms, by_term, strict=True) if value},
    )


def calibrated(scorer: Scorer, logits: Floats, signs: NDArray[np.bool_]) -> Scorer:
    """Scale and shift the scorer's sum so that its probabilities are right on unseen pairs.

    `logits`, shape (n,), are of pairs outside the fit; `signs` says whether each was judged a match.
    """
    slope, offset = calibration_of(logits, signs)
    w = scorer.weights
    scaled = {f.name: getattr(w, f.name) * slope for f in fields(w)}
    return replace(scorer, weights=SignalWeights(**{**scaled, "intercept": scaled["intercept"] + offset}))


def calibration_of(logits: Floats, signs: NDArray[np.bool_]) -> tuple[float, float]:
    """The slope and offset that make a sum's probabilities right on unseen pairs."""
    slope, offset = _logistic(
        sp.csr_matrix(logits[:, None]), signs.astype(np.float64), np.ones(len(logits)), np.array([False]), shrink=0.0
    )
    return float(slope), float(offset)


def with_scorer(f: Features, scorer: Scorer) -> Features:
    """Recompute the features that depend on the scorer."""
    return replace(
        f,
        nature=scorer.nature_of(f.title_terms, f.all_terms, f.concepts),
        readiness=scorer.readiness_of(f.title_terms, f.concepts),
    )


def logits_of(examples: Iterable[Example], policy: Policy) -> Floats:
    """The weighted sum of each pair under the policy's scorer, shape (n,)."""
    read: dict[int, Features] = {}

    def by_scorer(f: Features) -> Features:
        return read.setdefault(id(f), with_scorer(f, policy.scorer))

    found = [logit(signals_of(by_scorer(e.a), by_scorer(e.b), policy), policy.scorer.weights) for e in examples]
    return np.array(found, dtype=np.float64)


def folds(examples: Sequence[Example], count: int, seed: int) -> list[tuple[list[Example], list[Example]]]:
    """Split the plans into `count` parts. For each, return the examples with both plans outside it, to fit, and those
    with both inside, to test."""
    names = sorted({f.plan.plan_id for e in examples for f in (e.a, e.b)})
    drawn = np.random.default_rng(seed).integers(0, count, len(names))
    part = dict(zip(names, drawn.tolist(), strict=True))
    ends = [(part[e.a.plan.plan_id], part[e.b.plan.plan_id]) for e in examples]
    return [
        (
            [e for e, both in zip(examples, ends, strict=True) if number not in both],
            [e for e, both in zip(examples, ends, strict=True) if both == (number, number)],
        )
        for number in range(count)
    ]


def _blank(scorer: Scorer, name: str) -> Scorer:
    """A scorer without any words."""
    return replace(scorer, version=name, needs={}, readiness={}, nature_words={})


def _plans(examples: Sequence[Example]) -> list[Features]:
    """Every plan of the examples once, ordered by id."""
    found = {f.plan.plan_id: f for e in examples for f in (e.a, e.b)}
    return [found[plan_id] for plan_id in sorted(found)]


def _terms(f: Features) -> dict[str, float]:
    return {**f.title_terms, **{f"~{need}": weight for need, weight in f.concepts.items()}}


def _sum(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {term: one.get(term, 0.0) + other.get(term, 0.0) for term in one.keys() | other.keys()}


def _product(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {term: one[term] * other[term] for term in one.keys() & other.keys()}


def _table(rows: Sequence[Mapping[str, float]], terms: Sequence[str]) -> Any:
    """Build a sparse matrix of weighted terms: one row each, one column per term; other terms are ignored."""
    column = {term: number for number, term in enumerate(terms)}
    entries = [
        (row, column[term], weight)
        for row, held in enumerate(rows)
        for term, weight in sorted(held.items())
        if term in column
    ]
    at, to, values = zip(*entries, strict=True) if entries else ((), (), ())
    return sp.csr_matrix((values, (at, to)), shape=(len(rows), len(terms)), dtype=np.float64)


def _shares(names: Sequence[str], values: Floats, *, keep_zeros: bool = False) -> dict[str, float]:
    """Each value divided by the largest, 0 to 1."""
    most = float(values.max(initial=0.0))
    shares = {name: float(value) / most if most > 0 else 0.0 for name, value in zip(names, values, strict=True)}
    return {name: share for name, share in shares.items() if share > 0 or keep_zeros}


def _logistic(inputs: Any, targets: Floats, weights: Floats, free: NDArray[np.bool_], shrink: float = 1.0) -> Floats:
    """Fits a logistic regression; returns its weights, the intercept last. Weights not `free` are 0 or more."""
    transposed = inputs.T.tocsr()

    def loss(w: Floats) -> tuple[float, Floats]:
        z = inputs @ w[:-1] + w[-1]
        off = (1.0 / (1.0 + np.exp(-np.clip(z, -500.0, 500.0))) - targets) * weights
        total = float(((np.logaddexp(0.0, z) - targets * z) * weights).sum()) + 0.5 * shrink * float(w[:-1] @ w[:-1])
        return total, np.append(transposed @ off + shrink * w[:-1], off.sum())

    bounds = [(None, None) if loose else (0.0, None) for loose in free] + [(None, None)]
    options = {"maxiter": 500, "ftol": 1e-9}
    return np.asarray(minimize(loss, np.zeros(inputs.shape[1] + 1), jac=True, bounds=bounds, options=options).x)


def _with_natures(examples: Sequence[Example], scorer: Scorer) -> Scorer:
    """Add the words that distinguish natures, learned from the majority of readers for each plan."""
    said: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for e in examples:
        for f, nature in zip((e.a, e.b), e.natures, strict=True):
            if nature in NATURES:
                said[f.plan.plan_id][nature] += 1
    plans = [f for f in _plans(examples) if f.plan.plan_id in said]
    if not plans:
        return replace(scorer, nature_words={}, nature_bias=(0.0,) * len(NATURES))
    labels = [NATURES.index(said[f.plan.plan_id].most_common(1)[0][0]) for f in plans]
    words, bias = _classifier(plans, labels, len(NATURES))
    return replace(scorer, nature_words=words, nature_bias=bias)


def with_categories(scorer: Scorer, plans: Iterable[Features], policy: Policy) -> Scorer:
    """Add the words that distinguish the policy's categories, learned from the codes of plans.

    Many codes are wrong, but not in the same way.
    """
    coded = sorted((f for f in plans if f.cpv_codes), key=lambda f: f.plan.plan_id)
    named = [policy.category_of(f.cpv_codes).name for f in coded]
    names = sorted(set(named))
    if len(names) < 2:
        return scorer
    words, bias = _classifier(coded, [names.index(name) for name in named], len(names))
    # Words that distinguish little are left out; most words do.
    telling = {word: tuple(round(z, 1) for z in row) for word, row in words.items() if max(row) - min(row) >= _TELLING}
    return replace(scorer, categories=tuple(names), category_words=telling, category_bias=bias)


def _classifier(
    plans: Sequence[Features], labels: Sequence[int], classes: int
) -> tuple[dict[str, tuple[float, ...]], tuple[float, ...]]:
    """The logits of each class by term, and the bias of each class."""
    rows = [_marked_terms(f) for f in plans]
    seen = Counter(term for row in rows for term in row)
    terms = sorted(term for term, count in seen.items() if count >= _LEAST_PLANS)
    found = _softmax(_table(rows, terms) * _CLASS_WORD, np.array(labels), classes)
    words = {
        term: tuple(round(float(z), 3) for z in row) for term, row in zip(terms, found[:-1] * _CLASS_WORD, strict=True)
    }
    return words, tuple(round(float(z), 3) for z in found[-1])


def _marked_terms(f: Features) -> dict[str, float]:
    kinds: tuple[tuple[str, Mapping[str, float]], ...] = (
        ("title ", f.title_terms),
        ("word ", f.all_terms),
        ("need ", f.concepts),
    )
    return {kind + term: weight for kind, terms in kinds for term, weight in terms.items()}


def _softmax(inputs: Any, labels: NDArray[np.int64], classes: int) -> Floats:
    """Weights of a multinomial logistic regression, shape (terms + 1, classes), the intercepts last."""
    count, terms = inputs.shape
    wanted = np.eye(classes)[labels]
    transposed = inputs.T.tocsr()

    def loss(flat: Floats) -> tuple[float, Floats]:
        w = flat.reshape(terms + 1, classes)
        z = inputs @ w[:-1] + w[-1]
        z -= z.max(axis=1, keepdims=True)
        share = np.exp(z)
        share /= share.sum(axis=1, keepdims=True)
        off = share - wanted
        total = -float(np.log(np.maximum(share[np.arange(count), labels], 1e-12)).sum()) + 0.5 * float(
            (w[:-1] * w[:-1]).sum()
        )
        return total, np.vstack((transposed @ off + w[:-1], off.sum(axis=0))).ravel()

    options = {"maxiter": 200, "ftol": 1e-8}
    found = minimize(loss, np.zeros((terms + 1) * classes), jac=True, method="L-BFGS-B", options=options).x
    return np.asarray(found.reshape(terms + 1, classes))
