"""The services as real processes on a test's own broker, database and mail server, and what they ought to find."""

import asyncio
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from sqlalchemy import create_engine, text

from events.cloudevents import decode
from events.fields import Payload
from events.plans import PlanPayload, PlanPublished, PlanState
from events.topics import PLANS
from matching.assessment import Assessment
from matching.embedding import HashingEmbedder
from matching.encoders.loading import load_embedder
from matching.engine import Engine, Features
from services.ingest.event_publisher import message_of, publish_events
from services.local_stack import child_process
from services.local_stack.child_process import LOOPBACK, ChildProcess
from services.local_stack.stack import ready
from services.messaging import topic_admin
from services.platform.settings import Settings
from services.store.mapping import plan_from_payload
from tests.support.service_processes import fork_service

AS_OF = date(2026, 11, 22)
PATIENCE_SECONDS = 120.0


@dataclass
class Pipeline:
    """Processes on given parts. `environment` is what each of them is started with."""

    settings: Settings
    environment: Mapping[str, str]
    folder: Path
    start_service: Callable[..., ChildProcess] = fork_service
    running: list[ChildProcess] = field(default_factory=list)

    def start(self, name: str, **more: str) -> ChildProcess:
        """One `jointly NAME` process, ready for work."""
        port = child_process.free_port()
        log = self.folder / f"{name}-{len(self.running)}.log"
        process = self.start_service(name, {**self.environment, **more}, log, port)
        self.running.append(process)
        child_process.wait_until(lambda: ready(port), process, seconds=PATIENCE_SECONDS)
        return process

    def kill(self, process: ChildProcess) -> None:
        """SIGKILL: no goodbye, no commit."""
        self.running.remove(process)
        child_process.kill(process)

    def publish(self, payloads: Sequence[PlanPayload]) -> None:
        """Publishes plan events as a council's system would."""
        asyncio.run(publish_events(self.settings, payloads))

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        """Rows of a query on the pipeline's database."""
        engine = create_engine(self.settings.need_database())
        try:
            with engine.begin() as connection:
                result = connection.execute(text(statement), parameters)
                return list(result) if result.returns_rows else []
        finally:
            engine.dispose()

    def until(self, check: Callable[[], bool], what: str) -> None:
        """Waits for `check`. Fails with the ends of the logs where a process died or patience ran out."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not check():
            dead = [process for process in self.running if not process.running()]
            if dead or time.monotonic() > deadline:
                logs = "\n".join(f"--- {p.name}\n{p.log_tail(15)}" for p in self.running)
                raise AssertionError(f"never saw: {what}\n{logs}")
            time.sleep(0.1)

    def drained(self, revisions: int) -> bool:
        """Whether so many revisions are in the log, all of them assessed, and every message published."""
        ((logged,),) = self.sql("SELECT count(*) FROM plan_log")
        ((left,),) = self.sql("SELECT count(*) FROM plans WHERE assessed_revision < revision")
        ((waiting,),) = self.sql("SELECT count(*) FROM outbox WHERE published_at IS NULL")
        return bool(logged >= revisions and left == 0 and waiting == 0)

    def active(self) -> dict[tuple[str, str], tuple[float, str]]:
        """The active opportunities: score and band by pair."""
        rows = self.sql("SELECT plan_a, plan_b, score, band FROM opportunities WHERE status = 'active'")
        return {(a, b): (score, band) for a, b, score, band in rows}

    def metric(self, process: ChildProcess, name: str) -> float:
        """The sum of one of a process's metrics over all its labels."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{process.http_port}/metrics", timeout=10) as answer:
            body: str = answer.read().decode()
        return sum(float(v) for v in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", body, flags=re.MULTILINE))


@contextmanager
def pipeline(
    bootstrap: str,
    database_url: str,
    folder: Path,
    smtp_url: str = "",
    *,
    start_service: Callable[..., ChildProcess] = fork_service,
    **more: str,
) -> Iterator[Pipeline]:
    """Topics made, nothing running yet; every process is stopped when the block ends.

    `more`: settings; an empty one leaves the setting out.
    """
    chosen = {
        "JOINTLY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "JOINTLY_DATABASE_URL": database_url,
        "JOINTLY_SMTP_URL": smtp_url,
        "JOINTLY_AS_OF": AS_OF.isoformat(),
        "JOINTLY_EMBEDDING_MODEL": "hashing",
        "JOINTLY_KAFKA_SESSION_TIMEOUT_SECONDS": "3",
        "JOINTLY_SWEEP_INTERVAL_SECONDS": "1",
        "JOINTLY_NOTIFY_BATCH_SECONDS": "1",
        **more,
    }
    environment = {name: value for name, value in chosen.items() if value}
    settings = Settings.model_validate({k.removeprefix("JOINTLY_").lower(): v for k, v in environment.items()})
    asyncio.run(topic_admin.create(settings))
    made = Pipeline(settings, environment, folder, start_service)
    try:
        yield made
    finally:
        for process in made.running:
            child_process.stop(process)


@cache
def engine() -> Engine:
    """The engine that the pipeline's matchers have."""
    return Engine.load(model=load_embedder("hashing").model)


def features_of(states: Iterable[PlanState]) -> list[Features]:
    """Features, made here and not by a matcher."""
    return [_features(state) for state in states]


@lru_cache(maxsize=10_000)
def _features(state: PlanState) -> Features:
    embedder = load_embedder("hashing")
    plan = plan_from_payload(state)
    texts = engine().texts(plan)
    body = embedder.embed([texts.body])[0] if texts.body else None
    return engine().features(plan, embedder.embed([texts.title])[0], body)


@lru_cache(maxsize=100_000)
def assessment_of(state: PlanState, other: PlanState) -> Assessment:
    """What the engine says of two plans, as of the day of all tests."""
    return engine().assess(_features(state), _features(other), AS_OF)


def all_pairs(states: Iterable[PlanState]) -> dict[tuple[str, str], tuple[float, str]]:
    """What an offline run over all pairs calls an opportunity, in the shape of `Pipeline.active`."""
    return dict(_all_pairs(tuple(states)))


@lru_cache(maxsize=100)
def _all_pairs(states: tuple[PlanState, ...]) -> dict[tuple[str, str], tuple[float, str]]:
    by_id = {state.plan_id: state for state in states}
    corpus = engine().corpus()
    for state in states:
        corpus.upsert(_features(state))
    found = {}
    for state in states:
        for partner in engine().search(_features(state), corpus, AS_OF):
            a, b = sorted((state.plan_id, partner))
            assessment = assessment_of(by_id[a], by_id[b])
            found[a, b] = (assessment.score, assessment.band.value)
    return found


@contextmanager
def kafka_requests() -> Iterator[Counter[str]]:
    """Counts what all clients of this process ask of brokers while the block runs, by the kind of request."""
    asked: Counter[str] = Counter()
    send = AIOKafkaClient.send

    async def counted(self: Any, node: Any, request: Any, **more: Any) -> Any:
        asked[type(request).__name__.split("_")[0]] += 1
        return await send(self, node, request, **more)

    AIOKafkaClient.send = counted
    try:
        yield asked
    finally:
        AIOKafkaClient.send = send


class Counting(HashingEmbedder):
    """The stand-in for the encoder, counting its texts."""

    texts = 0

    def embed(self, texts):  # type: ignore[no-untyped-def]
        self.texts += len(texts)
        return super().embed(texts)


def record_of(payload: PlanPayload, offset: int = 0, topic: str = PLANS.name) -> Any:
    """A plan event as the matcher's handler gets it from the consumer."""
    message = message_of(payload)
    place = {"topic": topic, "partition": 0, "offset": offset}
    return SimpleNamespace(**place, key=message.key, headers=message.headers, value=message.value)


def records_of(
    bootstrap: str, topic: str, *, quiet_seconds: float = 0.7, isolation: str = "read_uncommitted"
) -> list[Any]:
    """Every record of a topic from its beginning: all that it has now, and then until none comes for a while."""

    async def read() -> list[Any]:
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level=isolation
        )
        await consumer.start()
        found: list[Any] = []
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            while True:
                batch = await consumer.getmany(timeout_ms=int(quiet_seconds * 1000) or 100)
                found += [record for records in batch.values() for record in records]
                # On a machine that is slow nothing comes for a while though there is something.
                known = {place: max(end, consumer.highwater(place) or 0) for place, end in ends.items()}
                if not batch and all([await consumer.position(place) >= end for place, end in known.items()]):
                    break
        finally:
            await consumer.stop()
        return found

    return asyncio.run(read())


