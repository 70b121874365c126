"""Packed features are the features, to the last bit; a later revision with the same words has them too."""

from dataclasses import fields, replace
from datetime import date
from itertools import pairwise

import numpy as np

from matching.encoders.loading import load_embedder
from matching.engine import Engine, Features
from matching.plan import Plan, Window
from services.store.mapping import plan_from_payload
from tests.pipeline import AS_OF, engine, features_of, invented_plans

STATES = invented_plans(40, subjects=10)


def same(one: Features, other: Features) -> bool:
    pairs = ((getattr(one, f.name), getattr(other, f.name)) for f in fields(Features))
    return all(np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray | float) else a == b for a, b in pairs)


def later(plan: Plan) -> Plan:
    window = Window(date(2028, 1, 3), date(2028, 6, 30))
    return replace(plan, revision=2, value=123_456.0, tender_window=window, regions=("TLC3",))


def test_unpacked_is_what_was_packed() -> None:
    for one in features_of(STATES):
        assert same(engine().decode_features(engine().encode_features(one), one.plan), one)


def test_a_revision_with_the_same_words_has_the_same_features() -> None:
    embedder = load_embedder("hashing")
    for state, one in zip(STATES, features_of(STATES), strict=True):
        plan = later(plan_from_payload(state))
        assert engine().same_text(one, plan)
        body = embedder.embed([one.texts.body])[0] if one.texts.body else None
        made = engine().features(plan, embedder.embed([one.texts.title])[0], body)
        assert same(engine().decode_features(engine().encode_features(one), plan), made)
        assert same(engine().with_revision(one, plan), made)
        assert not engine().same_text(one, replace(plan, title=plan.title + " again"))


def test_a_pair_is_judged_alike_by_either() -> None:
    made = features_of(STATES)
    packed = [engine().decode_features(engine().encode_features(one), one.plan) for one in made]
    for (a, b), (c, d) in zip(pairwise(made), pairwise(packed), strict=True):
        assert engine().assess(a, b, AS_OF) == engine().assess(c, d, AS_OF)


def test_each_category_comes_back() -> None:
    one = features_of(STATES[:1])[0]
    policy = Engine.load().policy
    for category in (policy.default_category, *policy.categories):
        held = replace(one, category=category)
        assert engine().decode_features(engine().encode_features(held), held.plan).category == category
