"""Answers of authorities become pairs that a fit can learn from."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.application.responses import ResponseError, read_jsonl
from services.cli.feedback import judge_pairs
from services.cli.pairs import read_pairs
from tests.unit.matching.builders import CAMDEN, LEEDS, YORK
from tests.unit.matching.offline import payload, run

ONE, OTHER, THIRD = f"{LEEDS}:1", f"{YORK}:2", f"{CAMDEN}:3"
IDS = {frozenset(pair): f"{number:032x}" for number, pair in enumerate(((ONE, OTHER), (ONE, THIRD)))}
PAIRS = {key: (min(pair), max(pair)) for pair, key in IDS.items()}


def answer(own: str, partner: str, said: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "answered",
        "response_id": f"response-{number}",
        "authority": own.partition(":")[0],
        "plan_id": own,
        "subject": "opportunity",
        "subject_id": IDS.get(frozenset((own, partner)), "f" * 32),
        "subject_revision": 1,
        "answer": said,
        **changes,
    }


def pairs_of(folder: Path, *answers: dict[str, Any]) -> list[dict[str, Any]]:
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    said = [one for one in read_jsonl(folder / "answers.jsonl") if not isinstance(one, ResponseError)]
    found = judge_pairs(said, PAIRS)
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, found)), encoding="utf-8")
    return found


@pytest.mark.parametrize(
    ("said", "sign"),
    [("not-the-same", False), ("interested", True), ("other-dates", True), ("not-this-time", None), ("later", None)],
)
def test_an_answer_judges_the_requirement_or_nothing(tmp_path: Path, said: str, *, sign: bool | None) -> None:
    more = {"other-dates": {"window": {"earliest": "2027-06-01", "latest": "2027-07-01"}}, "later": {}}
    found = pairs_of(tmp_path, answer(ONE, OTHER, said, **more.get(said, {})))
    assert [one["sign"] for one in found] == ([] if sign is None else [sign])
    if found:
        (pair,) = read_pairs(tmp_path / "pairs.jsonl", judged=True)
        assert {pair.a, pair.b} == {ONE, OTHER}


def test_one_no_outweighs_interest_and_the_last_word_counts(tmp_path: Path) -> None:
    found = pairs_of(
        tmp_path,
        answer(ONE, OTHER, "interested", 1),
        answer(OTHER, ONE, "not-the-same", 2, reason="different-product"),
        answer(ONE, THIRD, "not-the-same", 3),
        answer(ONE, THIRD, "interested", 4),
    )
    assert {frozenset((one["a"], one["b"])): (one["sign"], one["reason"], one["readers"]) for one in found} == {
        frozenset((ONE, OTHER)): (False, "different-product", 2),
        frozenset((ONE, THIRD)): (True, None, 1),
    }


def test_answers_taken_back_and_unknown_pairs_count_for_nothing(tmp_path: Path) -> None:
    undo = {k: v for k, v in answer(ONE, OTHER, "").items() if k != "answer"}
    undo |= {"kind": "undone", "response_id": "response-9", "undoes": "response-1"}
    assert (
        pairs_of(tmp_path, answer(ONE, OTHER, "interested", 1), undo, answer(ONE, f"{YORK}:77", "interested", 2)) == []
    )


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "plans.jsonl").write_text(json.dumps(payload(LEEDS, 1, "Payroll")), encoding="utf-8")
    (tmp_path / "answers.jsonl").write_text('{"kind": "odd"}', encoding="utf-8")
    done = run("feedback", tmp_path, "@answers.jsonl", "--plans", "@plans.jsonl")
    assert done.exit_code == 2
    assert "line 1" in done.stderr
