"""One run: feed, break, mend, drain, judge."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.chaos import odd_inputs, stream
from tests.chaos.chaos import Chaos, Log, man
from tests.chaos.cluster import Arena, arena, wait
from tests.chaos.odd_inputs import OddInput
from tests.chaos.oracle import judge
from tests.chaos.progress import canary_arrived, drained, left
from tests.chaos.workload import Feeder

DRAIN_SECONDS = 300.0
AS_SHIPPED_DRAIN_SECONDS = 700.0
"""A lease of a sender that was killed runs for five minutes."""


@dataclass(frozen=True)
class Report:
    """What one run did and found. `recovery_seconds` by kind of fault, where it was made alone."""

    seed: int
    profile: str
    quick: bool
    plans: int
    events: int
    faults: Mapping[str, int]
    invariants: Mapping[str, Any]
    recovery_seconds: Mapping[str, list[float]]
    counts: Mapping[str, int]
    seconds: Mapping[str, float]

    @property
    def ok(self) -> bool:
        """Whether every invariant held."""
        return all(found == "ok" for found in self.invariants.values())

    def as_dict(self) -> dict[str, Any]:
        """As printed."""
        return {**asdict(self), "ok": self.ok}


def run(
    seed: int,
    minutes: float,
    *,
    plans: int,
    profile: str,
    measured: float,
    quick: bool,
    odd: bool,
    log: Log,
    keep: Path | None,
) -> Report:
    """Runs one seed for so many minutes of faults. `measured`: the part of it in which faults come one at a time.
    `odd`: whether odd batches, transactions and a large settlement are among the inputs."""
    began = time.monotonic()
    folder = keep or Path(tempfile.mkdtemp(prefix="jointly-faults-"))
    with arena(folder, quick=quick) as made:
        unusual = odd_inputs.make(seed) if odd else []
        report = _run(made, began, seed, minutes * 60, plans, profile, measured, unusual, log)
    if report.ok and keep is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        log(f"logs and data are in {folder}")
    return report


def _run(
    made: Arena,
    began: float,
    seed: int,
    seconds: float,
    plans: int,
    profile: str,
    measured: float,
    odd: Sequence[OddInput],
    log: Log,
) -> Report:
    chance = random.Random(f"faults {seed}")
    inputs = stream.make(seed, plans)
    man(made)
    feeder = Feeder(made.bootstrap, inputs, seconds * 0.9, odd)
    chaos = Chaos(made, feeder, chance, log)
    first = feeder.canary()
    if wait(lambda: canary_arrived(made, first), 120) is None:
        raise AssertionError(f"the crew never came to work, before anything was broken: look at {made.folder}/*.log")
    started = time.monotonic()
    log(f"seed {seed}: {len(inputs)} records to come, storm of {seconds * (1 - measured):.0f} s ({profile})")
    chaos.storm(profile, seconds * (1 - measured))
    chaos.measured(seconds * measured)
    chaos.heal_all()
    feeder.close()
    broken = time.monotonic()
    log("everything is mended and fed, draining")
    limit = DRAIN_SECONDS if made.quick else AS_SHIPPED_DRAIN_SECONDS
    if wait(lambda: drained(made), limit, pause=1.0) is None:
        chaos.stuck.append(f"not drained after {limit:.0f} s: {left(made)}")
    dry = time.monotonic()
    log("drained, judging")
    verdict = judge(made)
    verdict.violations["I7"] += chaos.stuck
    return Report(
        seed=seed,
        profile=profile,
        quick=made.quick,
        plans=plans,
        events=verdict.counts.pop("records"),
        faults=dict(sorted(chaos.counts.items())),
        invariants={
            name: "ok" if not found else {"violated": len(found), "details": found[:10]}
            for name, found in verdict.violations.items()
        },
        recovery_seconds=dict(sorted(chaos.recovery.items())),
        counts={**verdict.counts, **{f"pieces_bitten_{name}": link.bitten for name, link in made.links.items()}},
        seconds={
            "start": round(started - began, 1),
            "faults": round(broken - started, 1),
            "drain": round(dry - broken, 1),
            "judge": round(time.monotonic() - dry, 1),
        },
    )
