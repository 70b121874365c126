"""A few seeds of I6 in every run; a thousand by `python -m tests.chaos.order_independence --seeds 1000`."""

import json
import sys
from pathlib import Path

import pytest

from services.store.state_hash import StateHash
from tests.chaos import order_independence


async def test_two_replays_in_different_orders_end_in_the_same_digest(database_url: str) -> None:
    found = await order_independence.run(database_url, range(1, 9), plans=14)
    assert [item.seed for item in found if not item.ok] == []
    assert sum(item.digests["rebuilt"].pairs for item in found) > 40
    assert sum(item.assessed for item in found) > 500


def test_a_pair_missed_and_one_too_many_are_counted() -> None:
    one, two, three = ("a", "b"), ("a", "c"), ("b", "c")
    found = order_independence.Found(1, 3, {one: (80.0, "notify"), two: (60.0, "digest")}, pairs=3, rebuilt=True)
    found.digests = dict.fromkeys(("one matcher", "two matchers"), StateHash("0", 3, 2))
    found.hold(found.expected)
    assert found.ok
    found.hold({one: (79.0, "notify"), three: (50.0, "digest")})
    assert (found.assessed, found.missed, found.stale, found.ok) == (6, 1, 2, False)


def test_totals_are_kept_and_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for seeds in ("1", "2"):
        words = ["orders", "--seeds", seeds, "--plans", "6", "--file", str(tmp_path / "new" / "totals.json"), "--json"]
        monkeypatch.setattr(sys, "argv", words)
        assert order_independence.main() == 0
        said.append(json.loads(capsys.readouterr().out))
    assert [(totals["seeds"], totals["missed"], totals["stale"]) for totals in said] == [(1, 0, 0), (2, 0, 0)]
    assert said[1]["pairs_assessed"] > said[0]["pairs_assessed"] > 0
