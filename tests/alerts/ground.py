"""The processes and parts that faults are caused in: as in the fault suite, each process on a port that is scraped."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient

from events.plans import PlanPayload, PlanPublished
from events.topics import PLANS
from services.ingest.event_publisher import message_of, publish_events
from services.local_stack import child_process
from services.local_stack.child_process import LOOPBACK
from services.local_stack.stack import ready
from services.messaging import topic_admin
from services.messaging.kafka import connection
from services.platform.settings import Settings
from services.store import authorities
from services.store.authorities import AuthorityUpdate
from services.store.database import make_engine, make_sessions, transaction
from tests.chaos.cluster import Arena, serve
from tests.pipeline import _word, send_raw
from tests.support.service_processes import CONTEXT

KINDS: Final = ("matcher", "coalitions", "relay", "notifier")
OPTIONAL: Final = ("collector",)
"""Scraped as well, and started by the fault that needs one."""
POISON: Final = "POISON"
"""A plan with this word in its id makes scoring fail."""
PATIENCE_SECONDS: Final = 180.0


@dataclass
class Ground:
    """A started arena, one process of each kind, and the port of each."""

    arena: Arena
    ports: Mapping[str, int]
    log: Callable[[str], None]
    authorities: int = 0

    @property
    def settings(self) -> Settings:
        """Settings past the proxy, for the run's own clients."""
        return self.arena.settings.model_copy(update={"kafka_bootstrap_servers": (self.arena.bootstrap,)})

    def start(self, kind: str, *, patience: float = PATIENCE_SECONDS, **settings: str) -> None:
        """Starts the process of a kind, and waits until it is ready."""
        environment = {**self.arena.environment, "JOINTLY_HTTP_PORT": str(self.ports[kind]), **settings}
        child = CONTEXT.Process(
            target=serve_poisoned,
            args=(kind, environment, self.arena.folder / f"{kind}.log"),
            daemon=True,
        )
        child.start()
        self.arena.crew[kind] = child
        self.until(lambda: ready(self.ports[kind]), f"a {kind} that is ready", patience)

    def metrics(self, kind: str) -> str:
        """What a process says at /metrics."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.ports[kind]}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def kill(self, kind: str) -> None:
        """SIGKILL."""
        self.arena.kill(kind)

    def until(self, check: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Waits for something. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not check():
            if time.monotonic() > deadline:
                raise TimeoutError(f"never saw {what}")
            time.sleep(0.5)

    def code(self) -> str:
        """An authority that no other fault uses: each is told of three things a week at most."""
        self.authorities += 1
        return f"E0790{self.authorities:04d}"

    def publish(self, *plans: PlanPayload) -> None:
        """Publishes plan events as a council's system would."""
        asyncio.run(publish_events(self.settings, list(plans)))

    def pair(self, word: str = "S", *, registered: bool = True) -> tuple[str, str]:
        """Publishes two plans of two authorities that are one opportunity; the authorities."""
        first, second = (self.code(), self.code()) if registered else (self.code(), f"E0799{self.authorities:04d}")
        if not registered:
            self.register(second, None)
        self.publish(plan(first, word, self.authorities), plan(second, word, self.authorities))
        return first, second

    def matched(self, plan_id: str) -> int:
        """In how many active opportunities a plan is."""
        found = self.arena.sql(
            "SELECT count(*) FROM opportunities WHERE status = 'active' AND %(plan)s IN (plan_a, plan_b)", plan=plan_id
        )
        return int(found[0][0])

    def register(self, code: str, mailbox: str | None) -> None:
        """Saves an authority with or without a mailbox."""

        async def save() -> None:
            engine = make_engine(self.database_url)
            async with transaction(make_sessions(engine)) as session:
                values = {"name": code} | ({"mailbox": mailbox} if mailbox else {})
                await authorities.save(session, AuthorityUpdate(code, values))
            await engine.dispose()

        asyncio.run(save())

    @property
    def database_url(self) -> str:
        """The database past the proxy."""
        server = self.arena.database
        return server.url("jointly")

    def send(self, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Sends one record to the plans' topic, exactly as given."""
        send_raw(self.arena.bootstrap, [(PLANS.name, b"key", list(headers), value)])

    def forge(self) -> None:
        """A plan with an id of one authority in the name of another."""
        owner, other = self.code(), self.code()
        message = message_of(plan(owner, "F", self.authorities))
        payload = json.loads(message.value) | {"authority": other}
        self.send(json.dumps(payload).encode(), message.headers)

    def delete_topic(self, name: str) -> None:
        """Deletes a topic, as somebody with too many rights might."""

        async def delete() -> None:
            admin = AIOKafkaAdminClient(**connection(self.settings))
            await admin.start()
            try:
                await admin.delete_topics([name])
            finally:
                await admin.close()

        asyncio.run(delete())

    def create_topics(self) -> None:
        """What `jointly topics` does."""
        asyncio.run(topic_admin.create(self.settings))


def plan(code: str, reference: str, subject: int) -> PlanPublished:
    """A plan of invented words: two of one subject are an opportunity worth a mail at once, of different ones none."""
    words = [_word(subject * 101 + step * 7919) for step in range(5)]
    return PlanPublished.model_validate(
        {
            "plan_id": f"{code}:{reference}",
            "revision": 1,
            "authority": code,
            "title": f"{words[0].capitalize()} {words[1]} system",
            "description": f"A system for {words[0]} {words[1]} with {words[2]}, {words[3]} and {words[4]} records.",
            "kind": "renewal",
            "value": {"amount": 300_000},
            "tender_window": {"earliest": "2027-03-01", "latest": "2027-06-30"},
        }
    )


def serve_poisoned(kind: str, environment: Mapping[str, str], log: Path) -> None:
    """What a child does: become one of the services, with a fault in its scoring that one plan meets."""
    from matching import engine

    score_pair = engine.score_pair

    def failing(a: Any, b: Any, *more: Any) -> Any:
        if POISON in a.plan.plan_id or POISON in b.plan.plan_id:
            raise ZeroDivisionError
        return score_pair(a, b, *more)

    engine.score_pair = failing  # type: ignore[assignment]
    serve(kind, environment, log, quick=False)


def free_ports() -> dict[str, int]:
    """A port for each kind of process."""
    return {kind: child_process.free_port() for kind in (*KINDS, *OPTIONAL)}
