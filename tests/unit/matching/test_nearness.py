"""Vectors side by side find what comparing one by one finds, also after some were changed and others dropped."""

import numpy as np
import pytest

from matching.candidates.vector_scan import Floats, Vectors

ALL = 10_000


def drawn(count: int, seed: int) -> dict[str, Floats]:
    rows = np.random.default_rng(seed).standard_normal((count, 12)).astype(np.float32)
    return {f"P{number}": row for number, row in enumerate(rows)}


def one_by_one(asked: Floats, held: dict[str, Floats], least: float) -> set[str]:
    return {plan_id for plan_id, vector in held.items() if float(vector @ asked) >= least}


def made(held: dict[str, Floats]) -> Vectors:
    vectors = Vectors(12)
    vectors.put(held)
    return vectors


def test_all_that_are_near_enough_are_found() -> None:
    held = drawn(2700, seed=1)
    asked = list(drawn(5, seed=2).values())
    found = made(held).near(asked, 2.5, ALL)
    assert [set(ids) for ids in found] == [one_by_one(one, held, 2.5) for one in asked]
    assert sum(map(len, found)) > 100


def test_a_changed_vector_takes_the_place_of_the_old_one_and_dropped_ones_are_gone() -> None:
    held = drawn(600, seed=3)
    vectors = made(held)
    changed = {plan_id: -held[plan_id] for plan_id in list(held)[:300]}
    vectors.put(changed)
    kept = set(list(held)[::2]) | {"P of nobody"}
    vectors.keep(kept)
    late = {f"late {plan_id}": vector for plan_id, vector in drawn(300, seed=4).items()}
    vectors.put(late)
    now = {plan_id: vector for plan_id, vector in {**held, **changed}.items() if plan_id in kept} | late
    assert len(vectors) == len(now)
    (asked,) = drawn(1, seed=5).values()
    (found,) = vectors.near([asked], 1.0, ALL)
    assert set(found) == one_by_one(asked, now, 1.0)


@pytest.mark.parametrize("most", [1, 7])
def test_where_there_are_too_many_the_nearest_are_taken(most: int) -> None:
    held = drawn(400, seed=6)
    (asked,) = drawn(1, seed=7).values()
    (found,) = made(held).near([asked], -100.0, most)
    best = sorted(held, key=lambda plan_id: float(held[plan_id] @ asked), reverse=True)[:most]
    assert sorted(found) == sorted(best)


def test_nothing_is_near_where_there_is_nothing() -> None:
    (asked,) = drawn(1, seed=8).values()
    assert Vectors(12).near([asked], -100.0, ALL) == [[]]
    assert made(drawn(3, seed=9)).near([], 0.0, ALL) == []
