"""What the processes and the database say of themselves: metrics, statements, rows, locks waited for, memory."""

import os
import re
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from services.local_stack.child_process import LOOPBACK, ChildProcess
from services.local_stack.postgres import Server

METRICS = {
    "assessed": "jointly_event_to_opportunity_seconds_count",
    "embeddings": "jointly_embeddings_total",
    "written": "jointly_pairs_written_total",
    "skipped_pairs": "jointly_pairs_skipped_total",
    "abandoned": "jointly_plans_abandoned_total",
    "faults_waited_out": "jointly_transient_errors_total",
    "batches_put_back": "jointly_batches_rewound_total",
    "candidates": "jointly_candidates_total",
}
"""What is read of a matcher, by our name for it."""

_DATABASE = ("xact_commit", "xact_rollback", "deadlocks", "tup_inserted", "tup_updated", "tup_deleted", "tup_fetched")
_TURNS = re.compile(r"^(?:BEGIN|COMMIT|ROLLBACK)\b", re.I)
_LINE = re.compile(r"^matcher\|LOG:  (?:statement|execute [^:]*): ?(.*)")
_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ ")
_EVERY_SECONDS = 0.05


def metrics(matchers: Sequence[ChildProcess]) -> dict[str, float]:
    """The sums over all matchers and labels of `METRICS`."""
    totals = dict.fromkeys(METRICS, 0.0)
    for matcher in matchers:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{matcher.http_port}/metrics", timeout=60) as answer:
            body: str = answer.read().decode()
        for ours, name in METRICS.items():
            totals[ours] += sum(map(float, re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", body, flags=re.MULTILINE)))
    return totals


def database(connection: psycopg.Connection) -> dict[str, int]:
    """The database's own counters so far; sessions report theirs with a delay of a second or so."""
    connection.execute("SELECT pg_stat_clear_snapshot()")
    query = f"SELECT {', '.join(_DATABASE)} FROM pg_stat_database WHERE datname = current_database()"
    row = connection.execute(query.encode()).fetchone()
    return dict(zip(_DATABASE, row or (), strict=True))


def grown(before: Mapping[str, float], after: Mapping[str, float], events: int) -> dict[str, float]:
    """By how much each counter rose for one event."""
    return {name: round((after[name] - before[name]) / max(events, 1), 3) for name in after}


@contextmanager
def statements(server: Server) -> Iterator[dict[str, int]]:
    """Counts every statement that connections named `matcher` send while the block runs, by its first word.

    The answer is filled in when the block ends. The server logs each statement meanwhile, which costs it something:
    don't time what is counted, or say so.
    """
    log: Path = server.process.log
    with server.connect() as connection:
        _set(connection, {"log_statement": "all", "log_line_prefix": "%a|"})
        start = log.stat().st_size
        found: dict[str, int] = {}
        try:
            yield found
        finally:
            _set(connection, {"log_statement": "none", "log_line_prefix": "%m [%p] "})
    with log.open("rb") as lines:
        lines.seek(start)
        texts = (match[1] for line in lines if (match := _LINE.match(line.decode("utf-8", "replace"))))
        counted = Counter(_kind(text) for text in texts)
    found.update(counted)


def _kind(text: str) -> str:
    """A statement's first word; one that goes over several lines may begin on the next."""
    first = (text.split(None, 1) or ["OTHER"])[0].upper()
    return "TURNS" if _TURNS.match(text) else "PING" if first == ";" else first


def _set(connection: psycopg.Connection, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
    connection.execute("SELECT pg_reload_conf()")


@contextmanager
def lock_waits(server: Server) -> Iterator[dict[str, float]]:
    """Looks many times a second how many connections named `matcher` wait for a lock; filled in when the block ends."""
    ended = threading.Event()
    seen: list[int] = []
    found: dict[str, float] = {}

    def look() -> None:
        query = b"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'matcher'"
        with server.connect() as connection:
            while not ended.wait(_EVERY_SECONDS):
                row = connection.execute(query).fetchone()
                seen.append(row[0] if row else 0)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        found["looks"] = len(seen)
        found["connections_waiting_on_average"] = round(sum(seen) / max(len(seen), 1), 4)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its children have used, ended ones too; 0 where the system does not say.
    Unlike seconds on the clock it says little of how busy the machine is with other things."""
    return sum(_used(found) for found in (pid, *_children(pid)))


def _used(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text("ascii").split())
    return found


def memory_mb(pid: int) -> dict[str, float]:
    """Memory of a process and its children in megabytes: resident now and at its most, each process by itself, and
    `once`, where of a file that several of them have mapped the largest part is counted, and no other one. What
    processes outside the family share is not taken off. Empty where the system does not say."""
    family = [one for one in (pid, *_children(pid)) if Path(f"/proc/{one}/smaps").is_file()]
    if not family:
        return {}
    own, shared = 0, Counter[str]()
    for one in family:
        anonymous, files = _mapped(one)
        own += anonymous
        shared |= files
    sizes = {ours: sum(_kilobytes(one, name) for one in family) for ours, name in (("now", "VmRSS"), ("most", "VmHWM"))}
    return {ours: round(size / 1024, 1) for ours, size in (sizes | {"once": own + shared.total()}).items()}


def _mapped(pid: int) -> tuple[int, Counter[str]]:
    """Resident kilobytes of a process: what is nobody else's, and of each part of a file."""
    anonymous, files, part = 0, Counter[str](), ""
    for line in _lines(Path(f"/proc/{pid}/smaps")):
        name, _, value = line.partition(":")
        if _MAPPING.match(line):
            _, _, offset, _, inode, *_ = line.split(None, 5)
            part = f"{inode} {offset}" if inode != "0" else ""
        elif name == "Rss":
            files[part] += int(value.split()[0])
        elif name == "Anonymous":
            files[part] -= int(value.split()[0])
            anonymous += int(value.split()[0])
    return anonymous + files.pop("", 0), +files


def _kilobytes(pid: int, name: str) -> int:
    return next(
        (int(line.split()[1]) for line in _lines(Path(f"/proc/{pid}/status")) if line.startswith(f"{name}:")), 0
    )


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
