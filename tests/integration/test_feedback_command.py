"""`jointly feedback` on a database that the matcher has filled."""

import json
from pathlib import Path

from tests.support.filled_database import BRADFORD, CAMDEN, LEEDS, Publish, plan, run
from tests.support.ids import opportunity_id

OWN = f"{LEEDS}:HR-1"


def test_the_database_says_which_plans_an_answer_was_about(publish: Publish, tmp_path: Path) -> None:
    publish(plan(LEEDS), plan(BRADFORD), plan(CAMDEN))
    answers = [
        {
            "kind": "answered",
            "response_id": f"response-{partner}",
            "authority": LEEDS,
            "plan_id": OWN,
            "subject": "opportunity",
            "subject_id": opportunity_id(OWN, f"{partner}:HR-1"),
            "subject_revision": 1,
            "answer": "not-the-same",
        }
        for partner in (BRADFORD, CAMDEN)
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)), "utf-8")
    # The third plan is not among those to learn from.
    (tmp_path / "plans.jsonl").write_text(
        f"{plan(LEEDS).model_dump_json()}\n{plan(BRADFORD).model_dump_json()}", "utf-8"
    )
    done = run("feedback", str(tmp_path / "answers.jsonl"), "--plans", str(tmp_path / "plans.jsonl"))
    assert done.exit_code == 0, done.output
    (pair,) = map(json.loads, done.stdout.splitlines())
    assert ({pair["a"], pair["b"]}, pair["sign"]) == ({OWN, f"{BRADFORD}:HR-1"}, False)
