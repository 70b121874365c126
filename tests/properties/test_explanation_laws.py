"""The laws of a score's parts: they make up the score, rise with money and time, and know no order."""

import math
import random
from dataclasses import replace
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.candidates.plan_index import PlanIndex
from matching.components import timing
from matching.components.specification import logistic, value_similarity, value_size
from matching.components.value import value_component
from matching.engine import Features
from matching.plan import Plan
from matching.text.scope import Scope
from tests.properties.strategies import BANDS, many, meetings, pairs, plans, today
from tests.unit.matching.builders import engine, features

# The name of each signal in an explanation, and of its weight.
NAMES = {
    "meaning": "dense",
    "title_words": "title_terms",
    "all_words": "all_terms",
    "phrases": "phrases",
    "needs": "concepts",
    "cpv_from_text": "profile",
    "title_letters": "fuzzy",
    "cpv": "cpv",
    "telling_needs": "needs",
    "nature": "nature",
    "readiness": "readiness",
    "described": "described",
    "value_likeness": "value_likeness",
    "value_size": "value_size",
}
# What a reader of the explanation cannot know: signals are rounded to three decimals.
ROUNDED = 0.01
pounds = st.floats(100, 5e6)
some = settings(max_examples=40)


@some
@given(pairs(), today)
def test_the_explanation_adds_up_to_the_score(pair: tuple[Features, Features], as_of: date) -> None:
    found, policy = engine().assess(*pair, as_of), engine().policy
    e = policy.exponents
    product = math.prod(
        part.value**exponent
        for part, exponent in (
            (found.specification, e.specification),
            (found.timing, e.timing),
            (found.region, e.region),
            (found.value, e.value),
        )
    )
    assert math.isclose(found.score, 100 * product, abs_tol=0.02)
    weights = policy.scorer.weights
    said = {name: found.specification.saw[name] for name in NAMES}
    numbers = {name: value for name, value in said.items() if isinstance(value, float)}
    assert numbers.keys() == NAMES.keys()
    z = weights.intercept + sum(getattr(weights, NAMES[name]) * value for name, value in numbers.items())
    assert math.isclose(found.specification.value, logistic(z), abs_tol=ROUNDED)


@many
@given(pounds, pounds, st.floats(1, 100))
def test_more_money_on_both_sides_never_counts_less(one: float, other: float, factor: float) -> None:
    rules = engine().policy.value
    more = (one * factor, other * factor)
    assert float(value_component(one, other, rules)) <= float(value_component(*more, rules)) <= 1
    assert 0 <= float(value_size(one, other)) <= float(value_size(*more)) <= 1
    assert 0 <= float(value_similarity(one, other)) <= float(value_similarity(*more)) + 1e-9 <= 1 + 1e-9


@many
@given(st.integers(-400, 400), st.integers(0, 400), st.integers(1, 60))
def test_more_common_days_and_more_time_never_count_less(stated: int, extended: int, more: int) -> None:
    rules = engine().policy.timing
    common = stated + extended
    now = float(timing.overlap_factor(stated, common, rules))
    assert 0 <= now <= float(timing.overlap_factor(stated + more, common + more, rules)) <= 1
    assert now <= float(timing.overlap_factor(stated, common + more, rules))
    assert float(timing.lead_factor(stated, 0, rules)) <= float(timing.lead_factor(stated + more, 0, rules))


@some
@given(pairs() | meetings(), today, st.none() | st.sampled_from(Scope), st.none() | st.sampled_from(Scope))
def test_a_known_scope_only_lowers_the_band(
    pair: tuple[Features, Features], as_of: date, mine: Scope | None, theirs: Scope | None
) -> None:
    plain, told = (
        [replace(one, scope=scope) for one, scope in zip(pair, scopes, strict=True)]
        for scopes in ((None, None), (mine, theirs))
    )
    before, after = (engine().assess(*two, as_of) for two in (plain, told))
    assert after.score == before.score
    assert all(after.band.at_most(limit.band) is after.band for limit in after.limits)
    assert BANDS.index(after.band) <= BANDS.index(before.band)
    assert BANDS.index(after.specification_band) <= BANDS.index(before.specification_band)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(plans(), min_size=3, max_size=9, unique_by=lambda p: p.plan_id), st.integers(0, 99), today)
def test_the_order_of_arrival_changes_nothing(several: list[Plan], seed: int, as_of: date) -> None:
    draw = random.Random(seed)
    every = [features(replace(one, revision=2)) for one in several]
    older = [features(replace(one, title=draw.choice(several).title)) for one in several]
    gone = [features(replace(one, plan_id=f"{one.plan_id}-gone")) for one in several]
    first, last = [*older, *gone], [*every]
    draw.shuffle(first)
    draw.shuffle(last)
    assert _found(every, [*first, *last], gone, as_of) == _found(every, every, [], as_of)


def _found(
    asked: list[Features], arriving: list[Features], withdrawn: list[Features], as_of: date
) -> list[tuple[list[str], dict[str, int]]]:
    """What corpus and index find for each plan once these have arrived in this order, and some were withdrawn."""
    corpus, index = engine().corpus(), PlanIndex()
    for one in arriving:
        corpus.upsert(one)
        index.upsert([engine().index_entry(one)])
    for one in withdrawn:
        corpus.remove(one.plan.plan_id)
        index.remove([one.plan.plan_id])
    held = {one.plan.plan_id: one for one in [*asked, *withdrawn]}
    found = []
    for query in asked:
        asking = engine().index_query(query, engine().pair_vector(query))
        held_vector = index.vector(query.plan.plan_id, query.plan.revision)
        assert held_vector is not None
        assert (held_vector == engine().pair_vector(query)).all()
        (candidates,) = index.search([asking], as_of.toordinal(), engine().policy)
        partners = {
            plan_id: revision
            for plan_id, revision in candidates.items()
            if plan_id != query.plan.plan_id and engine().assess(query, held[plan_id], as_of).is_opportunity
        }
        found.append((engine().search(query, corpus, as_of), partners))
    return found
