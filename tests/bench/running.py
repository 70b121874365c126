"""The pipeline itself, as real processes on a real broker and database, with so many plans in it from the beginning."""

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

from events.plans import PlanPayload, PlanPublished
from matching.encoders.loading import load_embedder
from matching.engine import Engine
from services.cli.offline import embed_cached
from services.domain.ids import text_hash
from services.local_stack.child_process import ChildProcess
from services.local_stack.postgres import Server
from services.local_stack.tansu import tansu
from services.store import embeddings, outbox
from services.store.bulk_writes import bulk_writes
from services.store.database import make_engine, make_sessions, transaction
from services.store.migrate import configuration, migrate
from tests import brokers
from tests.bench import statement_counts
from tests.bench.corpora import Corpus, distinct
from tests.bench.synthetic_copies import multiply
from tests.pipeline import Pipeline, pipeline
from tests.support.service_processes import start_service

PATIENCE_SECONDS = 300.0
_LOOK_SECONDS = 0.2
_QUIET_SECONDS = 1.0
_AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'matcher' AND state <> 'idle'"
_BLOCK = 500
_AT_ONCE = "500"
_PASSED_ON = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""What the encoder alone is held to, the matcher has to be held to as well; and what may be tried."""
TANSU, KAFKA = "tansu", "kafka"


class StuckError(RuntimeError):
    """Nothing has moved for too long; the message holds the ends of the logs."""


@dataclass
class Running:
    """Matchers and a relay at work. `database` is a connection of our own, for looking."""

    pipeline: Pipeline
    matchers: list[ChildProcess]
    relay: ChildProcess
    database: psycopg.Connection
    parts: dict[str, int]

    def cpu_seconds(self) -> dict[str, float]:
        """The processor time used so far by all matchers together, the relay, the database and the broker."""
        used = {"matchers": sum(statement_counts.cpu_seconds(matcher.pid) for matcher in self.matchers)}
        used["relay"] = statement_counts.cpu_seconds(self.relay.pid)
        return used | {name: statement_counts.cpu_seconds(pid) for name, pid in self.parts.items()}

    def feed(self, payloads: Sequence[PlanPayload]) -> tuple[float, float]:
        """Publishes plan events all at once; the seconds from before the first until all were assessed, and until all
        that was found was published. Raises StuckError."""
        before = statement_counts.metrics(self.matchers)["assessed"]
        started = time.monotonic()
        self.pipeline.publish(payloads)
        self._until_assessed(before + len(payloads))
        assessed = time.monotonic() - started
        self._until_published()
        return assessed, time.monotonic() - started

    def warm_up(self, payloads: Sequence[PlanPayload]) -> None:
        """Feeds what is not measured, and waits until the matchers have nothing more to ask the database: one that has
        just started looks through all plans, as it does every ten minutes."""
        self.feed(payloads)
        started, quiet_since = time.monotonic(), time.monotonic()
        while time.monotonic() - quiet_since < _QUIET_SECONDS:
            if self._number(_AT_WORK):
                quiet_since = time.monotonic()
            self._check(started, "matchers that never rest")
            time.sleep(_LOOK_SECONDS)

    def _until_assessed(self, target: float) -> None:
        """By the matchers' own counters, which cost nothing to read; then, once, by the database."""
        seen, moved, spoken = -1.0, time.monotonic(), time.monotonic()
        while (now := statement_counts.metrics(self.matchers)["assessed"]) < target:
            if now != seen:
                seen, moved = now, time.monotonic()
            self._check(moved, f"assessed {now:.0f} of {target:.0f} plans")
            if time.monotonic() - spoken > 20:
                spoken = time.monotonic()
                say(f"assessed {now:.0f} of {target:.0f} plans")
            time.sleep(_LOOK_SECONDS)
        moved = time.monotonic()
        while self._number("SELECT count(*) FROM plans WHERE assessed_revision < revision"):
            self._check(moved, "plans that are never assessed")
            time.sleep(_LOOK_SECONDS)

    def _until_published(self) -> None:
        seen, moved = -1, time.monotonic()
        while left := self._number("SELECT count(*) FROM outbox WHERE published_at IS NULL"):
            if left != seen:
                seen, moved = left, time.monotonic()
            self._check(moved, f"{left} messages wait in the outbox")
            time.sleep(_LOOK_SECONDS)

    def _check(self, moved: float, what: str) -> None:
        dead = [process.name for process in self.pipeline.running if not process.running()]
        if dead or time.monotonic() - moved > PATIENCE_SECONDS:
            logs = "\n".join(f"--- {p.name}\n{p.log_tail(15)}" for p in self.pipeline.running)
            raise StuckError(f"{what}; ended: {dead}\n{logs}")

    def _number(self, query: str) -> int:
        row = self.database.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def running(
    server: Server, database: str, broker: str, folder: Path, model: str, *, matchers: int = 1, **more: str
) -> Iterator[Running]:
    """So many matchers and one relay on a fresh broker and on `database`, idle. `model`: the embedder; `more`:
    further settings."""
    with ExitStack() as exits:
        parts = folder / datetime.now(UTC).strftime("parts-%H%M%S%f")
        if broker == KAFKA:
            node = exits.enter_context(brokers.apache_kafka(parts))
            bootstrap, broker_pid = node.bootstrap, node.process.pid
        else:
            small = exits.enter_context(tansu(parts))
            bootstrap, broker_pid = small.bootstrap, small.process.pid
        url = server.url(database)
        made = exits.enter_context(
            pipeline(
                bootstrap,
                url,
                parts,
                start_service=start_service,
                JOINTLY_EMBEDDING_MODEL=model,
                JOINTLY_KAFKA_SESSION_TIMEOUT_SECONDS="10",
                JOINTLY_SWEEP_INTERVAL_SECONDS="15",
                JOINTLY_SIGNATURES="off",
                **more,
                **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )
        )
        relay = made.start("relay")
        named = str(make_url(url).update_query_dict({"application_name": "matcher"}).render_as_string(False))
        at_work = [made.start("matcher", JOINTLY_DATABASE_URL=named) for _ in range(matchers)]
        pids = {"database": server.process.pid, "broker": broker_pid}
        yield Running(made, at_work, relay, exits.enter_context(server.connect(database)), pids)


