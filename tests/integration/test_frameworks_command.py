"""`jointly frameworks` on real PostgreSQL: imported whole, listed, written again, held against a plan."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from services.cli import application, lazy_encoder
from services.platform.settings import settings
from services.store.database import make_engine, make_sessions
from tests.pipeline import record_of
from tests.support.coalitions import LEEDS, plan, plan_id
from tests.support.command_line import CommandLine, command_line
from tests.support.matcher import make_matcher

EXAMPLE = Path(__file__).parents[2] / "docs/examples/frameworks.csv"


@pytest.fixture
def jointly(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """A database in which Leeds plans to buy HR software, and the command on it."""
    lazy_encoder.encoder.cache_clear()

    async def fill() -> None:
        engine = make_engine(database_url)
        matcher = await make_matcher(make_sessions(engine))
        await matcher.handle([record_of(plan(LEEDS), 0)])
        await engine.dispose()

    asyncio.run(fill())
    with command_line(database_url, monkeypatch, JOINTLY_EMBEDDING_MODEL="hashing") as run:
        yield partial(run, "frameworks")
    lazy_encoder.encoder.cache_clear()


def _checked(jointly: CommandLine) -> Any:
    code, printed, said = jointly("check", plan_id(LEEDS), "--json")
    assert code == 0, said
    return json.loads(printed)


def test_a_plan_is_held_against_what_was_imported(jointly: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _checked(jointly)["line"] is None
    assert jointly("import", EXAMPLE)[:2] == (0, "3 added, 0 changed, 0 unchanged, 0 removed, 0 rejected\n")
    # The vectors are stored: no model is needed any more.
    monkeypatch.setenv("JOINTLY_EMBEDDING_MODEL", "/nowhere")
    settings.cache_clear()
    lazy_encoder.encoder.cache_clear()
    found = _checked(jointly)
    assert found["line"] == "Check first: 1 framework covers this."
    assert found["day_of_need"] == "2027-09-30"
    first, *others = found["covering"]
    assert (first["framework"], first["lot"], first["usable"], first["entitled"]) == ("EX-0001", "1", True, True)
    assert all(not one["usable"] for one in others if one["framework"] == "EX-0002"), "it ends in 2026"
    code, printed, _ = jointly("check", plan_id(LEEDS))
    assert (code, "Check first: 1 framework covers this." in printed) == (0, True)
    assert "It runs from 1 April 2026 until 31 March 2028." in printed


def test_importing_a_framework_again_changes_nothing(jointly: CommandLine, tmp_path: Path) -> None:
    jointly("import", EXAMPLE)
    assert jointly("import", EXAMPLE)[1] == "0 added, 0 changed, 3 unchanged, 0 removed, 0 rejected\n"
    _, written, _ = jointly("export")
    file = tmp_path / "again.csv"
    file.write_text(written, "utf-8")
    assert jointly("import", file)[1] == "0 added, 0 changed, 3 unchanged, 0 removed, 0 rejected\n"
    lines = written.splitlines()
    kept = [line.replace("0.5", "0.75") for line in lines if "Document management" not in line]
    file.write_text("\n".join([*kept, "broken"]), "utf-8")
    code, printed, said = jointly("import", file, "--json")
    assert (code, json.loads(printed)) == (
        1,
        {"added": 0, "changed": 1, "unchanged": 1, "removed": 1, "rejected": 1},
    )
    assert "line 4: title is missing" in said
    assert jointly("list")[1].endswith("2 lots\n")
    assert jointly("remove", "EX-0002")[:2] == (0, "1 lot removed\n")
    assert jointly("remove", "EX-0002")[0] == 1


def test_what_cannot_be_checked_or_read_is_said(jointly: CommandLine, tmp_path: Path) -> None:
    code, _, said = jointly("check", "E08000035:NONE")
    assert (code, "there is no plan E08000035:NONE" in said) == (1, True)
    for name, content in (("x.csv", "framework\n"), ("x.json", "{"), ("none.csv", None)):
        file = tmp_path / name
        if content is not None:
            file.write_text(content, "utf-8")
        assert jointly("import", file)[0] == 2


def test_a_plan_that_is_a_call_off_is_not_told_to_check_first(jointly: CommandLine, database_url: str) -> None:
    jointly("import", EXAMPLE)
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE plans SET state = jsonb_set(state, '{title}', '\"HR and payroll system, call-off\"')")
        )
    engine.dispose()
    found = _checked(jointly)
    assert (found["line"], found["note"]) == (None, "By its words the plan is a call-off already.")
    assert found["covering"]


def test_a_planned_framework_is_for_the_bodys_members(jointly: CommandLine, tmp_path: Path) -> None:
    file, members = tmp_path / "planned.csv", tmp_path / "members.csv"
    first, *_ = EXAMPLE.read_text("utf-8").splitlines()
    values = "PL-1,Back-office software,A body,HR and payroll software for councils,2027-07-01,2029-06-30,{},a plan"
    columns = "framework,title,owner,scope,starts,ends,entitled,source"
    assert set(columns.split(",")) < set(first.split(","))
    file.write_text(f"{columns}\n{values.format('GB-X-BODY')}\n", "utf-8")
    jointly("import", file)
    assert [one["entitled"] for one in _checked(jointly)["covering"]] == [False]
    header = "party,kind,name,authority,joined_on,left_on"
    for left, entitled in (("2027-09-30", False), ("2027-10-01", True)):
        members.write_text(f"{header}\nGB-X-BODY,purchasing-body,A body,{LEEDS},2026-01-01,{left}\n", "utf-8")
        done = CliRunner().invoke(application("parties"), ["parties", "import", str(members)])
        assert done.exit_code == 0, done.stderr
        assert [one["entitled"] for one in _checked(jointly)["covering"]] == [entitled], "on the day of need"
    assert "It runs from 1 July 2027 until 30 June 2029." in jointly("check", plan_id(LEEDS))[1]
