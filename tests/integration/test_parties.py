"""`jointly parties` on real PostgreSQL: imported whole, listed as of a day, written again; nothing by halves."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support.command_line import CommandLine, command_line

EXAMPLE = Path(__file__).parents[2] / "docs/examples/parties.csv"


@pytest.fixture
def jointly(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with command_line(database_url, monkeypatch) as run:
        yield partial(run, "parties")


def test_parties_are_imported_whole_listed_and_written(jointly: CommandLine, database_url: str, tmp_path: Path) -> None:
    assert jointly("import", EXAMPLE)[:2] == (0, "2 added, 0 changed, 0 unchanged\n")
    assert jointly("import", EXAMPLE)[1] == "0 added, 0 changed, 2 unchanged\n"
    listed = jointly("list", "--as-of", "2027-04-01")[1].splitlines()
    assert listed[1:] == ["GB-X-EXAMPLE-OFFICE  Example programme office (programme-office): 2 members", "2 parties"]
    found = [json.loads(line) for line in jointly("list", "--as-of", "2026-04-01", "--json")[1].splitlines()]
    assert [one["members"] for one in found] == [[], ["E08000032", "E08000034", "E08000035"]]
    written = jointly("export")[1]
    assert sorted(written.splitlines()) == sorted(EXAMPLE.read_text("utf-8").splitlines())
    less = tmp_path / "less.csv"
    less.write_text("\n".join(line for line in written.splitlines() if "E08000032" not in line), "utf-8")
    assert jointly("import", less)[1] == "0 added, 1 changed, 1 unchanged\n"
    engine = create_engine(database_url)
    with engine.connect() as connection:
        query = text("SELECT mailbox FROM authorities WHERE authority = 'GB-X-EXAMPLE-OFFICE'")
        assert connection.execute(query).scalar_one() == "office@charter.example"
    engine.dispose()


def test_a_wrong_line_leaves_everything_as_it_was(jointly: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(EXAMPLE.read_text("utf-8").replace("E08000032,2026-04-01", "E08000032,soon"), "utf-8")
    code, printed, said = jointly("import", file)
    assert (code, printed) == (1, "")
    assert "line 3: joined_on is not a date; expected YYYY-MM-DD" in said
    file.write_text(EXAMPLE.read_text("utf-8").replace("E08000032,2026-04-01", "E08000032,0001-04-01"), "utf-8")
    assert "line 3: joined_on has a year that is not from 1900 to 2100" in jointly("import", file)[2]
    assert jointly("list")[1] == "0 parties\n"
    assert jointly("import", tmp_path / "none.csv")[0] == 2
