"""A rolling upgrade: an older revision of this repository and the working tree side by side, on the newest tables.

The older one is a commit's own code, taken out of the repository's history and run as its own processes. Which commit:
`FROM`, or what the variable UPGRADE_FROM names (a tag, say). The database is migrated first, as operations.md has it.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path

import pytest

from services.local_stack import child_process
from services.local_stack.child_process import LOOPBACK, ChildProcess
from services.local_stack.stack import ready
from tests.chaos import stream
from tests.chaos.schedules import PATIENCE_SECONDS, Run, run, until

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

ROOT = Path(__file__).parents[2]
FROM = ""
"""No older revision has these tables yet."""
KINDS = ("relay", "notifier", "matcher")
"""In the order in which they are replaced."""
GENERATION = """
from services.matcher.app import make_context
from services.platform.settings import Settings
print(make_context(Settings()).generation.generation)
"""


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the older revision."""
    revision = os.environ.get("UPGRADE_FROM", FROM)
    if not revision:
        pytest.skip("no older revision has these tables: name one in UPGRADE_FROM")
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, "services", "events", "matching", "deploy"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"the older revision is taken out of git's history, and there is no git: {error}")
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        pytest.skip(f"the history here does not hold the older revision {revision} (a shallow clone?): {said}")
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@dataclass
class Fleet:
    """Processes of both revisions on one arena."""

    made: Run
    running: dict[str, ChildProcess] = field(default_factory=dict)

    def start(self, age: str, tree: Path, **environment: str) -> None:
        """One process of each kind from a tree's code, ready for work."""
        for kind in KINDS:
            port = child_process.free_port()
            given = {**self.made.arena.environment, **environment, "JOINTLY_HTTP_PORT": str(port)}
            self.running[f"{age}-{kind}"] = child_process.start(
                f"{age}-{kind}",
                python_of("-m", "services.cli", kind),
                self.made.arena.folder / f"{age}-{kind}.log",
                environment={**given, "PYTHONPATH": str(tree)},
                http_port=port,
            )
        for kind in KINDS:
            process = self.running[f"{age}-{kind}"]
            child_process.wait_until(partial(ready, process.http_port), process, seconds=PATIENCE_SECONDS)

    def stop(self, name: str) -> None:
        """Asks a process to end, which it has to do in order."""
        process = self.running.pop(name)
        process.handle.send_signal(signal.SIGTERM)
        assert process.handle.wait(PATIENCE_SECONDS) in (0, -signal.SIGTERM), process.log_tail()

    def works(self, name: str) -> bool:
        """Whether a process has done any of its kind's work."""
        done = {"matcher": "plan assessed", "relay": "event published", "notifier": '"intent"'}
        return done[name.split("-")[1]] in self.made.log_of(name)


@contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    with run(folder) as made:
        found = Fleet(made)
        try:
            yield found
        finally:
            for process in found.running.values():
                child_process.stop(process)


def python_of(*arguments: str) -> list[str]:
    """Python, which takes PYTHONPATH's code and not that of the folder it is started in."""
    return [sys.executable, "-P", *arguments]


def told(tree: Path, *arguments: str, **environment: str) -> str:
    """What a tree's code prints."""
    given = {"PYTHONPATH": str(tree), **environment}
    done = subprocess.run(python_of(*arguments), env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def generation(tree: Path, **environment: str) -> str:
    """The generation that a tree's matchers have."""
    return told(tree, "-c", GENERATION, JOINTLY_EMBEDDING_MODEL="hashing", **environment)


def test_the_trees_are_two(older: Path) -> None:
    """What follows would show nothing if both ran the same code."""
    where = [told(tree, "-c", "import services; print(services.__file__)") for tree in (older, ROOT)]
    assert [Path(found).parents[1] for found in where] == [older, ROOT]


def test_old_and_new_work_side_by_side_until_the_old_ones_stop(older: Path, tmp_path: Path) -> None:
    if generation(older) != generation(ROOT):
        pytest.skip("the two revisions decide by different generations: they are not to work side by side")
    with fleet(tmp_path) as ships:
        ships.start("old", older)
        ships.made.feed(stream.make(51, 70), seconds=10)
        ships.start("new", ROOT)
        ships.made.until_arrived(ships.made.canary())
        until(lambda: all(ships.works(f"{age}-matcher") for age in ("old", "new")), "both matchers assessing plans")
        for kind in KINDS:
            ships.stop(f"old-{kind}")
        ships.made.until_arrived(ships.made.canary())
        ships.made.conclude()
        assert all(ships.works(f"{age}-{kind}") for age in ("old", "new") for kind in KINDS), "each did its part"
        assert all(process.running() for process in ships.running.values())


def test_a_matcher_of_an_older_generation_halts_and_does_no_harm(older: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(files("matching").joinpath("policy.toml").read_text("utf-8") + "\n# says the same\n", "utf-8")
    newer = {"JOINTLY_POLICY_FILE": str(policy)}
    with fleet(tmp_path / "arena") as ships:
        ships.start("old", older)
        ships.made.feed(stream.make(52, 70), seconds=10)
        told(ROOT, "-m", "services.cli", "reassess", "--yes", **ships.made.arena.environment, **newer)
        during = ships.made.canary()
        until(lambda: unready(ships.running["old-matcher"]), "the old matcher unready")
        assert ships.running["old-matcher"].running(), "it halts, and leaves ending to the operator"
        ships.start("new", ROOT, **newer)
        for kind in KINDS:
            ships.stop(f"old-{kind}")
        ships.made.until_arrived(during)
        ships.made.conclude()
        rows = ships.made.arena.sql("SELECT DISTINCT generation FROM opportunities WHERE status = 'active'")
        assert rows == [(generation(ROOT, **newer),)], "nothing stands that the old one decided"


def unready(process: ChildProcess) -> bool:
    """Whether a process says itself that it must not go on with this database."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{process.http_port}/health/ready", timeout=10):
            return False
    except urllib.error.HTTPError as error:
        return error.code == 503 and b"generation" in error.read()
    except OSError:
        return False
