"""`python -m tests.fuzz`: fuzzes the readers, and ends with 1 where one of them raised, hung, or took too much memory.

Mutation starts from the golden examples, the documentation's files, what was found hostile before (tests/fuzz/hostile)
and what earlier runs have found worth keeping (.jointly/fuzz). An input that breaks a rule is written to
.jointly/fuzz/crashes: mend the reader, and put the input into tests/fuzz/hostile/TARGET.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.fuzz.targets import TARGETS, seeds

HOSTILE: Final = Path(__file__).parent / "hostile"
KEPT: Final = Path(".jointly/fuzz")

MOST_SECONDS: Final = 20
"""An input may take so long; on a machine that is busy, a hundred times what one does."""
MOST_MEGABYTES: Final = 1024
LONGEST_INPUT: Final = 300_000
"""Bytes: a little more than the largest event that is read."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What became of one target: `slowest_seconds` and `peak_megabytes` as libFuzzer says them."""

    target: str
    inputs: int
    features: int
    slowest_seconds: int
    peak_megabytes: int
    ok: bool


def fuzz(target: str, *, runs: int = -1, seconds: int = 0, seed: int = 0, kept: Path = KEPT) -> tuple[Fuzzed, str]:
    """Fuzzes one target for so many inputs or seconds; what came of it, and what libFuzzer said."""
    corpus, crashes = kept / target, kept / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="jointly-fuzz-") as folder:
        begin = list(seeds(target))
        for number, data in enumerate(begin):
            (Path(folder) / str(number)).write_bytes(data)
        words = {word.decode() for data in begin for word in re.findall(rb"[A-Za-z][A-Za-z0-9_-]{2,40}", data)}
        dictionary = kept / f"{target}.words"
        dictionary.write_text("".join(f'"{word}"\n' for word in sorted(words)))
        options = {
            "runs": runs,
            "max_total_time": seconds,
            "seed": seed,
            "timeout": MOST_SECONDS,
            "rss_limit_mb": MOST_MEGABYTES,
            "max_len": LONGEST_INPUT,
            "artifact_prefix": f"{crashes}/{target}-",
            "dict": dictionary,
            "print_final_stats": 1,
        }
        folders = [str(corpus), folder, *([str(HOSTILE / target)] if (HOSTILE / target).is_dir() else [])]
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.fuzzing", target, *(f"-{k}={v}" for k, v in options.items()), *folders],
            capture_output=True,
            check=False,
        )
    said = done.stderr.decode(errors="replace")
    features = re.findall(r"ft: (\d+)", said)
    return Fuzzed(
        target=target,
        inputs=_stat(said, "number_of_executed_units"),
        features=int(features[-1]) if features else 0,
        slowest_seconds=_stat(said, "slowest_unit_time_sec"),
        peak_megabytes=_stat(said, "peak_rss_mb"),
        ok=done.returncode == 0,
    ), said + done.stdout.decode(errors="replace")


def _stat(said: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s+(\d+)", said)
    return int(found[1]) if found else 0


def main() -> int:
    """Fuzzes each target in turn; prints one JSON line each."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all where none is named")
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--runs", type=int, default=-1, help="at most so many inputs for each target")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations; 0 for another each time")
    given = parser.parse_args()
    if unknown := set(given.targets) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if find_spec("atheris") is None:
        parser.error("atheris is not installed: it is for CPython up to 3.13 on 64-bit Linux on Intel and AMD")
    good = True
    for target in given.targets or TARGETS:
        found, said = fuzz(target, runs=given.runs, seconds=given.seconds, seed=given.seed)
        print(json.dumps(asdict(found)), flush=True)  # noqa: T201
        if not found.ok:
            print(said[-4000:], file=sys.stderr)  # noqa: T201
        good &= found.ok
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