@contextmanager
def loaded(server: Server, corpus: Corpus, model: str, folder: Path) -> Iterator[str]:
    """The name of a database of its own that holds all active plans of a corpus, matched; dropped afterwards.

    It is made once a corpus, model and version of schema and engine, through the pipeline itself; then it is copied.
    """
    template = _template(server, corpus, model, folder)
    name = "bench_run"
    server.drop_database(name)
    server.create_database(name, template=template)
    with server.connect(name) as connection:
        connection.execute("CHECKPOINT")
    try:
        yield name
    finally:
        server.drop_database(name)


def _template(server: Server, corpus: Corpus, model: str, folder: Path) -> str:
    """The name of the database that is copied; it is made where it is not there."""
    template = _template_name(corpus, model)
    with server.connect() as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, (template,)).fetchone():
            return template
    loading = f"{template}_loading"
    server.drop_database(loading)
    if corpus.times == 1:
        _load(server, corpus, model, folder, loading)
    else:
        once = _template(server, replace(corpus, name=corpus.base, times=1), model, folder)
        server.create_database(loading, template=once)
        say(f"copying {len(corpus.active)} plans to {corpus.times * len(corpus.active)}")
        with server.connect(loading) as connection:
            multiply(connection, corpus.times)
    with server.connect() as connection:
        connection.execute(f'ALTER DATABASE "{loading}" RENAME TO "{template}"'.encode())
    return template


def _template_name(corpus: Corpus, model: str) -> str:
    head = ScriptDirectory.from_config(configuration("postgresql://")).get_current_head()
    generation = Engine.load(model=load_embedder(model).model).generation.id
    plans = hashlib.sha256("\n".join(plan.model_dump_json() for plan in corpus.active[:1000]).encode()).hexdigest()
    version = hashlib.sha256(f"{head} {generation} {plans}".encode()).hexdigest()[:10]
    return f"bench_{corpus.name}_{model or 'default'}_{version}"


def _load(server: Server, corpus: Corpus, model: str, folder: Path, name: str) -> None:
    say(f"loading {len(corpus.active)} plans into {name}")
    url = server.create_database(name)
    migrate(url)
    asyncio.run(_prime(url, corpus.active, model, folder))
    with running(server, name, TANSU, folder, model, matchers=2, JOINTLY_MAX_POLL_RECORDS=_AT_ONCE) as run:
        for start in range(0, len(corpus.active), 20_000):
            run.feed(corpus.active[start : start + 20_000])
    asyncio.run(_settle(url))
    with server.connect(name) as connection:
        connection.execute("VACUUM ANALYZE")


async def _prime(url: str, active: Iterable[PlanPublished], model: str, folder: Path) -> None:
    """The vectors of all texts by the same model, made once and kept in a file, so that loading need not embed."""
    embedder = load_embedder(model)
    vectors = embed_cached(distinct(tuple(active)), embedder, folder / "embeddings.sqlite")
    database = make_engine(url)
    rows = list(vectors.items())
    try:
        for start in range(0, len(rows), _BLOCK):
            block = {text_hash(text): vector for text, vector in rows[start : start + _BLOCK]}
            async with transaction(make_sessions(database)) as session, bulk_writes(session) as writes:
                embeddings.put(writes, block, embedder.model)
    finally:
        await database.dispose()


async def _settle(url: str) -> None:
    """What time would do by itself: published messages are forgotten."""
    database = make_engine(url)
    try:
        async with transaction(make_sessions(database)) as session:
            while await outbox.prune(session, datetime.now(UTC)):
                pass
    finally:
        await database.dispose()


def say(message: str) -> None:
    """A line of progress, on standard error."""
    print(f"{datetime.now(UTC):%H:%M:%S} {message}", file=sys.stderr, flush=True)
