"""Measures the pipeline beside what else one could do, on the same machine in the same run.

`make bench`, or `python -m tests.bench.bench --sizes 3086real,10000,100000 --stages a,b,c,r,e1,e2,e3,e4,e5`.
Results go into one JSON file, a table (Markdown, also printed) and a plot; what is in the file already is kept and not
measured again (unless `--again`), so a run that was cut short goes on. What is measured how: docs/scale.md.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from matching.embedding import Embedder
from matching.encoders.loading import load_embedder
from services.local_stack.postgres import Server, postgres
from tests import brokers
from tests.bench import encoder_baseline, pipeline_stages, report
from tests.bench.corpora import REAL, Corpus, corpus
from tests.bench.machine_noise import loops
from tests.bench.recall import recall
from tests.bench.running import KAFKA, TANSU, say

STAGES = ("a", "b", "c", "r", "e1", "e2", "e3", "e4", "e5")
DEFAULT_FOLDER = Path(".jointly") / "bench"
DEFAULT_REAL = Path("../shared/data/plans.jsonl")
QUICK_SIZE = "1000"
MEMORY = {"maintenance_work_mem": "1GB", "max_wal_size": "4GB"}
"""What PostgreSQL gets, as on a small server of its own; the embedded default is meant for a laptop."""
FAR = 20_000
"""From more active plans than this on, only `WITHOUT_ENCODER` unless `--far`: e1 and e3 would first embed them all."""
WITHOUT_ENCODER = ("e2", "e5")
"""What is also measured of the pipeline where there are many plans, or copies of plans."""


class Bench:
    """What the stages of one run share; each part is started when the first stage needs it."""

    def __init__(self, given: argparse.Namespace, exits: ExitStack) -> None:
        self.given = given
        self.folder: Path = given.folder.resolve()
        self.results: dict[str, Any] = {"runs": {}}
        self._exits = exits
        if self.file.is_file():
            self.results = json.loads(self.file.read_text("utf-8"))

    @property
    def file(self) -> Path:
        return self.folder / "results.json"

    @cached_property
    def embedder(self) -> Embedder:
        return load_embedder(self.given.model)

    @cached_property
    def server(self) -> Server:
        say("starting PostgreSQL")
        # With fsync: the price of keeping what was accepted is part of what is measured.
        settings = {**MEMORY, "shared_buffers": self.given.buffers}
        server = postgres(self.folder / "postgres", self.folder / "logs", settings=settings)
        return self._exits.enter_context(server)

    def measure(self, stage: str, size: str, broker: str | None, work: Callable[[], dict[str, Any]]) -> None:
        """Runs one stage unless its result is there; keeps the result at once, with when and on what it was got."""
        key = " ".join(part for part in (stage, size, broker) if part)
        if key in self.results["runs"] and not self.given.again:
            say(f"{key}: measured before, kept")
            return
        say(f"{key}: measuring")
        before, loops_before = os.getloadavg(), loops()
        try:
            found = work()
        except Exception as error:  # one stage that fails must not cost the others' results
            traceback.print_exc()
            say(f"{key}: failed: {type(error).__name__}: {error}")
            self.failed.append(key)
            return
        self.results["runs"][key] = {
            "stage": stage,
            "size": size,
            **({"broker": broker} if broker else {}),
            **found,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": _revision(),
            "shared_buffers": self.given.buffers,
            "load_before": [round(load, 2) for load in before],
            "load_after": [round(load, 2) for load in os.getloadavg()],
            "loops_before": loops_before,
            "loops_after": loops(),
        }
        self.results["machine"] = _machine()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.results, indent=2) + "\n", "utf-8")

    @cached_property
    def failed(self) -> list[str]:
        return []


def stages_of_parts(bench: Bench, found: Corpus, wanted: Sequence[str]) -> None:
    """a, b, c and r."""
    given, size = bench.given, found.name
    if "a" in wanted and found.new:
        bench.measure("a", size, None, lambda: encoder_baseline.encoder(found, given.new, bench.embedder))
    if "b" in wanted:
        bench.measure("b", size, None, lambda: encoder_baseline.plain_loop(found, given.searches, bench.embedder))
    if "c" in wanted:
        bench.measure("c", size, None, lambda: encoder_baseline.bm25(found, given.searches))
    if "r" in wanted:
        model = pipeline_stages.STAND_IN
        bench.measure("r", size, None, lambda: recall(bench.server, found, 2 * given.searches, model, bench.folder))


def stages_of_the_pipeline(bench: Bench, found: Corpus, wanted: Sequence[str], broker: str) -> None:
    """e1 to e5 on one broker."""
    given, size, folder, server = bench.given, found.name, bench.folder, bench.server
    stages = pipeline_stages
    if report.active(size) > FAR and not given.far:
        wanted = [stage for stage in wanted if stage in WITHOUT_ENCODER]
    if "e1" in wanted:
        bench.measure(
            "e1", size, broker, lambda: stages.new_plans(server, found, broker, given.new, given.model, folder)
        )
    if "e2" in wanted:
        bench.measure(
            "e2", size, broker, lambda: stages.text_free_updates(server, found, broker, given.updates, folder)
        )
    if "e5" in wanted:
        bench.measure("e5", size, broker, lambda: stages.searched_only(server, found, broker, given.new, folder))
    if "e3" in wanted:
        measured = bench.results["runs"].get(f"e1 {size} {broker}")
        rate = given.rate or (measured["per_second"] / 2 if measured else None)
        if rate is None:
            say(f"e3 {size} {broker}: left out; half of what load? Measure e1 first, or give --rate")
        else:
            bench.measure(
                "e3",
                size,
                broker,
                lambda: stages.half_load(server, found, broker, rate, given.seconds, given.model, folder),
            )
    if "e4" in wanted:
        numbers = [int(number) for number in given.matchers.split(",")]
        bench.measure(
            "e4", size, broker, lambda: stages.more_matchers(server, found, broker, given.scaling, folder, numbers)
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what is asked for and not there yet; 1 where a stage failed."""
    given = _parser().parse_args(arguments)
    if given.quick:
        given.sizes, given.brokers = QUICK_SIZE, TANSU
        given.new, given.updates, given.searches, given.scaling = 48, 96, 20, 96
        given.seconds, given.matchers, given.again = 4.0, "1,2", True
    wanted = given.stages.split(",")
    with ExitStack() as exits:
        # Ended from outside, it still stops what it started.
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        exits.callback(signal.signal, signal.SIGTERM, before)
        bench = Bench(given, exits)
        for size in given.sizes.split(","):
            try:
                found = corpus(size, given.real)
            except FileNotFoundError as error:
                say(f"left out: {error}")
                continue
            here = wanted if found.times == 1 else [stage for stage in wanted if stage in WITHOUT_ENCODER]
            stages_of_parts(bench, found, here)
            if any(stage.startswith("e") for stage in here):
                for broker in _brokers(given.brokers.split(",")):
                    stages_of_the_pipeline(bench, found, here, broker)
    report.write(bench.results, bench.folder)
    print(report.table(bench.results))
    say(f"written to {bench.folder}: results.json, table.md, plot.svg")
    return 1 if bench.failed else 0


