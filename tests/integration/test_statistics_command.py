"""`jointly statistics build --database` on real PostgreSQL: the same counts as from the file of the same plans."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from matching.corpus_statistics import Statistics
from services.cli import application
from services.platform.settings import settings
from tests.chaos import order_independence


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A database that the matcher has filled, and the settings for the command."""
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url)
    settings.cache_clear()
    asyncio.run(order_independence.run(database_url, [3]))
    yield database_url
    settings.cache_clear()


def build(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(application("statistics"), ["statistics", "build", *words])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_the_database_counts_as_its_plans_in_a_file_do(url: str, tmp_path: Path) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        states = list(connection.execute(text("SELECT state FROM plans WHERE matchable")).scalars())
        hidden = connection.execute(text("SELECT count(*) FROM plans WHERE NOT matchable")).scalar_one()
    engine.dispose()
    assert states
    assert hidden, "the plans must include some that are not to be counted"
    file, ours, theirs = tmp_path / "plans.jsonl", tmp_path / "database.json", tmp_path / "file.json"
    file.write_text("".join(json.dumps(state) + "\n" for state in states), encoding="utf-8")
    build("--database", "--output", str(ours))
    build("--plans", str(file), "--output", str(theirs))
    assert ours.read_bytes() == theirs.read_bytes()
    assert Statistics.load(ours).documents == len(states)


def test_it_wants_one_source_and_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = str(tmp_path / "out.json")
    assert "either --plans FILE or --database" in build("--output", output, code=2)
    assert "either --plans" in build("--output", output, "--database", "--plans", "x", code=2)
    monkeypatch.setenv("JOINTLY_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    settings.cache_clear()
    assert "can't be reached" in build("--output", output, "--database", code=4)
    settings.cache_clear()
