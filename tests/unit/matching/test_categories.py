"""The category comes from all that a plan says: a wrong code, or none, misleads nobody; and what depends on it."""

from dataclasses import replace

import numpy as np
import pytest

from matching.categories import infer_category
from matching.engine import Engine
from matching.plan import Plan
from tests.unit.matching.builders import AS_OF, CAMDEN, GLASGOW, LEEDS, YORK, engine, features, plan

BELFAST = "N09000003"
REPAIR = "repair, maintenance and installation"
PAYROLL = {
    "title": "HR and payroll system",
    "description": "Human resources and payroll software, hosted by the supplier, with support and training.",
}
CARE = {
    "title": "Home care for older people",
    "description": "Domiciliary care and support for adults with care needs in their own homes.",
}
POWER = {
    "title": "Electricity supply",
    "description": "Supply of electricity for half hourly and unmetered supplies.",
    "value": 900_000.0,
}


def category(**changes: object) -> str:
    return features(plan(**changes)).category.name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "codes", "name"),
    [
        (PAYROLL, ("48450000",), "software and IT services"),
        (PAYROLL, (), "software and IT services"),
        (PAYROLL, ("45000000",), "software and IT services"),
        (CARE, (), "health and social care"),
        (CARE, ("79000000",), "health and social care"),
        (POWER, (), "electricity and gas"),
        ({"title": "Supported living for six people", "description": ""}, (), "health and social care"),
        ({"title": "Supply of gas", "description": ""}, (), "electricity and gas"),
        ({"title": "Electrical maintenance and testing", "description": ""}, ("09310000",), REPAIR),
        ({"title": "Void property works", "description": ""}, (), "building works"),
        # Words that are not clear leave the code its say.
        ({"title": "Framework", "description": ""}, ("45000000",), "building works"),
    ],
)
def test_text_and_codes_decide_together(text: dict[str, object], codes: tuple[str, ...], name: str) -> None:
    assert category(**text, cpv=codes) == name


@pytest.mark.parametrize(
    "title",
    [
        "Laptops for primary schools",
        "Payroll for primary and secondary schools",
        "Cleaning of primary schools",
        "Counselling for staff",
        "Hire of temporary fencing for events",
        "Painting classes for older people",
        "Patching of servers",
        "Coastal path guided walks",
        "Adaptation of vehicles for wheelchair users",
    ],
)
def test_one_word_of_a_need_makes_no_works_and_no_care(title: str) -> None:
    told = {"health and social care"} if "older people" in title else set()
    assert category(title=title, description="", cpv=()) not in {"building works", "health and social care"} - told


@pytest.mark.parametrize(
    "title", ["Primary school extension", "Carriageway resurfacing and patching", "Painting and decorating of homes"]
)
def test_works_are_still_told(title: str) -> None:
    assert category(title=title, description="", cpv=()) == "building works"


def test_an_unclear_plan_is_as_local_as_its_likely_categories() -> None:
    """Whatever the category is, two plans of which each is likely care are no purchase for the whole country."""
    policy, names = engine().policy, ("health and social care", "education and training", "leisure and culture")
    unclear = {**dict.fromkeys(names, 0.25), "software and IT services": 0.25}
    category, locality = infer_category((), unclear, {}, np.zeros(0), (), policy)
    assert category is policy.default_category
    local = {one.name: one.locality for one in policy.categories}
    assert locality == pytest.approx(sum(local[name] for name in unclear) / 4, abs=0.01)
    assert infer_category((), {}, {}, np.zeros(0), (), policy) == (category, category.locality)


def test_needs_decide_where_words_do_not() -> None:
    policy = engine().policy
    even = {one.name: 1 / len(policy.categories) for one in policy.categories}
    category, locality = infer_category((), even, {"home care": 1.0}, np.zeros(0), (), policy)
    assert (category.name, locality) == ("health and social care", category.locality)
    mixed = {"home care": 0.5, "insurance": 0.5}
    assert infer_category((), even, mixed, np.zeros(0), (), policy)[0] is policy.default_category


def test_a_wrong_code_neither_gates_nor_delays() -> None:
    miscoded = features(plan(LEEDS, **PAYROLL, cpv=("45000000",)))
    right = features(plan(GLASGOW, **PAYROLL, cpv=("48450000",)))
    found = engine().assess(miscoded, right, AS_OF)
    assert found.gates == ()
    assert found.region.saw["locality"] == right.category.locality
    assert found.timing.saw["preparation_days"] == right.category.preparation_days


def test_care_without_a_code_is_bought_locally() -> None:
    found = engine().assess(features(plan(CAMDEN, **CARE, cpv=())), features(plan(GLASGOW, **CARE, cpv=())), AS_OF)
    assert [gate.code for gate in found.gates] == ["local-distance"]


@pytest.mark.parametrize(
    ("one", "other", "gated"),
    [
        (plan(BELFAST, **POWER, cpv=("09310000",)), plan(LEEDS, **POWER, cpv=("09310000",)), True),
        (plan(BELFAST, **POWER, cpv=()), plan(LEEDS, **POWER, cpv=()), True),
        (plan(LEEDS, **POWER, cpv=()), plan(GLASGOW, **POWER, cpv=()), False),
        (plan(BELFAST, **POWER, cpv=()), plan(BELFAST, **POWER, cpv=(), plan_id="N09000003:B"), False),
        (plan(BELFAST, **PAYROLL), plan(LEEDS, **PAYROLL), False),
        (plan(BELFAST, **POWER, cpv=(), regions=("UK",)), plan(LEEDS, **POWER, cpv=()), False),
    ],
)
def test_a_nation_with_its_own_market_buys_alone(one: Plan, other: Plan, *, gated: bool) -> None:
    found = engine().assess(features(one), features(other), AS_OF)
    assert ("other-market" in [gate.code for gate in found.gates]) is gated


@pytest.mark.parametrize(
    ("one", "other", "said"), [(LEEDS, GLASGOW, True), (GLASGOW, LEEDS, True), (LEEDS, YORK, False)]
)
def test_scottish_law_is_said_and_gates_nothing(one: str, other: str, *, said: bool) -> None:
    found = engine().assess(features(plan(one)), features(plan(other)), AS_OF)
    assert found.gates == ()
    assert any("Scottish procurement law" in reason for reason in found.reasons) is said


def test_a_scorer_that_knows_no_categories_goes_by_the_code() -> None:
    policy = engine().policy
    bare = replace(policy, scorer=replace(policy.scorer, categories=(), category_words={}, category_bias=()))
    chosen = Engine.load(policy=bare, model=engine().generation.model)
    assert features(plan(**PAYROLL, cpv=("45000000",)), chosen).category.name == "building works"
    assert features(plan(**PAYROLL, cpv=("48450000",)), chosen).category.name == "software and IT services"
