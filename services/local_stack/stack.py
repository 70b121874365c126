"""The one-command local stack: Kafka, PostgreSQL and a mail server, and Jointly's processes on them."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

from events.jwk import new_key, to_file_text
from services.local_stack import child_process
from services.local_stack.child_process import LOOPBACK, ChildProcess, ComponentError
from services.local_stack.mail_sink import MailSink, run_mail_sink
from services.local_stack.postgres import Server, postgres
from services.local_stack.tansu import Broker, tansu
from services.platform.settings import PREFIX

DATABASE = "jointly"
DEFAULT_FOLDER = Path(".jointly")
INHERITED = frozenset(
    {
        "as_of",
        "collect_from",
        "embedding_model",
        "feature_cache_plans",
        "installation_name",
        "keep_dead_letters_days",
        "keep_notifications_days",
        "keep_opportunities_days",
        "keep_outbox_days",
        "keep_plan_topics_days",
        "keep_plans_days",
        "log_level",
        "mail_from",
        "max_authorities_per_plan",
        "max_matches_per_authority",
        "max_matches_per_plan",
        "max_poll_records",
        "notify_batch_seconds",
        "policy_file",
        "statistics_file",
        "successions_file",
        "sweep_interval_seconds",
    }
)
"""The settings that a stack takes from its own environment. All others are about parts outside, such as addresses."""
INSTALLATION_KEY = "installation.jwk"


@dataclass(frozen=True)
class StackComponents:
    """The parts of a started stack."""

    broker: Broker
    postgres: Server
    mailbox: MailSink
    database_url: str


class Stack:
    """Starts the three parts in a folder, and stops everything in reverse order when the block ends.

    `folder` holds data, logs and emails. PostgreSQL's data and the emails stay there for the next run; Kafka's content
    does not (the broker is memory only). `fresh=True` uses a temporary folder instead, deleted at the end.
    `environment` adds JOINTLY_* settings for the processes that `spawn` starts.

    Enter it in the main thread: SIGTERM and SIGHUP then end the block as Ctrl-C does, with `KeyboardInterrupt` or
    `SystemExit`. Raises `ComponentError` if a part doesn't start, or if another stack uses the folder.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        fresh: bool = False,
        environment: Mapping[str, str] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self._wanted = folder or DEFAULT_FOLDER
        self._fresh = fresh
        self._extra = dict(environment or {})
        self._progress = progress or (lambda _: None)
        self._exits = ExitStack()
        self._parts: StackComponents | None = None
        self._spawned: list[ChildProcess] = []
        self.folder = self._wanted.resolve()

    def __enter__(self) -> Stack:
        with ExitStack() as exits:  # stops the parts already started if a later one fails
            exits.enter_context(_termination_as_exit())
            self.folder = exits.enter_context(_folder(self._wanted, fresh=self._fresh))
            logs = self.folder / "logs"
            self._progress("Starting PostgreSQL")
            server = exits.enter_context(postgres(self.folder / "postgres", logs, durable=not self._fresh))
            url = _database(server)
            self._progress("Starting Kafka (Tansu, in memory)")
            broker = exits.enter_context(tansu(logs))
            self._progress("Starting the mail server")
            mails = exits.enter_context(run_mail_sink(self.folder / "mails"))
            self._parts = StackComponents(broker, server, mails, url)
            _make_key(self.folder / INSTALLATION_KEY)
            exits.callback(self._stop_spawned)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        # A second Ctrl-C must not interrupt the clean-up: each part has its own limit before it is killed.
        with _signals({signal.SIGINT, signal.SIGTERM, signal.SIGHUP}, signal.SIG_IGN):
            return self._exits.__exit__(kind, error, trace)

    @property
    def parts(self) -> StackComponents:
        """The running parts. Raises `RuntimeError` outside the block."""
        if self._parts is None:
            raise RuntimeError("The stack has not been started: use it in a `with` block.")
        return self._parts

    @property
    def environment(self) -> dict[str, str]:
        """The JOINTLY_* variables that point at this stack, and those that it takes from its own environment."""
        parts = self.parts
        return {
            **_chosen(),
            "JOINTLY_KAFKA_BOOTSTRAP_SERVERS": parts.broker.bootstrap,
            "JOINTLY_DATABASE_URL": parts.database_url,
            "JOINTLY_SMTP_URL": parts.mailbox.url,
            "JOINTLY_INSTALLATION_KEY_FILE": str(self.folder / INSTALLATION_KEY),
            # Tansu makes a group wait for half of it before the first assignment.
            "JOINTLY_KAFKA_SESSION_TIMEOUT_SECONDS": "5",
            **self._extra,
        }

    def spawn(self, args: Sequence[str], *, environment: Mapping[str, str] | None = None) -> ChildProcess:
        """Start `jointly ARGS...` against this stack, with its own log and health port (JOINTLY_HTTP_PORT)."""
        port = child_process.free_port()
        name = f"{args[0]}-{len(self._spawned) + 1}"
        process = child_process.start(
            f"jointly {args[0]}",
            [sys.executable, "-m", "services.cli", *args],
            self.folder / "logs" / f"{name}.log",
            environment={
                **_inherited(),
                **self.environment,
                "JOINTLY_HTTP_PORT": str(port),
                "PYTHONUNBUFFERED": "1",
                **(environment or {}),
            },
            http_port=port,
        )
        self._spawned.append(process)
        return process

    def wait_ready(self, process: ChildProcess, *, seconds: float = 120) -> None:
        """Wait until `/health/ready` of a spawned process answers 200. Raises `ComponentError` if it ends
        or is late."""
        if process.http_port is None:
            raise ValueError(f"{process.name} was not started by spawn(): it has no health port.")
        port = process.http_port
        child_process.wait_until(lambda: ready(port), process, seconds=seconds, pause=0.1)

    def check(self) -> None:
        """Raise `ComponentError`, with the end of its log, if a part or a spawned process has ended."""
        for process in (self.parts.broker.process, self.parts.postgres.process, *self._spawned):
            if not process.running():
                raise ComponentError(
                    f"{process.name} ended with status {process.handle.returncode}. "
                    f"End of {process.log}:\n{process.log_tail()}"
                )

    def stop(self, process: ChildProcess) -> int:
        """Stop one spawned process now and forget it. Returns its exit status."""
        self._spawned = [other for other in self._spawned if other is not process]
        return child_process.stop(process)

    def _stop_spawned(self) -> None:
        running, self._spawned = self._spawned, []
        for process in running:  # signal all first, so that they finish in parallel
            with suppress(ProcessLookupError):
                process.handle.terminate()
        for process in reversed(running):
            child_process.stop(process)