def payloads_of(bootstrap: str, topic: str, kinds: Sequence[type[Payload]]) -> list[Any]:
    """The payloads of a topic, decoded."""
    return [decode(record.headers, record.value, kinds).payload for record in records_of(bootstrap, topic)]


def send_raw(
    bootstrap: str, records: Iterable[tuple[str, bytes | None, list[tuple[str, bytes]], bytes | None]]
) -> None:
    """Sends records exactly as given: topic, key, headers, value."""

    async def send() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, max_request_size=16 * 1024 * 1024, compression_type="gzip"
        )
        await producer.start()
        try:
            for topic, key, headers, value in records:
                await producer.send_and_wait(topic, value=value, key=key, headers=headers)
        finally:
            await producer.stop()

    asyncio.run(send())


_UNREADABLE = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Name(str):
    def encode(self, *_):
        return b"\\xff"

async def send(bootstrap, topic, count):
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for number in range(int(count)):
        await producer.send_and_wait(topic, value=b"v", headers=[(Name("n"), b"v")], partition=number)
    await producer.stop()

asyncio.run(send(*sys.argv[1:]))
"""


def send_unreadable(bootstrap: str, topic: str, count: int) -> None:
    """Sends records with a header name that is not UTF-8, one a partition: only the client's Python codec lets us."""
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    subprocess.run([sys.executable, "-c", _UNREADABLE, bootstrap, topic, str(count)], env=environment, check=True)


