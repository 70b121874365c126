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
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from psycopg import OperationalError

from events.cloudevents import Message, encode
from events.plans import PlanPublished
from events.topics import CONTRACTS, PLANS, RESPONSES
from services.application.contracts import CONTRACT_EVENTS
from services.ingest.event_publisher import plan_event
from services.platform import logs
from tests.chaos import progress
from tests.chaos.answer_oracle import compare, copy_database
from tests.chaos.answering import Answering
from tests.chaos.chaos import Chaos, Log
from tests.chaos.charter_events import (
    EXTENDING,
    HOLDING,
    PRICED,
    extensions,
    judge_charter,
    priced_contracts,
)
from tests.chaos.cluster import Arena, arena, wait
from tests.chaos.oracle import Verdict, judge_mails
from tests.chaos.stream import AUTHORITIES
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
DRAIN_SECONDS: Final = 240.0


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


def run(seed: int, seconds: float, log: Log, folder: Path) -> dict[str, Any]:
    """One run: plans, a copy, answers under faults, the verdict. `ok` is whether every promise held."""
    chance = random.Random(f"answers {seed}")
    progress.GROUPS.setdefault("jointly-coalitions-responses", RESPONSES)
    progress.GROUPS.setdefault("jointly-coalitions-contracts", CONTRACTS)
    with arena(folder, quick=True) as made:
        _suggest(made, log)
        copy_database(made)
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
        differences = [
            *asyncio.run(compare(made, [plan.plan_id for plan in plans()])),
            *judge_charter(made),
            *_rebuilt(made),
        ]
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
