"""Pairs of a file: scored as they stand, and engines measured on those that somebody has judged."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from matching.assessment import Band
from services.cli import score
from services.cli.pairs import Pair, PairOutcome, calibration, pair_numbers
from tests.unit.matching.offline import LATE, OFFLINE, QUERY, RIGHT, WRONG, rows, run

JUDGED = [
    {"a": QUERY, "b": RIGHT, "sign": True},
    {"plan": WRONG, "partner": QUERY, "sign": False},
    {"a": LATE, "b": QUERY, "sign": True},
]


@pytest.fixture
def judged(files: Path) -> Path:
    (files / "pairs.jsonl").write_text("\n".join(map(json.dumps, JUDGED)) + "\n", encoding="utf-8")
    return files


def test_given_pairs_are_scored_in_their_order_gated_ones_too(judged: Path) -> None:
    found = rows(judged, "--pairs", "@pairs.jsonl")
    assert [(row["plan"], row["partner"]) for row in found] == [(QUERY, RIGHT), (WRONG, QUERY), (LATE, QUERY)]
    assert found[2]["gates"] == ["no-common-window"]
    searched = {row["partner"]: row for row in rows(judged, "--plan", QUERY, "--by", "specification")}
    assert {k: v for k, v in found[0].items() if k != "plan"} == {
        k: v for k, v in searched[RIGHT].items() if k != "plan"
    }


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"a": "E08000035:1"}', "line 4: not a pair: name two different plans"),
        ('{"a": "E08000035:1", "b": "E08000035:1", "sign": true}', "line 4: not a pair: name two different plans"),
        ('{"a": "E08000035:1", "b": "E06000014:2", "sign": 1}', 'line 4: not a pair: "sign" must be true or false'),
        ("[", "line 4: not a pair"),
        ('{"a": "E08000035:1", "b": "E06000014:99", "sign": true}', "holds no plan E06000014:99"),
    ],
)
def test_a_pair_that_is_none_is_named(judged: Path, line: str, says: str) -> None:
    with (judged / "pairs.jsonl").open("a", encoding="utf-8") as pairs:
        pairs.write(line + "\n")
    done = run("evaluate", judged, "--plans", "@plans.jsonl", "--pairs", "@pairs.jsonl", *OFFLINE)
    assert done.exit_code == 2
    assert says in done.stderr


def test_a_pair_needs_a_judgement_to_be_measured_with(judged: Path) -> None:
    (judged / "pairs.jsonl").write_text(json.dumps({"a": QUERY, "b": RIGHT}), encoding="utf-8")
    assert len(rows(judged, "--pairs", "@pairs.jsonl")) == 1
    done = run("evaluate", judged, "--plans", "@plans.jsonl", "--pairs", "@pairs.jsonl", *OFFLINE)
    assert done.exit_code == 2
    assert '"sign" must be' in done.stderr


def test_one_kind_of_judgement_at_a_time(judged: Path) -> None:
    for given in ((), ("--pairs", "@pairs.jsonl", "--judgements", "@judged.json")):
        done = run("evaluate", judged, "--plans", "@plans.jsonl", *given, *OFFLINE)
        assert done.exit_code == 2
        assert "either --judgements or --pairs" in done.stderr


def test_two_policies_are_measured_on_the_same_pairs(judged: Path) -> None:
    shipped = Path(score.__file__).parents[2] / "matching" / "policy.toml"
    other = shipped.read_text(encoding="utf-8").replace("notify = 75.0", "notify = 99.9")
    (judged / "other.toml").write_text(other, encoding="utf-8")
    common = ("--plans", "@plans.jsonl", "--pairs", "@pairs.jsonl", "--against", "@other.toml", *OFFLINE)
    found = json.loads(run("evaluate", judged, *common, "--json").stdout)
    first, second = found.values()
    assert first["all"]["signed"] == second["all"]["signed"] == 2
    assert first["all"]["ap"] == second["all"]["ap"] == 1.0
    assert second["all"]["notify"]["pairs"] < first["all"]["notify"]["pairs"]
    for_people = run("evaluate", judged, *common).stdout
    assert "councils: p@r50" in for_people
    assert "calibration: brier" in for_people


def by_definition(outcomes: list[PairOutcome]) -> dict[str, Any]:
    """The numbers written down as their definitions say, pair by pair."""
    ranked = sorted(outcomes, key=lambda one: -one.score)
    signed = [one.score for one in outcomes if one.pair.sign]
    others = [one.score for one in outcomes if not one.pair.sign]
    hits = [sum(bool(x.pair.sign) for x in ranked[:n]) for n in range(1, len(ranked) + 1)]
    wins = sum((p > n) + 0.5 * (p == n) for p in signed for n in others)
    return {
        "ap": round(sum(h / n for n, h in enumerate(hits, 1) if ranked[n - 1].pair.sign) / len(signed), 4),
        "auc": round(wins / (len(signed) * len(others)), 4),
    } | {
        f"p@r{share}": next(round(h / n, 3) for n, h in enumerate(hits, 1) if h >= share / 100 * len(signed))
        for share in (30, 50, 70)
    }


@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_what_their_definitions_say(seed: int) -> None:
    rng = random.Random(seed)
    outcomes = [
        PairOutcome(
            Pair(rng.choice(["E08000035:1", "GB-X-1:2"]), f"E06000014:{n}", sign=n == 0 or rng.random() < 0.4),
            # Equal scores among them.
            round(rng.random(), 1),
            rng.choice(list(Band)),
        )
        for n in range(rng.choice([20, 57, 133]))
    ]
    found = pair_numbers(outcomes)
    assert {k: v for k, v in found["all"].items() if k in by_definition(outcomes)} == by_definition(outcomes)
    councils = [one for one in outcomes if not one.pair.a.startswith("GB")]
    assert found["councils"]["pairs"] == len(councils)
    told = [one for one in outcomes if one.band in (Band.NOTIFY, Band.DIGEST)]
    assert found["all"]["notify+digest"]["pairs"] == len(told)


def test_the_calibration_curve_compares_scores_with_shares() -> None:
    found = calibration([(0.05, False), (0.95, True), (1.0, True), (0.92, False)])
    assert [(one["from"], one["pairs"], one["signed"]) for one in found["bins"]] == [(0.0, 1, 0.0), (0.9, 3, 0.667)]
    assert found["error"] == round((0.05 * 1 + abs((0.95 + 1.0 + 0.92) / 3 - 2 / 3) * 3) / 4, 4)
    assert found["brier"] == round((0.05**2 + 0.05**2 + 0 + 0.92**2) / 4, 4)
