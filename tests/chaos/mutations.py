"""Forged events by the thousand: does any get through in another authority's name?

    python -m tests.chaos.mutations --events 10000 --seed 1 --json

The forger is an authority itself: it may write the shared topic and its own, has a registered key, and holds copies of
what others signed. It changes bytes, headers, signatures, topics, and puts parts of events together. Every event goes
the matcher's way (decode, topic, signature) with signatures demanded on the shared topic. What is accepted must be the
forger's own, or exactly what its authority signed: a copy, which by its revision counts once. One line of JSON comes
out; the exit code is 1 where anything was accepted for another, raised, or cost more than it may.
"""

import argparse
import json
import random
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from events.signing import signed_attributes
from events.topics import PLANS
from services.matcher.plan_decoding import PlanRecordAccepted, read
from services.messaging.dead_letter_queue import from_record
from services.messaging.signature_policy import RejectedRecord, verify_one, with_signature
from tests.chaos.forgery import DAY, FORGER, Forgery, Scene, forge, plain

MOST_CPU_SECONDS: Final = 2.0
"""For one event; it takes about a thousandth of that. Process time, so that a busy machine changes nothing."""
MOST_MEMORY_BYTES: Final = 32 * 1024 * 1024
"""At the peak of one event: the largest value that is read, some hundred times."""


@dataclass
class Outcome:
    """What became of a run."""

    events: int = 0
    accepted_own: int = 0
    accepted_copies: int = 0
    accepted_for_another: int = 0
    raised: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    slowest_cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    first_failure: str = ""

    @property
    def good(self) -> bool:
        return (
            self.accepted_for_another == self.raised == 0
            and self.slowest_cpu_seconds < MOST_CPU_SECONDS
            and self.peak_memory_bytes < MOST_MEMORY_BYTES
        )


def verdict(scene: Scene, forgery: Forgery) -> PlanRecordAccepted | RejectedRecord:
    """The matcher's way, without the register's database."""
    record = forgery.record()
    item = read(record, datetime.now(UTC))
    item = with_signature(item) if isinstance(item, PlanRecordAccepted) else item
    item = verify_one(item, scene.register, "required", DAY) if isinstance(item, PlanRecordAccepted) else item
    if isinstance(item, RejectedRecord):
        from_record(record, item.reason, item.sentence)  # it has to be possible to write it down
    return item


def _said(item: PlanRecordAccepted | RejectedRecord) -> tuple[str, ...]:
    """What an accepted event says: its attributes and its bytes."""
    assert isinstance(item, PlanRecordAccepted)
    return (*sorted(signed_attributes(item.event).values()), item.record.value.decode())


def run(events: int, seed: int, scene: Scene | None = None) -> Outcome:
    """So many forgeries. The same seed makes the same choices (the keys are new each time)."""
    scene = scene or Scene(random.Random(seed))
    signed_by_others = {_said(read(plain(message, PLANS.name).record(), datetime.now(UTC))) for message in scene.copies}
    outcome = Outcome()
    tracemalloc.start()
    try:
        for _ in range(events):
            _try(scene, forge(scene), signed_by_others, outcome)
    finally:
        tracemalloc.stop()
    return outcome


def _try(scene: Scene, forgery: Forgery, signed_by_others: Set[tuple[str, ...]], outcome: Outcome) -> None:
    outcome.events += 1
    tracemalloc.reset_peak()
    before, started = tracemalloc.get_traced_memory()[0], time.process_time()
    try:
        item = verdict(scene, forgery)
    except Exception as error:
        outcome.raised += 1
        outcome.first_failure = outcome.first_failure or f"{type(error).__name__}: {forgery}"
        return
    finally:
        outcome.slowest_cpu_seconds = max(outcome.slowest_cpu_seconds, time.process_time() - started)
        outcome.peak_memory_bytes = max(outcome.peak_memory_bytes, tracemalloc.get_traced_memory()[1] - before)
    if isinstance(item, RejectedRecord):
        outcome.refused[item.reason.value] += 1
    elif item.payload.authority == FORGER:
        outcome.accepted_own += 1
    elif item.record.topic == PLANS.name and _said(item) in signed_by_others:
        outcome.accepted_copies += 1
    else:
        outcome.accepted_for_another += 1
        outcome.first_failure = outcome.first_failure or f"accepted for {item.payload.authority}: {forgery}"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutations", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    chosen = parser.parse_args()
    outcome = run(chosen.events, chosen.seed)
    found = {"seed": chosen.seed, **vars(outcome), "refused": dict(outcome.refused.most_common()), "good": outcome.good}
    sys.stdout.write(json.dumps(found, indent=None if chosen.json else 2) + "\n")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
