"""`python -m tests.chaos --seed N --minutes M --json`: one run of the fault suite; status 1 where a promise broke."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path

from tests.brokers import unavailable
from tests.chaos.chaos import PROFILES
from tests.chaos.run import Report, run


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    made.add_argument("--seed", type=int, default=1, help="what is fed and what breaks")
    made.add_argument("--minutes", type=float, default=1.5, help="how long faults go on, without start and drain")
    made.add_argument("--plans", type=int, default=150)
    made.add_argument("--profile", choices=sorted(PROFILES), default="mixed")
    made.add_argument("--measured", type=float, default=0.4, help="part of the time in which faults come one at a time")
    made.add_argument("--odd", action="store_true", help="also feed odd batches, transactions and a large settlement")
    made.add_argument("--as-shipped", action="store_true", help="leave session timeouts and leases as they are")
    made.add_argument("--keep", type=Path, help="keep logs and data in this folder")
    made.add_argument("--json", action="store_true", help="print one JSON line")
    return made


def main() -> int:
    """Runs one seed."""
    options = parser().parse_args()
    reason = unavailable()
    if reason is not None:
        narrate(f"{reason}; the fault suite needs it.")
        return 2
    clear_settings()
    # What the suite's own clients say of a broker that it has just killed is no news.
    logging.disable(logging.CRITICAL)
    report = run(
        options.seed,
        options.minutes,
        plans=options.plans,
        profile=options.profile,
        measured=options.measured,
        quick=not options.as_shipped,
        odd=options.odd,
        log=narrate,
        keep=options.keep.resolve() if options.keep else None,
    )
    sys.stdout.write((json.dumps(report.as_dict()) if options.json else in_words(report)) + "\n")
    return 0 if report.ok else 1


def clear_settings() -> None:
    """Settings of the shell must not reach the arena."""
    for name in [name for name in os.environ if name.startswith("JOINTLY_")]:
        del os.environ[name]


def narrate(line: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def in_words(report: Report) -> str:
    """A report for people."""
    lines = [f"seed {report.seed}: {report.events} events, {sum(report.faults.values())} faults"]
    lines += [f"  {name}: {found}" for name, found in report.invariants.items()]
    lines += [f"  recovered from {kind} in {times} s" for kind, times in report.recovery_seconds.items()]
    return "\n".join([*lines, f"  {dict(report.counts)}"])


if __name__ == "__main__":
    sys.exit(main())
