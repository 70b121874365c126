"""`jointly restore-drill`: takes a backup, restores it into a scratch database, and compares the two."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import psycopg
import typer
from psycopg import sql
from sqlalchemy import make_url, text
from sqlalchemy.engine import URL

from services.cli.database import on_database, with_database
from services.cli.errors import ExitCode
from services.cli.rebuild import compare_with_log
from services.platform import logs
from services.platform.clock import today
from services.platform.settings import settings
from services.store import schema
from services.store.database import Sessions, transaction
from services.store.state_hash import state_hash

SUFFIX: Final = "_drill"


class DrillError(Exception):
    """The drill can't be done; the message gives the reason and the remedy. The live database was only read."""


@dataclass
class Drill:
    """The result of a drill. `seconds` by step; `equal` is None if the backup was not compared with the plan log."""

    dump: str
    plans: int = 0
    pairs: int = 0
    live: str | None = None
    restored: str = ""
    schema: str = ""
    usable: bool = False
    equal: bool | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Return whether the restored database equals the backed-up one and works."""
        return self.usable and self.equal is not False and self.live in (None, self.restored)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step, and print its name."""
        print(f"{name} ...", file=sys.stderr, flush=True)  # noqa: T201
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)


@dataclass(frozen=True, slots=True)
class Tools:
    """How to run PostgreSQL's own programs: their folder, parallel jobs, and memory for index builds."""

    folder: Path | None
    jobs: int
    maintenance_work_mem: str

    def run(self, program: str, words: Sequence[str], database: URL, options: str = "") -> None:
        """Run a program on a database. The password goes through the environment, which other accounts can't read."""
        environment = {**os.environ, **_environment(database), **({"PGOPTIONS": options} if options else {})}
        command = [self._path(program), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            said = " ".join(done.stderr.split())[:300]
            raise DrillError(f"{program} failed: {said}")

    def _path(self, program: str) -> str:
        found = shutil.which(program, path=str(self.folder) if self.folder else None)
        if found is None:
            where = f"in {self.folder}" if self.folder else "on the PATH"
            raise DrillError(f"there is no {program} {where}: install PostgreSQL's client programs, or see --tools")
        return found


def restore_drill(
    dump: Annotated[
        Path | None, typer.Option(help="Existing backup in pg_dump's custom format; default: take a new one.")
    ] = None,
    scratch: Annotated[
        str | None, typer.Option(help=f"Name of the database to restore into; default: the live one's with {SUFFIX}.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Parallel jobs of pg_restore.")] = 2,
    maintenance_work_mem: Annotated[str, typer.Option(help="Memory for each index build.")] = "1GB",
    rebuild: Annotated[bool, typer.Option(help="Also compare the restored database with its plan log.")] = True,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the restored database.")] = False,
    tools: Annotated[
        Path | None, typer.Option(help="Folder of pg_dump and pg_restore; default: found on the PATH.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Restore a backup into a scratch database on the same server, and check that it is equal and works.

    The live database is only read. The account needs the right to create databases. Exit code 1: the drill failed.
    """
    logs.setup("restore-drill", "WARNING")
    if re.fullmatch(r"[0-9]+ ?(kB|MB|GB)", maintenance_work_mem) is None:
        raise DrillError("--maintenance-work-mem takes a number and a unit, for example 1GB")
    live = make_url(settings().need_database(limited=False))
    target = live.set(database=scratch or f"{live.database}{SUFFIX}")
    if target.database == live.database:
        raise DrillError("the scratch database must be another than the live one")
    using = Tools(tools, jobs, maintenance_work_mem)
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="jointly-drill-")))
        found = Drill(str(dump or folder / "jointly.dump"))
        if dump is not None and not dump.is_file():
            raise DrillError(f"{dump}: no such file")
        _prepare(live, target)
        if not keep:
            exits.callback(_drop, live, target)
        if dump is None:
            with found.step("dump"):
                with_database(lambda sessions: _dump(sessions, found, using, live), limited=False)
        with found.step("restore"):
            _restore(found, using, target)
        on_database(target.render_as_string(False), lambda sessions: _check(sessions, found, rebuild))
    _print(found, target, keep, as_json)
    if not found.passed:
        raise typer.Exit(ExitCode.REFUSED)


async def _dump(sessions: Sessions, found: Drill, using: Tools, live: URL) -> None:
    """Take the hash and the dump of one snapshot, while writers continue."""
    async with transaction(sessions, isolation="REPEATABLE READ") as session:
        snapshot = (await session.execute(text("SELECT pg_export_snapshot()"))).scalar_one()
        found.live = (await state_hash(session)).sha256
        words = ["--format=custom", f"--snapshot={snapshot}", f"--file={found.dump}"]
        await asyncio.to_thread(using.run, "pg_dump", words, live)


def _restore(found: Drill, using: Tools, target: URL) -> None:
    words = ["--no-owner", "--no-comments", "--exit-on-error", f"--jobs={using.jobs}", f"--dbname={target.database}"]
    options = f"-c maintenance_work_mem={using.maintenance_work_mem.replace(' ', '')}"
    using.run("pg_restore", [*words, found.dump], target, options)


async def _check(sessions: Sessions, found: Drill, rebuild: bool) -> None:
    stands = await schema.inspect(sessions)
    found.schema, found.usable = stands.sentence, stands.usable
    if not stands.usable:
        return
    with found.step("digest"):
        async with transaction(sessions, isolation="REPEATABLE READ") as session:
            restored = await state_hash(session)
    found.restored, found.plans, found.pairs = restored.sha256, restored.plans, restored.pairs
    if rebuild:
        with found.step("rebuild --check"):
            compared, _ = await compare_with_log(sessions, today(settings().as_of))
            found.equal = compared.equal


def _prepare(live: URL, target: URL) -> None:
    """Create the scratch database. One that an administrator has created for it is used if it is empty."""
    with _administration(live) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (target.database,)).fetchone()
        if not there:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(target.database or "")))
    with _administration(target) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone()
        if tables != (0,):
            raise DrillError(f"the database {target.database} holds tables: give --scratch another name")


def _drop(live: URL, target: URL) -> None:
    with _administration(live) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(target.database or ""))
        )


def _administration(url: URL) -> psycopg.Connection[Any]:
    # Separate parameters, not a URL: SQLAlchemy writes a blank in `options` as "+", which libpq reads as a plus sign.
    names = url.translate_connect_args(username="user", database="dbname") | dict(url.query)
    return psycopg.connect(**names, autocommit=True)


def _environment(url: URL) -> Mapping[str, str]:
    values = {
        "PGHOST": url.host,
        "PGPORT": str(url.port or 5432),
        "PGUSER": url.username,
        "PGPASSWORD": str(url.password) if url.password else None,
        "PGDATABASE": url.database,
        "PGSSLMODE": str(url.query["sslmode"]) if "sslmode" in url.query else None,
    }
    return {name: value for name, value in values.items() if value}


def _print(found: Drill, target: URL, keep: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found) | {"passed": found.passed}))
        return
    for name, seconds in found.seconds.items():
        typer.echo(f"{seconds:8.1f} s  {name}")
    typer.echo(f"schema    {found.schema}")
    typer.echo(f"live      {found.live or 'unknown: the backup existed before the drill'}")
    typer.echo(f"restored  {found.restored or 'not looked at'}  {found.plans} plans, {found.pairs} active pairs")
    if found.equal is not None:
        typer.echo(f"plan log  {'equal' if found.equal else 'differs: see `jointly rebuild --check` with --keep'}")
    typer.echo(f"database  {target.database} {'kept' if keep else 'dropped'}")
    typer.echo("passed" if found.passed else "FAILED")
