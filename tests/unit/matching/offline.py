"""Commands on files, without broker and database."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from services.cli import application
from tests.unit.matching.builders import CAMDEN, LEEDS, YORK

WINDOW = {"earliest": "2027-06-01", "latest": "2027-09-30"}


def payload(authority: str, number: int, title: str, **changes: Any) -> dict[str, Any]:
    """A plan as a line of a file has it."""
    plan = {
        "plan_id": f"{authority}:{number}",
        "revision": 1,
        "authority": authority,
        "title": title,
        "description": f"{title} for the whole council.",
        "kind": "new",
        "tender_window": WINDOW,
    }
    return {**plan, **changes}


PLANS = [
    payload(LEEDS, 1, "HR and payroll system"),
    payload(YORK, 2, "Payroll and HR system"),
    payload(CAMDEN, 3, "Payroll system", tender_window={"earliest": "2028-06-01", "latest": "2028-07-01"}),
    payload(YORK, 4, "Grass cutting"),
    payload(LEEDS, 5, "HR system"),
]
QUERY, RIGHT, LATE, WRONG = f"{LEEDS}:1", f"{YORK}:2", f"{CAMDEN}:3", f"{YORK}:4"


def write_files(folder: Path) -> Path:
    """Write `PLANS` and one judged query into a folder."""
    (folder / "plans.jsonl").write_text("\n".join(json.dumps(p) for p in PLANS) + "\n", encoding="utf-8")
    (folder / "judged.json").write_text(json.dumps({QUERY: {RIGHT: 3, LATE: 2, WRONG: 0}}), encoding="utf-8")
    return folder


def run(command: str, files: Path, *arguments: str) -> Any:
    """Run a command in this process; `@` stands for the folder."""
    return CliRunner().invoke(application(command), [command, *(a.replace("@", f"{files}/") for a in arguments)])


OFFLINE = ("--model", "hashing", "--cache", "@cache.sqlite")


def rows(files: Path, *arguments: str) -> list[dict[str, Any]]:
    """The rows that `score` prints."""
    done = run("score", files, "--plans", "@plans.jsonl", "--as-of", "2026-11-22", *OFFLINE, *arguments)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]
