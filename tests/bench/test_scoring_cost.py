"""Scoring stays cheap: by counts, which no machine's mood changes."""

from matching.engine import Engine
from tests.bench.scoring import invented, measure
from tests.unit.matching.builders import EMBEDDER, features


def test_few_pairs_are_judged_one_by_one() -> None:
    engine = Engine.load(model=EMBEDDER.model)
    found = measure(engine, [features(plan, engine) for plan in invented(400)], queries=100)
    assert found["opportunities"] > 0
    # Arrays must settle nearly all pairs: judging one costs a hundred times as much.
    assert found["judged_one_by_one"] <= 0.02 * found["pairs"]
    assert found["judged_one_by_one"] <= 6 * found["opportunities"]
