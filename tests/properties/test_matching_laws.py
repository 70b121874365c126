"""The laws of the engine's judgement, for any pair of plans on any day."""

import math
from dataclasses import fields, replace
from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.assessment import Assessment, Band, GateCode, LimitCode
from matching.components.specification import Signals, logistic, logit
from matching.engine import Features
from matching.pair_scoring import score_of
from matching.plan import Plan
from tests.properties.strategies import BANDS, many, meetings, pairs, plans, today
from tests.unit.matching.builders import engine, features

shares = st.floats(0, 1)


@many
@given(pairs(), today)
def test_symmetry(pair: tuple[Features, Features], as_of: date) -> None:
    a, b = pair
    assert engine().assess(a, b, as_of) == engine().assess(b, a, as_of)


@many
@given(pairs(), today)
def test_bounds_and_gates_dominate(pair: tuple[Features, Features], as_of: date) -> None:
    found = engine().assess(*pair, as_of)
    assert 0 <= found.score <= 100
    assert all(0 <= c.value <= 1 for c in (found.specification, found.timing, found.region, found.value))
    assert {gate.code for gate in found.gates} <= set(GateCode)
    if found.gates:
        assert found.band is Band.NONE
    if found.is_opportunity:
        assert (found.common_window is None) == (found.decide_by is None) == (found.nearest_move is not None)
        late = found.decide_by is not None and found.decide_by < as_of
        assert late == (LimitCode.LATE_DECISION in {limit.code for limit in found.limits})
        assert found.nearest_move is None or found.band is not Band.NOTIFY
        assert found.specification_band is not Band.NONE


@many
@given(st.tuples(shares, shares, shares, shares), shares)
def test_score_rises_with_each_component(parts: tuple[float, float, float, float], more: float) -> None:
    policy = engine().policy
    low = score_of(*parts, policy)
    # Every component in every example: drawn numbers would leave some out.
    for which, part in enumerate(parts):
        high = score_of(*parts[:which], max(more, part), *parts[which + 1 :], policy)
        assert low <= high
        assert BANDS.index(policy.bands.of(low)) <= BANDS.index(policy.bands.of(high))


@many
@given(st.lists(shares, min_size=14, max_size=14), shares)
def test_specification_rises_with_each_signal(values: list[float], more: float) -> None:
    signals, weights = Signals(*values), engine().policy.scorer.weights
    for name, value in zip((f.name for f in fields(Signals)), values, strict=True):
        higher = replace(signals, **{name: max(more, value)})
        # The last bit of a logistic function is no law.
        assert 0 < logistic(logit(signals, weights)) <= logistic(logit(higher, weights)) + 1e-12 < 1


@many
@given(pairs() | meetings(), st.integers(-30, 400), st.integers(0, 400))
def test_time_alone_only_closes(pair: tuple[Features, Features], before: int, later: int) -> None:
    as_of = _before_the_end(pair, before)
    now, then = (engine().assess(*pair, day) for day in (as_of, as_of + timedelta(days=later)))
    assert then.score <= now.score
    assert {gate.code for gate in now.gates} <= {gate.code for gate in then.gates}
    assert BANDS.index(then.band) <= BANDS.index(now.band)


@many
@given(pairs() | meetings(), st.integers(-30, 400))
def test_nothing_changes_before_the_day_of_review(pair: tuple[Features, Features], before: int) -> None:
    as_of = _before_the_end(pair, before)
    now = engine().assess(*pair, as_of)
    # Time only closes, so what is the same at both ends was the same between.
    last = now.review_on - timedelta(days=1) if now.review_on else as_of + timedelta(days=800)
    assert _decision(engine().assess(*pair, last)) == _decision(now)


def _before_the_end(pair: tuple[Features, Features], count: int) -> date:
    """So many days before the first window ends: where time matters."""
    return min(one.plan.tender_window.latest for one in pair) - timedelta(days=count)


def _decision(found: Assessment) -> tuple[object, ...]:
    return (
        found.score,
        found.band,
        found.gates,
        found.timing.value,
        found.decide_by,
        found.common_window,
        found.nearest_move,
        found.review_on,
    )


@many
@given(plans(number=1), plans(number=2), today, st.booleans())
def test_order_of_fields_and_white_space_say_nothing(one: Plan, other: Plan, as_of: date, at_a_site: bool) -> None:
    if at_a_site:
        one = replace(one, title="Refurbishment of Elm House", cpv=("45210000", "48450000"))
    again = replace(
        one,
        title="  " + one.title.replace(" ", " \t ") + "\n",
        description=one.description.replace(" ", "   "),
        cpv=one.cpv[::-1],
        regions=one.regions[::-1],
    )
    assert _verdict(one, other, as_of) == _verdict(again, other, as_of)


BOILERPLATE = (
    "The Council invites tenders. ",
    "Interested bidders should register their interest via the portal at www.example.org. ",
    "The contract will commence on 1 April 2027 for an initial period of three years. ",
    "Bidders must submit their tender documents before the closing date. ",
    "The successful contractor will pay the living wage. ",
)


@many
@given(plans(number=1), plans(number=2), today, st.lists(st.sampled_from(BOILERPLATE), min_size=1, unique=True))
def test_boilerplate_in_front_says_nothing(one: Plan, other: Plan, as_of: date, clauses: list[str]) -> None:
    described = replace(one, description="Payroll and cleaning for all schools of the area.")
    wordy = replace(described, description="".join(clauses) + described.description)
    assert _verdict(described, other, as_of) == _verdict(wordy, other, as_of)


@many
@given(
    plans(number=1),
    plans(number=2),
    st.sampled_from(["also", "modern", "fully", "3"]),
    st.integers(0, 50),
    st.integers(5, 40),
)
def test_a_small_edit_moves_it_a_little(one: Plan, other: Plan, word: str, where: int, length: int) -> None:
    # The shorter description counts, so the other one is long.
    one = replace(one, description=" ".join(LONG.split()[:length]))
    other = replace(other, title="School insurance", description=LONG)
    words = one.description.split()
    words.insert(where % len(words), word)
    edited = replace(one, description=" ".join(words))
    day = date(2027, 1, 1)
    before, after = (engine().assess(features(p), features(other), day).specification.value for p in (one, edited))
    assert abs(before - after) <= 0.1
    # Also where both are unlikely: a step in one signal shows in the sum before the logistic function.
    assert abs(_sum_of(before) - _sum_of(after)) <= 1.0


def _sum_of(specification: float) -> float:
    """The sum before the logistic function; an explanation rounds to six decimals."""
    p = min(max(specification, 1e-5), 1 - 1e-5)
    return math.log(p / (1 - p))


LONG = (
    "Payroll, insurance and cleaning for every school of the area, with a fleet of vans for caretakers and cooks, "
    "parts, fuel, tyres, training of drivers, repair of doors and windows, removal of waste, and a portal where "
    "heads of schools order, approve and pay."
)


def _verdict(one: Plan, other: Plan, as_of: date) -> tuple[object, ...]:
    found = engine().assess(features(one), features(other), as_of)
    return found.score, found.band, found.specification.value, [gate.code for gate in found.gates]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(plans(), min_size=2, max_size=12, unique_by=lambda p: p.plan_id), today)
def test_search_is_assess_over_all_pairs(several: list[Plan], as_of: date) -> None:
    every = [features(one) for one in several]
    corpus = engine().corpus()
    for one in every:
        corpus.upsert(one)
    for query in every:
        others = (other for other in every if other is not query)
        wanted = sorted(o.plan.plan_id for o in others if engine().assess(query, o, as_of).is_opportunity)
        assert engine().search(query, corpus, as_of) == wanted
