"""A backup is worth what its restore is: the drill passes for an owner who is no superuser, and fails where it must."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import application
from services.local_stack.postgres import Server
from services.platform.settings import settings
from tests.chaos import order_independence
from tests.pipeline import AS_OF
from tests.support.databases import postgres_tool


@pytest.fixture
def owned(postgres_server: Server, migrated_template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a filled database for an account that owns it, and may create databases, and nothing else."""
    with postgres_server.fresh_database() as url, postgres_server.connect() as administrator:
        name = url.rsplit("/", 1)[1]
        administrator.execute(f"CREATE ROLE {name}_owner LOGIN CREATEDB PASSWORD 'own'")
        administrator.execute(f"ALTER DATABASE {name} OWNER TO {name}_owner")
        own = re.sub(r"//postgres:[^@]*@", f"//{name}_owner:own@", url)
        monkeypatch.setenv("JOINTLY_DATABASE_URL", own)
        monkeypatch.setenv("JOINTLY_EMBEDDING_MODEL", "hashing")
        monkeypatch.setenv("JOINTLY_AS_OF", AS_OF.isoformat())
        settings.cache_clear()
        assert drill_command("migrate").exit_code == 0
        asyncio.run(order_independence.run(own, [3]))
        yield own
        settings.cache_clear()
        administrator.execute(f"DROP DATABASE IF EXISTS {name}_drill WITH (FORCE)")
        with postgres_server.connect(name) as inside:
            inside.execute(f"DROP OWNED BY {name}_owner")
        administrator.execute(f"ALTER DATABASE {name} OWNER TO postgres")
        administrator.execute(f"DROP ROLE {name}_owner")


def drill_command(*words: str) -> Any:
    return CliRunner().invoke(application(words[0]), list(words))


def tools() -> str:
    return str(Path(postgres_tool("pg_dump")).parent)


def prepared(postgres_server: Server, own: str) -> str:
    """A scratch database that an administrator has made for the owner."""
    name = f"{own.rsplit('/', 1)[1]}_drill"
    owner = f"{own.rsplit('/', 1)[1]}_owner"
    with postgres_server.connect() as administrator:
        administrator.execute(f"CREATE DATABASE {name} OWNER {owner}")
    return name


def test_the_drill_passes_for_the_owner(postgres_server: Server, owned: str) -> None:
    name = prepared(postgres_server, owned)
    done = drill_command("restore-drill", "--tools", tools(), "--scratch", name, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["passed"], found["equal"], found["live"]) == (True, True, found["restored"])
    assert found["plans"] > 0
    with postgres_server.connect() as administrator:
        assert administrator.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None


def test_a_backup_that_lost_a_function_fails_the_drill(postgres_server: Server, owned: str, tmp_path: Path) -> None:
    name = prepared(postgres_server, owned)
    with postgres_server.connect(owned.rsplit("/", 1)[1]) as inside:
        inside.execute("DROP FUNCTION plan_features_stamp CASCADE")
    dump = tmp_path / "jointly.dump"
    url = owned.replace("+psycopg", "")
    subprocess.run([postgres_tool("pg_dump"), "--format=custom", f"--file={dump}", url], check=True)
    done = drill_command("restore-drill", "--tools", tools(), "--scratch", name, "--dump", str(dump))
    assert done.exit_code == 1, (done.output, done.exception)
    assert "lacks function plan_features_stamp" in done.stdout
    assert "FAILED" in done.stdout


def test_a_scratch_database_in_use_is_not_touched(postgres_server: Server, owned: str) -> None:
    name = prepared(postgres_server, owned)
    with postgres_server.connect(name) as inside:
        inside.execute("CREATE TABLE somebodys (id integer)")
    done = drill_command("restore-drill", "--tools", tools(), "--scratch", name)
    assert done.exit_code == 2, (done.output, done.exception)
    assert "holds tables" in done.stderr
    with postgres_server.connect(name) as inside:
        assert inside.execute("SELECT count(*) FROM somebodys").fetchone() == (0,)
