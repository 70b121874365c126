"""`python -m tests.chaos.long`: seed after seed, resumable, until the faults that were asked for have been made.

Totals stay in a file that git ignores; each call goes on with the next seed. Exit status 1 where any run ever broke a
promise: its seed and profile are in the file, and `python -m tests.chaos` makes it again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.chaos.__main__ import narrate
from tests.chaos.chaos import LINKS, MEASURED
from tests.chaos.oracle import INVARIANTS

FILE: Final = Path(".jointly/faults.json")
PROFILES: Final = ("kills", "parts", "kills", "links", "mixed")
WANTED: Final = {"matcher kills": 200, "relay and notifier kills": 200, "broker restarts": 20, "database stops": 20}
OVER: Final = 150.0
"""Seconds that a run may take beyond its faults before the time left is too short for another."""


def main() -> int:
    """Runs seeds for the time given, or until all that was wanted has been made."""
    made = argparse.ArgumentParser(prog="python -m tests.chaos.long", description=__doc__)
    made.add_argument("--minutes", type=float, default=60, help="how long to go on")
    made.add_argument("--each", type=float, default=3.0, help="minutes of faults in one run")
    made.add_argument("--plans", type=int, default=250)
    made.add_argument("--file", type=Path, default=FILE)
    made.add_argument("--jobs", type=int, default=1, help="so many runs side by side, each on parts of its own")
    made.add_argument("--to-the-end", action="store_true", help="go on though all that was wanted has been made")
    options = made.parse_args()
    runs: list[dict[str, Any]] = json.loads(options.file.read_text()) if options.file.exists() else []
    end = time.monotonic() + options.minutes * 60
    while time.monotonic() + options.each * 60 + OVER < end and (options.to_the_end or _missing(runs)):
        seeds = range(len(runs) + 1, len(runs) + 1 + options.jobs)
        with ThreadPoolExecutor(options.jobs) as side_by_side:
            runs += side_by_side.map(lambda seed: _one(seed, options.each, options.plans), seeds)
        options.file.parent.mkdir(parents=True, exist_ok=True)
        options.file.write_text(json.dumps(runs, indent=1))
        narrate(f"so far: {dict(kills(runs))}; {sum(run['ok'] for run in runs)} of {len(runs)} runs held")
    sys.stdout.write(json.dumps(totals(runs)) + "\n")
    return 0 if all(run["ok"] for run in runs) else 1


def _one(seed: int, minutes: float, plans: int) -> dict[str, Any]:
    """One run, in a process of its own."""
    profile = PROFILES[seed % len(PROFILES)]
    options = {"seed": seed, "minutes": minutes, "plans": plans, "profile": profile, "measured": 0.15}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    narrate(f"seed {seed}, {profile}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--json", "--odd", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        found = {"seed": seed, "ok": False, "invariants": {}, "faults": {}, "recovery_seconds": {}, "counts": {}}
    if not found["ok"]:
        found["said"] = done.stderr[-3000:]
        narrate(f"seed {seed} broke a promise: {found['invariants']}")
    return {**found, **options}


def kills(runs: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """How much of what is wanted has been made."""
    faults = _faults(runs)
    return Counter(
        {
            "matcher kills": faults["kill matcher"],
            "relay and notifier kills": faults["kill relay"] + faults["kill notifier"],
            "broker restarts": faults["restart broker"],
            "database stops": faults["stop database"],
        }
    )


def totals(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything over all runs: what was made, what held, how long recovery took (median, worst, how often)."""
    recovery: dict[str, list[float]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run["counts"])
        for kind, times in run["recovery_seconds"].items():
            recovery[kind] += times
    return {
        "runs": len(runs),
        "held": sum(run["ok"] for run in runs),
        "broken": [run["seed"] for run in runs if not run["ok"]],
        "events": sum(run.get("events", 0) for run in runs),
        **kills(runs),
        "faults": dict(sorted(_faults(runs).items())),
        "violated": {
            name: [run["seed"] for run in runs if run["invariants"].get(name, "ok") != "ok"] for name in INVARIANTS
        },
        "recovery": {
            kind: [median(recovery[kind]), max(recovery[kind]), len(recovery[kind])] for kind in sorted(recovery)
        },
        "never_made": sorted({*LINKS, *MEASURED} - _faults(runs).keys()),
        "counts": dict(counts),
    }


def _missing(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    made = kills(runs)
    never = [kind for kind in LINKS if not _faults(runs)[kind]]
    return [name for name, count in WANTED.items() if made[name] < count] + never


def _faults(runs: Sequence[Mapping[str, Any]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for run in runs:
        found.update(run["faults"])
    return found


if __name__ == "__main__":
    sys.exit(main())
