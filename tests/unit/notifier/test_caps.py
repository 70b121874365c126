"""What is over a cap, and that the order in which it came makes no difference."""

import random

import pytest

from services.notifier.caps import About, Cap, Caps, over

CAPS = Caps(per_plan=2, per_authority=3, reach=10)


def about(number: int, plan: str, partner: str = "A", score: float = 50.0, band: int = 1) -> About:
    return About(number, partner, f"{partner}:{plan}", (band, score))


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
    ],
)
def test_what_is_over_a_cap(found: list[About], reached: dict[str, int], left: dict[int, Cap]) -> None:
    for _ in range(10):
        random.Random(len(found)).shuffle(found)
        assert over(found, CAPS, reached) == left