def _brokers(wanted: Sequence[str]) -> list[str]:
    why_not = brokers.unavailable() if KAFKA in wanted else None
    if why_not:
        say(f"Apache Kafka left out: {why_not}")
    return [broker for broker in wanted if broker != KAFKA or not why_not]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--sizes", default=f"{REAL},10000,100000", help=f"numbers of active plans, also copied (100000x10), or {REAL}")
    add("--stages", default=",".join(STAGES), help=f"of {','.join(STAGES)}")
    add("--brokers", default=f"{TANSU},{KAFKA}", help="what e1 to e5 run on")
    add("--quick", action="store_true", help="a thousand plans, few events: that it works, not how fast")
    add("--far", action="store_true", help=f"e1, e3 and e4 also above {FAR:,} active plans")
    add("--again", action="store_true", help="measure also what is in the file already")
    add("--folder", type=Path, default=DEFAULT_FOLDER, help="where results and loaded databases are kept")
    add("--real", type=Path, default=DEFAULT_REAL, help="the JSONL file of the real plans")
    add("--model", default="", help="the embedder of a, b, e1 and e3; empty for the default")
    add("--new", type=int, default=1000, help="new plans in a, e1 and e5")
    add("--updates", type=int, default=2000, help="updates in e2")
    add("--searches", type=int, default=100, help="events in b and c")
    add("--scaling", type=int, default=1000, help="updates in e4")
    add("--matchers", default="1,2,4", help="numbers of matchers in e4")
    add("--buffers", default="1GB", help="PostgreSQL's shared_buffers; for a million plans 4GB at least")
    add("--rate", type=float, default=None, help="plans a second in e3; half of e1's by default")
    add("--seconds", type=float, default=60.0, help="how long e3 publishes")
    return parser


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _revision() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
