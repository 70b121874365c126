"""What is over a cap, and that the order in which it came makes no difference."""

import random
import time
from collections import Counter

import pytest

from services.domain.notification_caps import Cap, CapCandidate, Caps, exceeding_caps, spread

CAPS = Caps(per_plan=2, per_authority=3, reach=10)


def about(
    number: int, plan: str, partner: str = "A", score: float = 50.0, band: int = 1, near_miss_of: str = ""
) -> CapCandidate:
    return CapCandidate(number, partner, f"{partner}:{plan}", (band, score), near_miss_of)


def near_misses(*own: str) -> list[CapCandidate]:
    """A near miss with each of these own plans, each of another authority, the strongest first."""
    return [about(n, "x", str(n), score=90.0 - n, near_miss_of=plan) for n, plan in enumerate(own)]


@pytest.mark.parametrize(
    ("found", "reached", "left"),
    [
        ([], {}, {}),
        ([about(1, "x"), about(2, "x"), about(3, "x")], {}, {3: "plan"}),
        ([about(1, "x"), about(2, "x"), about(3, "x", score=60.0)], {}, {2: "plan"}),
        ([about(1, "x", score=99.0), about(2, "x"), about(3, "x", band=2, score=1.0)], {}, {2: "plan"}),
        ([about(n, str(n)) for n in range(1, 6)], {}, {4: "authority", 5: "authority"}),
        ([about(n, str(n), partner=str(n)) for n in range(1, 6)], {}, {}),
        ([about(1, "x"), about(2, "x"), about(3, "x"), about(4, "y"), about(5, "z")], {}, {3: "plan", 5: "authority"}),
        ([about(1, "x"), about(2, "y")], {"A:x": 10, "A:y": 9}, {1: "reach"}),
        (near_misses("mine", "mine", "other", "mine", "other"), {}, {3: "near-miss"}),
        ([*near_misses("mine", "mine", "mine"), about(9, "y", "9", score=1.0)], {}, {2: "near-miss"}),
    ],
)
def test_what_is_over_a_cap(found: list[CapCandidate], reached: dict[str, int], left: dict[int, Cap]) -> None:
    for _ in range(10):
        random.Random(len(found)).shuffle(found)
        assert exceeding_caps(found, CAPS, reached) == left


@pytest.mark.parametrize(
    ("found", "mails"),
    [
        ([], {}),
        ([about(n, "x", score=90.0 - n) for n in range(5)], {0: 0, 1: 0, 2: 1, 3: 1, 4: 2}),
        ([about(n, str(n), score=90.0 - n) for n in range(5)], {0: 0, 1: 0, 2: 0, 3: 1, 4: 1}),
        ([about(n, str(n), partner=str(n)) for n in range(5)], dict.fromkeys(range(5), 0)),
        ([about(1, "x"), about(2, "x"), about(3, "x"), about(4, "y"), about(5, "z")], {1: 0, 2: 0, 3: 1, 4: 0, 5: 1}),
        (near_misses("mine", "mine", "other", "mine", "mine", "mine"), {0: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 2}),
    ],
)
def test_what_is_over_a_cap_is_spread_over_the_mails_to_come(found: list[CapCandidate], mails: dict[int, int]) -> None:
    for _ in range(10):
        random.Random(len(found)).shuffle(found)
        assert spread(found, CAPS) == mails


def test_many_mails_are_spread_in_no_time() -> None:
    chance = random.Random(1)
    found = [about(n, str(chance.randrange(400)), str(chance.randrange(3)), chance.random()) for n in range(20_000)]
    started = time.process_time()
    mails = spread(found, CAPS)
    assert time.process_time() - started < 5
    assert mails.keys() == {item.intent_id for item in found}
    plans = Counter((mails[item.intent_id], item.plan_id) for item in found)
    partners = Counter((mails[item.intent_id], item.partner) for item in found)
    assert (max(plans.values()), max(partners.values())) == (CAPS.per_plan, CAPS.per_authority)
    assert max(mails.values()) < 1.1 * len(found) / (3 * CAPS.per_authority)