def ready(port: int) -> bool:
    """Return whether the process with this health port is ready."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _database(server: Server) -> str:
    with server.connect() as connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
    return server.url(DATABASE) if exists else server.create_database(DATABASE)


def _make_key(path: Path) -> None:
    """Make the key that signs the audit log; keep the one from last time."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(to_file_text(new_key().private_jwk()), "ascii")


def _inherited() -> dict[str, str]:
    """Return our own environment without JOINTLY_*: addresses of other parts must not leak into a local stack."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _chosen() -> dict[str, str]:
    """Return the JOINTLY_* variables of our own environment that hold for a local stack too."""
    names = [f"{PREFIX}{name.upper()}" for name in sorted(INHERITED)]
    return {name: os.environ[name] for name in names if name in os.environ}


@contextmanager
def _folder(wanted: Path, *, fresh: bool) -> Iterator[Path]:
    """Lock the stack's folder, so that two stacks never share PostgreSQL data."""
    if fresh:
        temporary = Path(tempfile.mkdtemp(prefix="jointly-")).resolve()
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return
    folder = wanted.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ComponentError(
                f"Another local stack is running in {folder}. Stop it first, or use another folder."
            ) from error
        yield folder


@contextmanager
def _termination_as_exit() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an exception that leaves the block (exit status 128 + signal), so that its clean-up
    runs."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    with _signals({signal.SIGTERM, signal.SIGHUP}, leave):
        yield


@contextmanager
def _signals(
    numbers: set[signal.Signals], handler: Callable[[int, FrameType | None], object] | signal.Handlers
) -> Iterator[None]:
    """Handle these signals inside the block. Outside the main thread Python can't, and nothing changes."""
    before: dict[signal.Signals, object] = {}
    with suppress(ValueError):
        for number in numbers:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)  # type: ignore[arg-type]
