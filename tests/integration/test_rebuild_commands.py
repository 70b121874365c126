"""`jointly digest`, `jointly rebuild` and `jointly reassess` as their users call them; a backup restored."""

import asyncio
import json
import logging
import subprocess
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from matching import successions
from services.cli import application, lazy_encoder
from services.local_stack.postgres import Server
from services.platform.settings import settings
from tests.chaos import order_independence
from tests.pipeline import AS_OF
from tests.support.databases import postgres_tool


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A database that the matcher has filled, and the settings for the commands."""
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url)
    monkeypatch.setenv("JOINTLY_EMBEDDING_MODEL", "hashing")
    monkeypatch.setenv("JOINTLY_AS_OF", AS_OF.isoformat())
    settings.cache_clear()
    asyncio.run(order_independence.run(database_url, [3]))
    handlers, level, configured = logging.getLogger().handlers[:], logging.getLogger().level, structlog.get_config()
    yield database_url
    settings.cache_clear()
    successions.use(())
    # The commands route the logs as in a process of their own.
    structlog.configure(**configured)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def said(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(application(words[0]), list(words))
    assert done.exit_code == code, (done.output, done.exception)
    return json.loads(done.stdout.splitlines()[-1]) if "--json" in words else done.stdout


def change(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_check_says_what_differs_and_rebuild_mends_it(url: str) -> None:
    before = said("state-hash", "--json")
    assert before["pairs"] > 0
    assert "equal\n" in said("rebuild", "--check")
    change(url, "UPDATE opportunities SET score = score - 1 WHERE status = 'active'")
    assert said("state-hash", "--json")["sha256"] != before["sha256"]

    found = said("rebuild", "--check", "--json", code=1)
    assert (found["equal"], len(found["pairs"]), found["replaced"]) == (False, before["pairs"], None)
    assert found["rebuilt"] == before
    assert f"0 plans and {before['pairs']} pairs differ" in said("rebuild", "--check", code=1)
    assert f"replaced 0 plans and {before['pairs']} pairs, told nobody" in said("rebuild")
    assert said("rebuild", "--check", "--json")["equal"]
    assert said("state-hash", "--json") == before


def test_rebuild_loads_the_encoder_only_for_missing_vectors(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTLY_EMBEDDING_MODEL", "/nowhere")
    settings.cache_clear()
    assert said("rebuild", "--check", "--json")["equal"]
    change(url, "UPDATE plan_features SET feature_blob = NULL, text_hash = ''")
    assert said("rebuild", "--check", "--json")["equal"], "the vectors of all texts are stored"
    change(url, "DELETE FROM embeddings")
    assert "/nowhere" in CliRunner().invoke(application("rebuild"), ["rebuild", "--check"]).stderr
    monkeypatch.setenv("JOINTLY_EMBEDDING_MODEL", "hashing")
    settings.cache_clear()
    lazy_encoder.encoder.cache_clear()
    assert said("rebuild", "--check", "--json")["equal"]


def test_reassess_shows_and_then_does(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same = said("reassess", "--json")
    assert (same["from"] == same["to"], same["changes"], same["authorities"]) == (True, {}, [])
    shipped = (Path(__file__).parents[2] / "matching/policy.toml").read_text("utf-8")
    policy = tmp_path / "policy.toml"
    policy.write_text(shipped.replace("specification = 1.0\ntiming", "specification = 10.0\ntiming"), "utf-8")
    monkeypatch.setenv("JOINTLY_POLICY_FILE", str(policy))
    settings.cache_clear()

    before = said("state-hash")
    assert "this process has" in CliRunner().invoke(application("rebuild"), ["rebuild", "--check"]).stderr
    found = said("reassess", "--preview", "--json")
    assert found["changes"]["withdrawn"] > 0
    assert found["from"] != found["to"]
    assert "nothing was written" in said("reassess")
    assert said("state-hash") == before
    assert said("reassess", "--yes", "--json") == {"left": 0}
    assert said("reassess", "--json")["changes"] == {}
    assert said("rebuild", "--check", "--json")["equal"]


def test_successions_of_the_installations_own_file_take_effect(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = "SELECT authority_a, authority_b, opportunity_id FROM opportunities WHERE status = 'active' LIMIT 1"
    engine = create_engine(url)
    with engine.connect() as connection:
        *authorities, opportunity = connection.execute(text(pair)).one()
    file = tmp_path / "successions.csv"
    lines = [f"{code},GB-X-New,New Council,{AS_OF},whole,an order" for code in authorities]
    file.write_text("\n".join(["predecessor,successor,successor_name,starts,kind,source", *lines]), "utf-8")
    monkeypatch.setenv("JOINTLY_SUCCESSIONS_FILE", str(file))
    settings.cache_clear()
    assert "this process has" in CliRunner().invoke(application("rebuild"), ["rebuild", "--check"]).stderr
    preview = said("reassess", "--json")
    assert preview["changes"]["withdrawn"] > 0
    names = {one["authority"]: one["name"] for one in preview["authorities"]}
    assert all(names[code].startswith("New Council (for ") for code in authorities), names
    assert "New Council (for " in said("reassess")
    assert said("reassess", "--yes", "--json") == {"left": 0}
    with engine.connect() as connection:
        found = connection.execute(
            text(f"SELECT status, payload FROM opportunities WHERE opportunity_id = '{opportunity}'")
        )
        status, payload = found.one()
    engine.dispose()
    assert status == "withdrawn"
    assert any("Both are one authority since" in reason for reason in payload["reasons"])
    assert "New Council" in said("reorganise", "--preview", AS_OF.isoformat())
    file.write_text(file.read_text("utf-8").replace("whole", "merged", 1), "utf-8")
    refused = CliRunner().invoke(application("state-hash"), ["state-hash"])
    assert (refused.exit_code, "successions.csv: line 2: kind must be one of" in refused.stderr) == (2, True)


def test_a_backup_restored_is_the_same(url: str, postgres_server: Server, tmp_path: Path) -> None:
    """As docs/operations.md says, by the tools of the very server."""
    tools = {name: postgres_tool(name) for name in ("pg_dump", "pg_restore")}
    before = said("state-hash", "--json")
    dump = tmp_path / "jointly.dump"
    subprocess.run([tools["pg_dump"], "--format=custom", f"--file={dump}", plain(url)], check=True)
    with postgres_server.fresh_database() as other:
        subprocess.run([tools["pg_restore"], "--no-owner", f"--dbname={plain(other)}", str(dump)], check=True)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("JOINTLY_DATABASE_URL", other)
            settings.cache_clear()
            assert said("state-hash", "--json") == before
            assert "already at" in said("migrate")
            assert said("rebuild", "--check", "--json")["equal"]


def plain(url: str) -> str:
    return url.replace("+psycopg", "")
