"""The engine's promises to the matcher: search finds exactly what assess calls an opportunity."""

import random
from datetime import date, timedelta

from matching.assessment import Band
from matching.engine import Engine
from matching.plan import Plan, Sharing, Stage, Window
from tests.unit.matching.builders import AS_OF, CAMDEN, GLASGOW, ISLINGTON, LEEDS, YORK, engine, features, plan

WORDS = "payroll human resources system cleaning school buildings insurance fleet parking enforcement software".split()  # noqa: SIM905


def some_plans(count: int, seed: int) -> list[Plan]:
    """Plans with titles that overlap, windows that meet and miss, every stage and sharing among them."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        authority = rng.choice([LEEDS, YORK, CAMDEN, ISLINGTON, GLASGOW, "GB-X-1"])
        start = AS_OF + timedelta(days=rng.randrange(-100, 500))
        found.append(
            plan(
                authority,
                " ".join(rng.sample(WORDS, 4)),
                plan_id=f"{authority}:{number}",
                description=" ".join(rng.choices(WORDS, k=12)),
                tender_window=Window(start, start + timedelta(days=rng.randrange(200))),
                cpv=rng.choice([(), ("48450000",), ("90910000",), ("66510000", "48000000")]),
                value=rng.choice([None, 10_000.0, 200_000.0]),
                stage=rng.choice([Stage.PLANNED] * 5 + [Stage.TENDERING]),
                sharing=rng.choice([Sharing.OPEN] * 5 + [Sharing.PRIVATE]),
                contract_end=start + timedelta(days=300),
                contract_start=rng.choice([None, start - timedelta(days=500)]),
                extension_months=rng.choice([0, 0, 12]),
            )
        )
    return found


def test_search_finds_exactly_what_assess_calls_an_opportunity() -> None:
    every = [features(one) for one in some_plans(120, seed=3)]
    corpus = engine().corpus()
    for one in every:
        corpus.upsert(one)
    pairs = 0
    for query in every:
        wanted = sorted(
            other.plan.plan_id
            for other in every
            if other is not query and engine().assess(query, other, AS_OF).is_opportunity
        )
        assert engine().search(query, corpus, AS_OF) == wanted
        pairs += len(wanted)
    assert pairs > 100


def test_order_of_arrival_changes_nothing_in_the_engine() -> None:
    every = [features(one) for one in some_plans(40, seed=5)]
    query = every[0]
    straight, winding = engine().corpus(), engine().corpus()
    for one in every:
        straight.upsert(one)
    for _ in range(20):
        for one in reversed(every):
            winding.remove(one.plan.plan_id)
            winding.upsert(one)
            winding.upsert(one)
    assert len(winding) == len(straight) == 40
    assert len(winding.plan_ids) < 800
    assert winding.revisions == straight.revisions
    assert engine().search(query, winding, AS_OF) == engine().search(query, straight, AS_OF)


def test_dropped_plans_are_not_found() -> None:
    a, b = features(plan(LEEDS)), features(plan(YORK))
    corpus = engine().corpus()
    corpus.upsert(b)
    assert engine().search(a, corpus, AS_OF) == [b.plan.plan_id]
    corpus.remove(b.plan.plan_id)
    corpus.remove("E06000014:never-there")
    assert engine().search(a, corpus, AS_OF) == []
    assert corpus.get(b.plan.plan_id) is None


def test_the_same_need_is_a_notify_with_reasons() -> None:
    found = engine().assess(features(plan(LEEDS)), features(plan(YORK)), AS_OF)
    assert found.band is Band.NOTIFY
    assert found.common_window == Window(date(2027, 6, 1), date(2027, 9, 30))
    assert (found.decide_by, found.lead_days) == (date(2027, 2, 11), 110)
    assert any("payroll" in reason for reason in found.reasons)
    assert "Both name CPV 48450000 (Time accounting or human resources software package)." in found.reasons


def test_generation_names_everything_that_decides() -> None:
    one = engine().generation
    assert one.id == engine().generation.id
    assert one.policy.startswith(engine().policy.version)
    assert len(one.id) == 16


def test_a_model_without_packaged_groups_still_serves() -> None:
    other = Engine.load(model="some-other-model/1")
    a, b = features(plan(LEEDS), other), features(plan(YORK), other)
    corpus = other.corpus()
    corpus.upsert(b)
    assert other.search(a, corpus, AS_OF) == [b.plan.plan_id]
    assert other.generation.id != engine().generation.id
