"""A slow database slows the matcher down and does not fill its memory: it reads on only as it gets things done."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from events.cloudevents import Message
from tests.chaos import stream
from tests.chaos.schedules import Run, run, until
from tests.chaos.slow_database import slow_database
from tests.chaos.stream import Input
from tests.pipeline import invented_plans

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

RECORDS = 2_000
RECORD_BYTES = 80_000
PLANS = 60
LONG = 20
"""So many of the plans have a description that is as long as it may be."""
LONG_CHARACTERS = 19_900
LATE_SECONDS = 0.3
BOUND_KIB = 96 * 1024
"""By how much the matcher may grow: what one batch needs, and what the client has fetched for the next ones."""


def bulk(count: int) -> list[Input]:
    """One event of each plan, all of one size in bytes: what a description leaves, an unknown field fills."""
    found = []
    for number, plan in enumerate(invented_plans(count, count // 5)):
        authority = stream.AUTHORITIES[number]
        mine = plan.model_copy(update={"plan_id": f"{authority}:bulk", "authority": authority})
        if number < LONG:
            words = random.Random(number).choices(range(10_000), k=LONG_CHARACTERS // 6)
            text = f"{plan.description} {' '.join(f'w{word:04d}' for word in words)}"
            mine = mine.model_copy(update={"description": text[:LONG_CHARACTERS]})
        item = stream.input_of(mine)
        padding = b"x" * (RECORD_BYTES - len(item.message.value))
        value = item.message.value[:-1] + b', "remarks": "' + padding + b'"}'
        found.append(Input(item.partition, Message(item.message.key, item.message.headers, value)))
    return found


def memory(made: Run, name: str, what: str) -> int:
    """KiB of a process's memory: what it holds now (VmRSS), or the most since `forget_peak` (VmHWM)."""
    for line in Path(f"/proc/{made.arena.crew[name].pid}/status").read_text("ascii").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise AssertionError(f"the kernel does not tell {what}")


def forget_peak(made: Run, name: str) -> None:
    Path(f"/proc/{made.arena.crew[name].pid}/clear_refs").write_text("5", "ascii")


def handled(made: Run) -> int:
    """How many plan events the matcher has recorded."""
    return made.log_of("matcher-1").count('"event": "plan event"')


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from Linux's /proc")
def test_a_slow_database_does_not_fill_the_matchers_memory(tmp_path: Path) -> None:
    inputs = bulk(PLANS)
    size = sum(len(item.message.value) for item in inputs) * RECORDS // PLANS // 1024
    assert size > 1.5 * BOUND_KIB, "what waits would not fit into what it may grow by"
    with run(tmp_path) as made, slow_database(made) as (link, slow):
        link.late_seconds = LATE_SECONDS
        link.toxics.clear()
        made.start("relay-1", "notifier-1")
        made.start("matcher-1", **slow, JOINTLY_MAX_POLL_RECORDS="64")
        made.feed(inputs, seconds=0)
        until(lambda: handled(made) >= PLANS + 2, "all plans known")
        rest = memory(made, "matcher-1", "VmRSS")
        forget_peak(made, "matcher-1")
        link.toxics["up"] = "latency"
        before = handled(made)
        made.feed(inputs * (RECORDS // PLANS), seconds=0)
        made.feeders[-1].stream.result()
        until(lambda: handled(made) >= before + 3 * 64, "some slow batches")
        assert handled(made) < before + RECORDS / 2, "most of it still waits"
        link.toxics.clear()
        made.conclude()
        grown = memory(made, "matcher-1", "VmHWM") - rest
        sys.stdout.write(f"{rest} KiB at rest, {grown} KiB more at most, while {size} KiB came in\n")
        assert grown < BOUND_KIB, f"{grown} KiB more than {rest} KiB at rest, of {size} KiB that waited"
