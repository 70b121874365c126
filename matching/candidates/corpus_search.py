"""Finds every plan in a corpus that could be an opportunity for one plan.

It computes on arrays what `pair_scoring` computes for a pair, and assumes the best case for the fuzzy likeness of
titles. The remaining candidates are then scored one by one, so the result equals that of scoring every pair.
"""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from matching.candidates.corpus import Corpus
from matching.components import timing
from matching.components.region import proximity
from matching.components.specification import cpv_similarity, readiness, value_similarity, value_size
from matching.components.value import value_component
from matching.features import Features
from matching.policy import Policy

# Tolerances in points of score, and of likeness, for sums in another order.
BOUND_TOLERANCE_POINTS = 0.05
BOUND_TOLERANCE_SIMILARITY = 1e-4

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
_NOTHING: tuple[Rows, Floats] = (np.zeros(0, dtype=np.int64), np.zeros(0))


def candidates(query: Features, corpus: Corpus, as_of: date, policy: Policy) -> Rows:
    """Return the row numbers of a tight superset of the opportunities."""
    if not query.is_joinable or not len(corpus):
        return np.zeros(0, dtype=np.int64)
    rows, score, spec = _score_bounds(query, corpus, as_of, policy)
    keep = (score >= policy.bands.feed - BOUND_TOLERANCE_POINTS) & (
        spec >= policy.specification.min_specification - BOUND_TOLERANCE_SIMILARITY
    )
    return np.asarray(rows[keep])


def bounds_by_specification(query: Features, corpus: Corpus, policy: Policy) -> tuple[Rows, Floats]:
    """Return every living row, gated or not, with an upper bound of its specification; best first."""
    rows = np.flatnonzero(corpus.alive.view)
    bounds = _specification_bounds(query, corpus, rows, policy) if len(rows) else np.zeros(0)
    order = np.argsort(-bounds, kind="stable")
    return rows[order], bounds[order] + BOUND_TOLERANCE_SIMILARITY


def bounds_by_score(query: Features, corpus: Corpus, as_of: date, policy: Policy) -> tuple[Rows, Floats]:
    """Return the rows that pass every gate except the weak specification, with an upper bound of their score; best
    first."""
    rows, bounds = _score_bounds(query, corpus, as_of, policy)[:2] if query.is_joinable and len(corpus) else _NOTHING
    order = np.argsort(-bounds, kind="stable")
    return rows[order], bounds[order] + BOUND_TOLERANCE_POINTS


def _score_bounds(query: Features, corpus: Corpus, as_of: date, policy: Policy) -> tuple[Rows, Floats, Floats]:
    """Return the open rows, with an upper bound of each one's score and specification."""
    near = corpus.places.row(query.delivery_area, lambda a, b: proximity(a, b, policy.region)[0])
    rows, fit, lead, closeness_of, locality = _ungated_rows(query, corpus, as_of.toordinal(), policy, near)
    if not len(rows):
        return rows, np.zeros(0), np.zeros(0)
    spec = _specification_bounds(query, corpus, rows, policy)
    region = 1.0 - locality * (1.0 - closeness_of)
    value = value_component(query.value, corpus.columns["value"].view[rows], policy.value)
    e = policy.exponents
    raw = spec**e.specification * (fit * lead) ** e.timing * region**e.region * value**e.value
    return rows, 100.0 * raw, spec


def _ungated_rows(
    query: Features, corpus: Corpus, today: int, policy: Policy, near_by_place: Floats
) -> tuple[Rows, Floats, Floats, Floats, Floats]:
    """The rows that no gate closes, but the weak specification; with fit, lead, closeness and locality of each."""
    c = {name: column.view for name, column in corpus.columns.items()}
    s = query.span
    stated = timing.overlap_days(s.earliest, s.latest, c["earliest"], c["latest"])
    common = timing.overlap_days(s.earliest, s.flexible, c["earliest"], c["flexible"])
    end = timing.common_end(stated, common, (s.latest, c["latest"]), (s.flexible, c["flexible"]))
    preparation = np.maximum(query.category.preparation_days, c["preparation_days"])
    # Values and nations can only bring the day to decide by forward: the bound holds.
    decide = timing.latest_decision(s.earliest, c["earliest"], preparation, policy.timing)
    near = near_by_place[c["place"]]
    locality = np.maximum(query.locality, c["locality"])
    is_open = (
        corpus.alive.view
        & c["joinable"]
        & timing.within_reach(common, policy.timing)
        & (c["latest"] >= today)
        & (s.latest >= today)
        & (timing.prepare_by(end, preparation) >= today)
        & ~((locality >= policy.region.local_threshold) & (near < policy.region.adjacent))
    )
    related = [number for code in query.related_authorities if (number := corpus.authorities.known(code)) is not None]
    is_open &= ~np.isin(c["authority"], related)
    rows = np.flatnonzero(is_open)
    fit = timing.overlap_factor(stated[rows], common[rows], policy.timing)
    return rows, fit, timing.lead_factor(decide[rows], today, policy.timing), near[rows], locality[rows]


def _specification_bounds(query: Features, corpus: Corpus, rows: Rows, policy: Policy) -> Floats:
    """Compute the specification of each row as if its title were as like the query's as possible."""
    rules, w, c = policy.specification, policy.scorer.weights, corpus.columns
    telling = {need: weight * policy.scorer.needs.get(need, 0.0) for need, weight in query.concepts.items()}
    assert corpus.embedding is not None
    assert corpus.cpv_profile is not None
    codes = corpus.cpv_codes.row(query.cpv_codes, lambda a, b: cpv_similarity(a, b, rules.cpv_unknown))
    z = (
        w.intercept
        + w.fuzzy
        + w.dense * np.clip((corpus.embedding.view @ query.embedding)[rows].astype(np.float64), 0.0, 1.0)
        + w.profile * np.clip((corpus.cpv_profile.view @ query.cpv_profile)[rows].astype(np.float64), 0.0, 1.0)
        + sum(
            getattr(w, name) * np.minimum(held.similarities(getattr(query, name))[rows], 1.0)
            for name, held in corpus.terms.items()
        )
        + w.concepts * rules.concepts_unknown * ~(c["named"].view[rows] & bool(query.concepts))
        + w.cpv * codes[c["codes"].view[rows]]
        + w.needs * np.minimum(corpus.terms["concepts"].similarities(telling)[rows], 1.0)
        + w.nature * (corpus.nature.view @ (np.array(query.nature) * policy.scorer.natures))[rows]
        + w.readiness * readiness(query.readiness, c["readiness"].view[rows])
        + w.described * np.minimum(query.described, c["described"].view[rows])
        + w.value_likeness * value_similarity(query.value, c["value"].view[rows])
        + w.value_size * value_size(query.value, c["value"].view[rows])
    )
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -500.0, 500.0))))