_WHO = ("E09000015", "E09000001", "E08000035", "E08000003", "E06000023", "E10000017", "E07000121", "S12000036")
_SYLLABLES = ("ba", "cor", "del", "fin", "gra", "hol", "jun", "kem", "lor", "mav", "nis", "pel", "qui", "ros", "tev")


def _word(number: int) -> str:
    """A word that nobody uses, so that subjects have little in common."""
    base = len(_SYLLABLES)
    return "".join(_SYLLABLES[number // base**place % base] for place in range(4))


def invented_plans(count: int, subjects: int = 400) -> list[PlanPublished]:
    """Plans of invented words, always the same: each subject is bought by a handful, at about the same time or not."""
    return [
        _invented(number, number % subjects, _WHO[(number // subjects + number) % len(_WHO)]) for number in range(count)
    ]


def _invented(number: int, subject: int, who: str) -> PlanPublished:
    words = [_word(subject * 101 + step * 7919) for step in range(5)]
    month = 1 + number * 7 % 9
    return PlanPublished.model_validate(
        {
            "plan_id": f"{who}:{number:05d}",
            "revision": 1,
            "authority": who,
            "title": f"{words[0].capitalize()} {words[1]} system",
            "description": f"A system for {words[0]} {words[1]} with {words[2]}, {words[3]} and {words[4]} records.",
            "kind": ("new", "renewal", "project")[number % 3],
            "value": {"amount": 60_000 + 1_000 * (number % 400)},
            "tender_window": {"earliest": f"2027-{month:02d}-01", "latest": f"2027-{month + 3:02d}-28"},
        }
    )
