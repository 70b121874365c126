"""The database's disk is full while plans flow, then has room again: everybody waits, nothing is lost or told twice.

The data lie on a tmpfs of their own, which a file fills. Two ends are tried: PostgreSQL refuses what needs a new page
and goes on, as it does for most of a full disk; and it can't continue its log, which ends it (PANIC), so that an
operator has to start it again.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from psycopg import Error

from tests.chaos import stream
from tests.chaos.cluster import CREW
from tests.chaos.progress import canary_arrived
from tests.chaos.schedules import Run, run, until

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

MEGABYTES = 224
"""Room for an empty server, its log and what the stream needs, many times over."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk where the arena keeps its database."""
    place = tmp_path / "arena" / "postgres"
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=0755", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"a full disk needs a small one to be mounted, and there is no mount: {error}")
    if done.returncode != 0:
        pytest.skip(f"a full disk needs a small tmpfs to be mounted, which takes root: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Takes every free page; the file that does."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 65536)
    return filler


def refused(made: Run, kind: str) -> bool:
    """Whether a process of this kind has met the full disk."""
    return any("No space left on device" in made.log_of(f"{kind}-{number}") for number in (1, 2))


def test_writes_are_refused_for_a_while(disk: Path) -> None:
    with run(disk.parent) as made:
        made.start(*CREW)
        made.feed(stream.make(31, 80), seconds=12)
        filler = fill(disk)
        until(lambda: refused(made, "matcher"), "a matcher that the full disk refuses")
        during = made.canary()
        filler.unlink()
        made.until_arrived(during)
        made.until_arrived(made.canary())
        assert made.arena.database.process.running(), "PostgreSQL refused and went on"
        verdict = made.conclude()
        assert made.arena.fallen() == [], "all processes are still those that were started"
        assert verdict.counts["mails_received"] > 10


def test_the_server_ends_because_it_cannot_log(disk: Path) -> None:
    with run(disk.parent) as made:
        made.start(*CREW)
        made.feed(stream.make(32, 80), seconds=12)
        filler = fill(disk)
        until(lambda: panicked(made), "PostgreSQL giving up over its log")
        during = made.canary()
        filler.unlink()
        until(lambda: up(made) and canary_arrived(made.arena, during), f"revision {during} of the canary")
        made.conclude()
        assert made.arena.fallen() == [], "all processes are still those that were started"


def up(made: Run) -> bool:
    """The server is there. After its panic it recovers by itself, and ends for good where the disk is still full at
    that moment: then it is started again, whenever that turns out."""
    if not made.arena.database.process.running():
        made.arena.start_database()
    return True


def panicked(made: Run) -> bool:
    """Asks the server to begin another piece of its log, for which there is no room; whether that ended it."""
    with suppress(Error):
        made.arena.sql("SELECT pg_switch_wal()")
    return "PANIC" in (made.arena.folder / "postgres.log").read_text("utf-8", "replace")
