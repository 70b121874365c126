"""Where a fault run takes place: real parts, each behind a link that can be broken, and the services as processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import OperationalError

from services.local_stack import child_process
from services.local_stack.mail_sink import MailSink, run_mail_sink
from services.local_stack.postgres import Server, postgres
from services.messaging import topic_admin
from services.platform.settings import Settings
from services.store import authorities
from services.store.authorities import AuthorityUpdate
from services.store.database import make_engine, make_sessions, transaction
from services.store.migrate import migrate
from tests.brokers import ApacheKafka, apache_kafka
from tests.chaos import crash_points
from tests.chaos.proxy import Link, proxies
from tests.chaos.stream import AUTHORITIES, CANARIES
from tests.pipeline import AS_OF
from tests.support.service_processes import CONTEXT, detach

CREW: Final = ("matcher-1", "matcher-2", "relay-1", "relay-2", "notifier-1", "notifier-2")
SESSION_SECONDS: Final = 10.0
"""The consumer's session timeout as shipped; `QUICK_SESSION_SECONDS` where waits are shortened."""
QUICK_SESSION_SECONDS: Final = 3.0


@dataclass
class Arena:
    """A started arena. `kafka_port` is the broker's own listener, past the proxy; `links` by part."""

    folder: Path
    kafka: ApacheKafka
    kafka_port: int
    database: Server
    mails: MailSink
    links: Mapping[str, Link]
    environment: dict[str, str]
    quick: bool
    cuts: Sequence[tuple[str, str]] = ()
    """Places (kind of process, module:function) at which processes started from now on can be cut off."""
    crew: dict[str, Any] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)

    @property
    def bootstrap(self) -> str:
        """The broker for the suite itself, past the proxy."""
        return f"{child_process.LOOPBACK}:{self.kafka_port}"

    @property
    def settings(self) -> Settings:
        """The services' settings."""
        return Settings.model_validate({k.removeprefix("JOINTLY_").lower(): v for k, v in self.environment.items()})

    @property
    def session_seconds(self) -> float:
        """How long the broker waits for a silent consumer."""
        return QUICK_SESSION_SECONDS if self.quick else SESSION_SECONDS

    def start(self, name: str) -> None:
        """A process of the crew: forked from a server that has the services loaded, so that it is there at once."""
        environment = {**self.environment, "JOINTLY_HTTP_PORT": "0"}
        log, kind = self.folder / f"{name}.log", name.split("-")[0]
        places = [place for who, place in self.cuts if who == kind]
        child = CONTEXT.Process(target=serve, args=(kind, environment, log, self.quick, places), daemon=True)
        child.start()
        self.crew[name] = child

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.stopped.discard(name)
        self.crew[name].kill()
        self.crew[name].join()

    def pause(self, name: str) -> None:
        """SIGSTOP: it keeps its connections and does nothing."""
        self.stopped.add(name)
        os.kill(self.crew[name].pid, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT; nothing happens where it was killed meanwhile."""
        if name in self.stopped:
            self.stopped.discard(name)
            os.kill(self.crew[name].pid, signal.SIGCONT)

    def fallen(self) -> list[str]:
        """Who of the crew has ended without being killed."""
        return [name for name, child in self.crew.items() if not child.is_alive()]

    def stop_database(self) -> None:
        """PostgreSQL's immediate shutdown: no checkpoint, sessions cut; what was committed is in its log."""
        handle = self.database.process.handle
        handle.send_signal(signal.SIGQUIT)
        handle.wait()

    def start_database(self) -> None:
        """Starts PostgreSQL on its data and port again, and waits until it has recovered."""
        old = self.database.process
        user = "pgserver" if os.geteuid() == 0 else None
        again = child_process.start(old.name, old.handle.args, old.log, user=user, orphan_signal=signal.SIGINT)  # type: ignore[arg-type]
        self.database = Server(self.database.port, self.database.password, again)
        child_process.wait_until(self._database_answers, again, seconds=60)

    def _database_answers(self) -> bool:
        with contextlib.suppress(OperationalError):
            self.database.connect("jointly").close()
            return True
        return False

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        """Rows of a query, past the proxy."""
        with psycopg.connect(
            f"postgresql://postgres:{self.database.password}@{child_process.LOOPBACK}:{self.database.port}/jointly"
        ) as connection:
            done = connection.execute(statement, parameters)
            return done.fetchall() if done.description else []


@contextmanager
def arena(folder: Path, *, quick: bool) -> Iterator[Arena]:
    """Parts started, topics and tables made, authorities registered; the crew is not started yet."""
    with ExitStack() as exits:
        wires = exits.enter_context(proxies())
        links = {part: wires.link() for part in ("broker", "database", "smtp")}
        inner = child_process.free_port()
        kafka = exits.enter_context(apache_kafka(folder / "kafka", extra=_listeners(links["broker"].port, inner)))
        links["broker"].upstream = kafka.port
        server = exits.enter_context(postgres(folder / "postgres", folder))
        url = server.create_database("jointly")
        migrate(url)
        links["database"].upstream = server.port
        mails = exits.enter_context(run_mail_sink(folder / "mails"))
        links["smtp"].upstream = mails.port
        environment = {
            "JOINTLY_KAFKA_BOOTSTRAP_SERVERS": f"{child_process.LOOPBACK}:{links['broker'].port}",
            "JOINTLY_DATABASE_URL": url.replace(str(server.port), str(links["database"].port)),
            "JOINTLY_SMTP_URL": f"smtp://{child_process.LOOPBACK}:{links['smtp'].port}",
            "JOINTLY_AS_OF": AS_OF.isoformat(),
            "JOINTLY_EMBEDDING_MODEL": "hashing",
            "JOINTLY_SWEEP_INTERVAL_SECONDS": "2",
            "JOINTLY_NOTIFY_BATCH_SECONDS": "1",
            "JOINTLY_MAX_POLL_RECORDS": "8",
            "JOINTLY_KAFKA_SESSION_TIMEOUT_SECONDS": str(QUICK_SESSION_SECONDS if quick else SESSION_SECONDS),
        }
        made = Arena(folder, kafka, inner, server, mails, links, environment, quick)
        exits.callback(_end, made)
        asyncio.run(topic_admin.create(made.settings))
        asyncio.run(enrol(url))
        yield made


def _listeners(proxied: int, inner: int) -> str:
    """A second listener that the suite uses; the first one sends its clients through the proxy."""
    return "\n".join(
        (
            f"listeners=PLAINTEXT://127.0.0.1:${{port}},CONTROLLER://127.0.0.1:${{controller_port}},INNER://127.0.0.1:{inner}",
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{proxied},INNER://127.0.0.1:{inner}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,INNER:PLAINTEXT",
            "inter.broker.listener.name=INNER",
        )
    )


async def enrol(url: str) -> None:
    """Registers every authority of the stream, with a mailbox."""
    engine = make_engine(url)
    async with transaction(make_sessions(engine)) as session:
        for code in (*AUTHORITIES, *(plan_id.split(":")[0] for plan_id in CANARIES)):
            await authorities.save(
                session, AuthorityUpdate(code, {"name": code, "mailbox": f"buyers@{code.lower()}.example"})
            )
    await engine.dispose()


def _end(made: Arena) -> None:
    for child in made.crew.values():
        child.kill()
        child.join()
    if not made.database.process.running():
        return
    child_process.stop(made.database.process, grace=10, request=signal.SIGINT)


def serve(kind: str, environment: Mapping[str, str], log: Path, quick: bool, places: Sequence[str] = ()) -> None:
    """What a forked child does: become one of the services, which can be cut off at these places."""
    detach(log, log)
    os.environ.update(environment)
    if quick:
        _shorten_waits()
    for place in places:
        crash_points.prepare(place, log.parent)
    from services.coalitions import app as coalitions
    from services.collector import app as collector
    from services.matcher import app as matcher
    from services.notifier import app as notifier
    from services.relay import app as relay

    runs = {
        "matcher": matcher.run,
        "coalitions": coalitions.run,
        "relay": relay.run,
        "notifier": notifier.run,
        "collector": collector.run,
    }
    runs[kind](Settings())


def _shorten_waits() -> None:
    """Waits that are right for a council and too long for a test that kills a sender every few seconds.

    Only lengths change, and their order stays: a lease outlives a send, a send a command.
    """
    from services.domain import notification_schedule
    from services.matcher import settlement, sweeper
    from services.notifier import channels, dispatch
    from services.relay import outbox_publisher
    from services.store import database as base

    notification_schedule.FIRST_BACKOFF = timedelta(seconds=1)  # type: ignore[misc]
    notification_schedule.SEND_TIMEOUT = timedelta(seconds=6)  # type: ignore[misc]
    notification_schedule.LEASE = timedelta(seconds=25)  # type: ignore[misc]
    notification_schedule.IMMEDIATE_PER_WEEK = 1000  # type: ignore[misc]
    dispatch.RECORD_PATIENCE_SECONDS = 12.0  # type: ignore[misc]
    channels.smtp_from_url = partial(channels.smtp_from_url, timeout=4.0)  # type: ignore[assignment]
    # A settlement of three pairs has two parts: what comes between parts is seen with a few plans.
    settlement.PAIRS_AT_ONCE = 2  # type: ignore[misc]
    sweeper.RECENT_PLAN_GRACE = timedelta(seconds=5)  # type: ignore[misc]
    base.IDLE_IN_TRANSACTION_SECONDS = 5
    outbox_publisher.SILENCE_SECONDS = 5


def wait(check: Any, seconds: float, pause: float = 0.2) -> float | None:
    """How many seconds until `check` was true; None where it never was."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if check():
            return time.monotonic() - began
        time.sleep(pause)
    return None
