"""Answers flow while coalitions processes die: `python -m tests.chaos.answers --seed N --minutes M`.

Plans come first, until all coalitions are suggested. The database is copied then. Authorities answer at random, out of
date and twice, share contracts, say what they pay, record routes and decide on extensions, while processes are killed
and parts fail. Once all has drained, the oracle takes the answers from the topic, in their order, and has one process
that never stops handle them on the copy. Coalitions, members, answers, verdicts, requests for benchmarks, enquiries and
route records must be the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from psycopg import OperationalError

from events.cloudevents import Message, encode
from events.contracts import CONTRACT_PAYLOADS, ContractPayload
from events.plans import PlanPublished
from events.responses import ResponseAnswered, ResponseInvited, ResponseMembership, ResponsePayload, ResponseUndone
from events.topics import CONTRACTS, PLANS, RESPONSES
from services.application.contracts import CONTRACT_EVENTS
from services.application.responses import RESPONSE_EVENTS
from services.coalitions.benchmark_requests import random_id, sweep_requests
from services.coalitions.response_handler import ResponseHandler
from services.ingest.event_publisher import plan_event
from services.local_stack.child_process import LOOPBACK
from services.platform import logs
from services.store.database import make_engine, make_sessions
from tests.chaos import charter_events, progress
from tests.chaos.chaos import Chaos, Log
from tests.chaos.charter_events import (
    EXTENDING,
    HOLDING,
    PRICED,
    CharterEvents,
    extensions,
    judge_charter,
    priced_contracts,
)
from tests.chaos.cluster import Arena, arena, wait
from tests.chaos.oracle import Verdict, judge_mails
from tests.chaos.stream import AUTHORITIES
from tests.pipeline import AS_OF, records_of
from tests.support.service_processes import run_command

FIRST: Final = ("matcher-1", "relay-1", "coalitions-1")
CREW: Final = ("relay-1", "relay-2", "coalitions-1", "coalitions-2", "notifier-1", "notifier-2")
NEEDS: Final = (
    ("Replacement of the HR and payroll system", "48450000"),
    ("Refuse collection vehicles", "34144510"),
    ("Library management software and self service kiosks", "48161000"),
    ("Highways winter gritting salt", "34927100"),
    ("School meals catering", "55523100"),
    ("Parking enforcement cameras and back office", "35125300"),
)
MEMBERS: Final = 4
PAUSE_SECONDS: Final = 0.25
DRAIN_SECONDS: Final = 240.0
COPY: Final = "before_answers"
_TABLES: Final = {
    "coalitions": "SELECT coalition_id, revision, status, status_by, state, payload FROM coalitions ORDER BY 1",
    "members": "SELECT coalition_id, plan_id, state FROM coalition_members ORDER BY 1, 2",
    "answers": "SELECT response_id, outcome, detail, change, about, undone_by FROM responses ORDER BY 1",
    "verdicts": "SELECT opportunity_id, authority, reason, words FROM pair_verdicts ORDER BY 1, 2",
    "benchmarks": "SELECT request_id, plan_id, status, revision, state FROM benchmark_requests ORDER BY 1",
    "enquiries": "SELECT request_id, authority, answer, contract_id FROM benchmark_enquiries ORDER BY 1, 2",
}


def plans() -> list[PlanPublished]:
    """Each need in four councils at one time."""
    return [
        PlanPublished.model_validate(
            {
                "plan_id": f"{AUTHORITIES[number * MEMBERS + member]}:NEED-{number}",
                "revision": 1,
                "authority": AUTHORITIES[number * MEMBERS + member],
                "title": title,
                "description": f"{title} for the whole council.",
                "kind": "renewal",
                "cpv": [code],
                "value": {"amount": 900_000},
                "tender_window": {"earliest": "2027-07-01", "latest": "2027-10-31"},
            }
        )
        for number, (title, code) in enumerate(NEEDS)
        for member in range(MEMBERS)
    ]


class Answering(threading.Thread):
    """Authorities that answer until they are told to stop. `sent`: the ids of responses that the broker has."""

    def __init__(self, made: Arena, chance: random.Random) -> None:
        super().__init__(name="answering", daemon=True)
        self._arena, self._chance = made, chance
        self._over = threading.Event()
        self._last: list[ResponsePayload] = []
        self.sent: set[str] = set()
        self.charter = CharterEvents(chance)

    def run(self) -> None:
        """One answer after the other, each kept at until the broker has it."""
        asyncio.run(self._answer_on())

    def stop(self) -> None:
        """Returns once the last answer is sent."""
        self._over.set()
        self.join()

    async def _answer_on(self) -> None:
        producer = None
        number = 0
        while not self._over.is_set():
            with suppress(KafkaError, OperationalError, OSError, TimeoutError):
                if producer is None:
                    producer = AIOKafkaProducer(
                        bootstrap_servers=self._arena.bootstrap, acks="all", request_timeout_ms=5000
                    )
                    await producer.start()
                payload = self._choose(number)
                if payload is not None:
                    await self._send(producer, payload)
                    number += 1
            await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE_SECONDS))
        if producer is not None:
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, payload: ResponsePayload | ContractPayload) -> None:
        if isinstance(payload, CONTRACT_PAYLOADS):
            message = CONTRACT_EVENTS.message(payload)
            await producer.send_and_wait(CONTRACTS.name, message.value, message.key, headers=list(message.headers))
            self.charter.note(payload)
            return
        # One partition: coalitions depend on each other, and the oracle needs one order.
        message = encode(RESPONSE_EVENTS.event(payload), payload.subject_id)
        await producer.send_and_wait(
            RESPONSES.name, message.value, message.key, partition=0, headers=list(message.headers)
        )
        self.sent.add(payload.response_id)
        self._last = [*self._last[-20:], payload]

    def _choose(self, number: int) -> ResponsePayload | ContractPayload | None:
        """What some authority says now: sense and nonsense, to this version or an older one; sometimes once more."""
        if self._chance.random() < 0.25:
            return self.charter.contract()
        if self._chance.random() < 0.15 and (decision := self.charter.decision(self._arena, number)) is not None:
            return decision
        if self._chance.random() < 0.15 and (answer := self.charter.answer(self._arena, number)) is not None:
            return answer
        if self._last and self._chance.random() < 0.15:
            return self._chance.choice(self._last)
        rows = self._arena.sql("SELECT payload FROM coalitions ORDER BY coalition_id")
        if not rows:
            return None
        state = self._chance.choice(rows)[0]
        member = self._chance.choice(state["members"])
        stale = self._chance.random() < 0.1 and state["terms_revision"] > 1
        fields = {
            "response_id": f"answer-{number:06}",
            "authority": member["authority"],
            "plan_id": member["plan_id"],
            "subject": "coalition",
            "subject_id": state["coalition_id"],
            "subject_revision": state["terms_revision"] - stale,
        }
        undoable = [one for one in self._last if getattr(one, "plan_id", None) == member["plan_id"]]
        if undoable and self._chance.random() < 0.1:
            return ResponseUndone.model_validate(fields | {"undoes": undoable[-1].response_id})
        if self._chance.random() < 0.15:
            return self.charter.route(fields)
        return self._act(fields, state["status"], member["state"])

    def _act(self, fields: dict[str, Any], status: str, member: str) -> ResponsePayload:
        if self._chance.random() < 0.2:
            answers = ("interested", "other-dates", "not-the-same", "not-this-time", "later")
            weights = (5, 3, 0.3, 1, 3)
            answer = self._chance.choices(answers, weights)[0]
            return ResponseAnswered.model_validate(fields | {"answer": answer})
        if status == "suggested" and self._chance.random() < 0.5:
            return ResponseInvited.model_validate(fields)
        likely = {"invited": ("accept", "accept", "decline"), "accepted": ("commit", "leave", "lead")}
        acts = likely.get(member, ("join", "accept", "lead"))
        return ResponseMembership.model_validate(fields | {"act": self._chance.choice(acts)})


def run(seed: int, seconds: float, log: Log, folder: Path) -> dict[str, Any]:
    """One run: plans, a copy, answers under faults, the verdict. `ok` is whether every promise held."""
    chance = random.Random(f"answers {seed}")
    progress.GROUPS.setdefault("jointly-coalitions-responses", RESPONSES)
    progress.GROUPS.setdefault("jointly-coalitions-contracts", CONTRACTS)
    with arena(folder, quick=True) as made:
        _suggest(made, log)
        _copy(made)
        for name in CREW:
            made.start(name)
        answering = Answering(made, chance)
        answering.start()
        chaos = Chaos(made, None, chance, log)  # type: ignore[arg-type]
        chaos.storm("answers", seconds)
        answering.stop()
        chaos.heal_all()
        log(f"mended; {len(answering.sent)} answers to {chaos.counts.total()} faults, draining")
        dry = wait(lambda: progress.drained(made) and _all_kept(made, answering), DRAIN_SECONDS, pause=1.0)
        verdict = Verdict()
        verdict.demand("I7", dry is not None, f"not drained: {_left(made)}")
        judge_mails(verdict, made)
        differences = [*asyncio.run(_compare(made)), *judge_charter(made), *_rebuilt(made)]
        statuses = Counter(status for (status,) in made.sql("SELECT status FROM coalitions"))
        outcomes = Counter(outcome for (outcome,) in made.sql("SELECT outcome FROM responses"))
        statistics = Counter(status for (status,) in made.sql("SELECT status FROM benchmark_requests"))
        ((routes,),) = made.sql("SELECT count(*) FROM responses WHERE kind = 'route' AND outcome = 'recorded'")
    return {
        "ok": verdict.ok and not differences,
        "seed": seed,
        "answers": len(answering.sent),
        "contracts": {one: payload.revision for one, payload in sorted(answering.charter.newest.items())},
        "benchmarks": dict(statistics),
        "routes": routes,
        "outcomes": dict(outcomes),
        "coalitions": dict(statuses),
        "faults": dict(sorted(chaos.counts.items())),
        "violations": {name: found[:5] for name, found in verdict.violations.items() if found},
        "differences": differences[:10],
    }


def _suggest(made: Arena, log: Log) -> None:
    """Has the plans matched and the coalitions suggested, undisturbed; afterwards nobody runs."""
    for name in FIRST:
        made.start(name)
    asyncio.run(_publish(made, [encode(plan_event(plan), plan.plan_id) for plan in plans()]))
    asyncio.run(_publish(made, [CONTRACT_EVENTS.message(contract) for contract in priced_contracts()], CONTRACTS.name))

    def suggested() -> bool:
        with suppress(OperationalError):
            ((count,),) = made.sql("SELECT count(*) FROM coalitions")
            ((left,),) = made.sql("SELECT count(*) FROM outbox WHERE published_at IS NULL")
            ((unmatched,),) = made.sql("SELECT count(*) FROM plans WHERE assessed_revision < revision")
            ((known,),) = made.sql("SELECT count(*) FROM plans")
            ((shared,),) = made.sql("SELECT count(*) FROM contracts")
            ((quarters,),) = made.sql("SELECT count(*) FROM benchmark_quarters")
            done = left == 0 and unmatched == 0 and shared == len(PRICED) + len(HOLDING) and quarters == 1
            return bool(done and count >= len(NEEDS) and known == len(NEEDS) * MEMBERS)
        return False

    if wait(suggested, 120, pause=0.5) is None:
        raise AssertionError(f"no coalitions were suggested; look at {made.folder}/*.log")
    # What the coalitions process has still in hand changes nothing any more: its events were all of matched plans.
    time.sleep(5)
    log(f"{made.sql('SELECT count(*) FROM coalitions')[0][0]} coalitions are suggested")
    made.kill("coalitions-1")
    # Nobody has asked for a benchmark yet when the database is copied.
    asyncio.run(_publish(made, [encode(plan_event(plan), plan.plan_id) for plan in extensions()]))
    extending = "SELECT count(*) FROM plans WHERE state->>'kind' = 'extension' AND assessed_revision = revision"
    if wait(lambda: made.sql(extending)[0][0] == len(EXTENDING), 60, pause=0.5) is None:
        raise AssertionError(f"the plans to extend were not taken; look at {made.folder}/*.log")
    for name in FIRST[:2]:
        made.kill(name)


async def _publish(made: Arena, messages: list[Message], topic: str = PLANS.name) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=made.bootstrap, acks="all")
    await producer.start()
    for message in messages:
        await producer.send_and_wait(topic, message.value, message.key, headers=list(message.headers))
    await producer.stop()


def _copy(made: Arena) -> None:
    """The database as it is before the first answer."""
    url = f"postgresql://postgres:{made.database.password}@{LOOPBACK}:{made.database.port}/postgres"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'jointly'")
        connection.execute(f"CREATE DATABASE {COPY} TEMPLATE jointly")


def _all_kept(made: Arena, answering: Answering) -> bool:
    with suppress(OperationalError):
        kept = {response_id for (response_id,) in made.sql("SELECT response_id FROM responses")}
        return answering.sent <= kept and answering.charter.all_kept(made)
    return False


def _left(made: Arena) -> Any:
    with suppress(OperationalError, KafkaError):
        return progress.left(made)
    return "nobody answers"


def _rebuilt(made: Arena) -> list[str]:
    """What `jointly rebuild --check` finds to differ from the log."""
    done = run_command(["rebuild", "--check"], made.environment, made.folder / "rebuild")
    return [] if done.returncode == 0 else [f"rebuild --check ended with {done.returncode}: {done.stdout}{done.stderr}"]


async def _compare(made: Arena) -> list[str]:
    """What differs from the coalitions of one process that handled the same answers and never stopped."""
    records = await asyncio.to_thread(records_of, made.bootstrap, RESPONSES.name, quiet_seconds=2.0)
    records = sorted(records, key=lambda record: (record.partition, record.offset))
    url = _url(made, COPY)
    engine = make_engine(url)
    handler = ResponseHandler(make_sessions(engine), made.settings, producer=None)  # type: ignore[arg-type]
    # Decisions came later than the requests that they are about. Their random ids are those that the answers name.
    ids = dict(await asyncio.to_thread(made.sql, "SELECT plan_id, request_id FROM benchmark_requests"))
    await sweep_requests(make_sessions(engine), AS_OF, new_id=lambda plan_id: ids.get(plan_id) or random_id(plan_id))
    for record in records:
        await handler.handle([record])
    standing = make_engine(_url(made, "jointly"))
    plan_ids = [plan.plan_id for plan in plans()]
    found = await charter_events.compare_routes(make_sessions(standing), make_sessions(engine), plan_ids)
    await standing.dispose()
    await engine.dispose()
    for name, query in _TABLES.items():
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            wanted = connection.execute(query).fetchall()
        standing = await asyncio.to_thread(made.sql, query)
        found += [f"{name}: is {row}" for row in standing if row not in wanted]
        found += [f"{name}: ought to be {row}" for row in wanted if row not in standing]
    return [text[:600] for text in found]


def _url(made: Arena, database: str) -> str:
    return f"postgresql+psycopg://postgres:{made.database.password}@{LOOPBACK}:{made.database.port}/{database}"


def main() -> int:
    """Runs one seed and prints one JSON object; status 1 where a promise broke."""
    from tests.chaos.__main__ import clear_settings, narrate

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1.0)
    options = parser.parse_args()
    clear_settings()
    logging.disable(logging.CRITICAL)
    logs.setup("answers", "ERROR")
    folder = Path(tempfile.mkdtemp(prefix="jointly-answers-"))
    report = run(options.seed, options.minutes * 60, narrate, folder)
    sys.stdout.write(json.dumps(report, default=str) + "\n")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
