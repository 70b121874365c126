"""The harness works: it measures on real parts, keeps what it measured, and tells it in a table and a plot."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.bench import bench, cpu_limits, report, statement_counts

RUNS: dict[str, Any] = {
    "b 10000": {"stage": "b", "size": "10000", "new_per_second": 10.0, "updates_per_second": 20.0},
    "b 3086real": {"stage": "b", "size": "3086real", "new_per_second": 20.0, "updates_per_second": 60.0},
    "e2 10000 tansu": {
        "stage": "e2",
        "size": "10000",
        "broker": "tansu",
        "per_second": 400.0,
        "ms_an_event": 2.5,
        "cpu_ms_an_event": {"in_all": 3.0},
        "ms_an_opportunity_written": None,
        "all_statements_an_event": 0.9,
    },
}


def test_the_table_says_how_many_times_faster_each_size_is() -> None:
    lines = report.table({"runs": RUNS}).splitlines()
    assert lines[0] == "| | 3,086 plans (real) | 10,000 plans |"
    assert "| (b) plain loop, new plans/s | 20.0 | 10.0 |" in lines
    assert "| (e2) pipeline, updates/s, tansu |  | 400.0 |" in lines
    assert "- e2 at 10,000 plans, tansu: 20.0 times the plain loop" in lines


def test_the_plot_has_one_line_for_each_thing_measured() -> None:
    drawn = ElementTree.fromstring(report.plot({"runs": RUNS}))
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert ElementTree.fromstring(report.plot({"runs": {}})) is not None


def test_a_limited_process_runs_on_once_the_limit_is_lifted() -> None:
    count = "import sys\nwhile sys.stdin.readline(): print('here', flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", count], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        for limited in (cpu_limits.limited([one.pid], 0.25), cpu_limits._by_signals([one.pid], 0.25)):
            with limited:
                one.stdin.write("?\n")
                one.stdin.flush()
                assert one.stdout.readline() == "here\n"
        one.stdin.write("?\n")
        one.stdin.flush()
        assert one.stdout.readline() == "here\n"
        one.stdin.close()


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="only Linux says what a process has mapped")
def test_shared_memory_of_a_family_counts_once(tmp_path: Path) -> None:
    (tmp_path / "library").write_bytes(bytes(64 << 20))
    script = """
import mmap, subprocess, sys
file = open(sys.argv[1], "rb")
library = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
read, own = sum(library[::4096]), bytearray(b"1" * (32 << 20))
child = subprocess.Popen([sys.executable, "-c", *sys.argv[2:], *sys.argv[1:2]]) if len(sys.argv) > 2 else None
print("here", flush=True)
sys.stdin.readline()
"""
    # The first one starts the second: the same script without a script to start.
    asked = [sys.executable, "-c", script, str(tmp_path / "library"), script]
    with subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert [parent.stdout.readline() for _ in range(2)] == ["here\n", "here\n"]
        found = statement_counts.memory_mb(parent.pid)
        parent.communicate("\n\n")
    assert found["now"] > 2 * (64 + 32)
    assert found["most"] >= found["now"] - 1
    # Python itself is mapped by both as well: 5 to 20 MB.
    assert 64 <= found["now"] - found["once"] < 64 + 30


@pytest.mark.slow
@pytest.mark.integration
def test_measuring_ends_in_one_file_and_is_not_done_twice(capsys: pytest.CaptureFixture[str]) -> None:
    # Not in pytest's own folder: PostgreSQL runs as another user where we are root.
    with tempfile.TemporaryDirectory(prefix="jointly-bench-") as folder:
        asked = ["--sizes", "120,120x3", "--brokers", "tansu", "--model", "hashing", "--folder", folder]
        asked += ["--searches", "5", "--updates", "40", "--new", "10", "--stages", "c,d,r,e2,e5"]
        assert bench.main(asked) == 0
        file = Path(folder) / "results.json"
        first = json.loads(file.read_text("utf-8"))
        updates = first["runs"]["e2 120 tansu"]
        assert updates["an_event"]["embeddings"] == 0
        assert updates["an_event"]["assessed"] == 1
        assert set(updates["cpu_ms_an_event"]) == {"matchers", "relay", "database", "broker", "in_all"}
        assert 0 < updates["all_statements_an_event"] < 50
        assert first["runs"]["r 120"]["recall_at_feed_or_above"] > 0.9
        assert first["runs"]["d 120"]["p50_ms"] > 0
        assert bench.main(asked) == 0
        assert json.loads(file.read_text("utf-8")) == first
        assert "(e2) pipeline, updates/s, tansu" in (Path(folder) / "table.md").read_text("utf-8")
    assert "measured before, kept" in capsys.readouterr().err
