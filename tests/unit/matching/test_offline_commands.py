"""The commands that need neither broker nor database, on small files with the stand-in embedder."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from matching.assessment import Band
from matching.corpus_statistics import Statistics
from services.cli import evaluate
from tests.unit.matching.builders import LEEDS
from tests.unit.matching.offline import LATE, OFFLINE, PLANS, QUERY, RIGHT, WRONG, payload, rows, run


def test_the_best_partner_by_score_comes_first(files: Path) -> None:
    found = rows(files, "--plan", QUERY)
    assert found[0]["partner"] == RIGHT
    assert {"plan", "partner", "specification", "timing", "region", "value", "score", "band"} < found[0].keys()
    assert found[0]["band"] == "notify"
    assert LATE not in {row["partner"] for row in found}


def test_by_specification_gated_pairs_are_there_with_their_gates(files: Path) -> None:
    found = {row["partner"]: row for row in rows(files, "--plan", QUERY, "--by", "specification")}
    assert set(found) == {RIGHT, LATE, WRONG}
    assert found[LATE]["gates"] == ["no-common-window"]
    assert found[LATE]["specification_band"] != "none"
    assert found[LATE]["band"] == "none"
    assert found[RIGHT]["specification"] > found[WRONG]["specification"]


def test_every_plan_is_scored_and_a_second_run_embeds_nothing(files: Path) -> None:
    first = rows(files, "--top", "1", "--by", "specification")
    assert [row["plan"] for row in first] == [p["plan_id"] for p in PLANS]
    done = run("score", files, "--plans", "@plans.jsonl", "--as-of", "2026-11-22", *OFFLINE, "--by", "specification")
    assert "embedded" not in done.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"plan_id": 3}', "line 6: plan_id"),
        ("{", "line 6: not a plan"),
        (json.dumps(payload(LEEDS, 9, "x", kind="odd")), "line 6: kind: must be 'new'"),
        (
            json.dumps(payload(LEEDS, 9, "x", tender_window={"earliest": "2027-09-01", "latest": "2027-03-01"})),
            "line 6: tender_window: earliest (2027-09-01) is after latest",
        ),
    ],
)
def test_a_broken_line_is_named(files: Path, line: str, says: str) -> None:
    with (files / "plans.jsonl").open("a", encoding="utf-8") as plans:
        plans.write(line + "\n")
    done = run("score", files, "--plans", "@plans.jsonl", *OFFLINE)
    assert done.exit_code == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--plan", "E08000035:none"), "holds no plan E08000035:none"),
        (("--policy", "@none.toml"), "cannot read the policy file"),
        (("--statistics", "@none.json"), "cannot use the statistics file"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(files: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run("score", files, "--plans", "@plans.jsonl", *OFFLINE, *arguments)
    assert done.exit_code == 2
    assert says in done.stderr


def gain(*grades: int) -> float:
    return sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades))


@pytest.mark.parametrize(
    ("ranking", "ndcg", "first", "recall", "ap", "judged"),
    [
        (["a", "b", "c"], 1.0, 1.0, 1.0, 1.0, 0.3),
        (["c", "b", "a"], gain(0, 2, 3) / gain(3, 2, 0), 0.0, 1.0, (1 / 2 + 2 / 3) / 2, 0.3),
        (["unknown", "a"], gain(0, 3) / gain(3, 2), 0.0, 0.5, (1 / 2) / 2, 0.1),
        ([], 0.0, 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_numbers_of_a_query(
    ranking: Sequence[str], ndcg: float, first: float, recall: float, ap: float, judged: float
) -> None:
    found = evaluate.of_query({"a": 3, "b": 2, "c": 0}, ranking)
    assert found == pytest.approx({"ndcg@10": ndcg, "p@1": first, "recall@10": recall, "ap": ap, "judged@10": judged})


def test_numbers_of_bands_count_what_was_not_ranked_as_none() -> None:
    run_ = {"q": [("a", Band.NOTIFY), ("c", Band.DIGEST)]}
    found = evaluate.numbers_of(run_, {"q": {"a": 3, "b": 2, "c": 0}, "nothing right": {"d": 0}})
    assert found["queries"] == 1
    assert found["notify"] == {"pairs": 1, "precision": 1.0, "recall": 0.5}
    assert found["notify+digest"] == {"pairs": 2, "precision": 0.5, "recall": 0.5}


def test_two_policies_stand_side_by_side(files: Path) -> None:
    shipped = Path(evaluate.__file__).parents[2] / "matching" / "policy.toml"
    other = shipped.read_text(encoding="utf-8").replace("body_share = 0.7", "body_share = 0.1")
    (files / "other.toml").write_text(other, encoding="utf-8")
    common = ("--plans", "@plans.jsonl", "--judgements", "@judged.json", "--against", "@other.toml", *OFFLINE)
    as_json = run("evaluate", files, *common, "--json")
    assert as_json.exit_code == 0, as_json.output
    found = json.loads(as_json.stdout)
    assert len(found) == 2
    assert {numbers["queries"] for numbers in found.values()} == {1}
    for_people = run("evaluate", files, *common).stdout
    assert all(version in for_people for version in found)
    assert "ndcg@10" in for_people


def test_judgements_of_another_form_are_refused(files: Path) -> None:
    (files / "judged.json").write_text('{"q": {"a": 4}}', encoding="utf-8")
    done = run("evaluate", files, "--plans", "@plans.jsonl", "--judgements", "@judged.json", *OFFLINE)
    assert done.exit_code == 2
    assert "grades 0 to 3" in done.stderr


def test_statistics_of_a_file_can_be_scored_with(files: Path) -> None:
    done = run("statistics", files, "build", "--plans", "@plans.jsonl", "--output", "@own.json", "--name", "mine")
    assert done.exit_code == 0, done.output
    built = Statistics.load(files / "own.json")
    assert built.documents == len(PLANS)
    assert built.words["payroll"] == 3
    assert "fewer than 500 plans" in done.stderr
    assert rows(files, "--plan", QUERY, "--statistics", "@own.json")
