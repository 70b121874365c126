"""A share of one core for each of some processes: by the kernel's control groups, else by stopping and waking them."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000
_TURN_SECONDS = 0.1


@contextmanager
def limited(pids: Sequence[int], share: float) -> Iterator[str]:
    """Gives each process no more than `share` of one core until the block ends; yields how it is done."""
    groups: list[Path] = []
    try:
        try:
            for pid in pids:
                groups.append(_group(pid, share))  # noqa: PERF401 (those made so far must be known when one fails)
        except OSError:
            _release(groups)
            groups = []
        if groups:
            yield "control group"
        else:
            with _by_signals(pids, share):
                yield "stopping and waking"
    finally:
        _release(groups)


def _group(pid: int, share: float) -> Path:
    """A group of its own for one process, in the first hierarchy (version 2 or 1) that permits it."""
    quota = int(_PERIOD_US * share)
    unified = (_ROOT / "cgroup.controllers").is_file()
    group = (_ROOT if unified else _ROOT / "cpu") / f"jointly-bench-{os.getpid()}-{pid}"
    group.mkdir()
    try:
        if unified:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD_US}", "ascii")
        else:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US), "ascii")
            (group / "cpu.cfs_quota_us").write_text(str(quota), "ascii")
        (group / "cgroup.procs").write_text(str(pid), "ascii")
    except OSError:
        group.rmdir()
        raise
    return group


def _release(groups: Sequence[Path]) -> None:
    for group in groups:
        with suppress(OSError):
            for pid in (group / "cgroup.procs").read_text("ascii").split():
                (group.parent / "cgroup.procs").write_text(pid, "ascii")
        with suppress(OSError):
            group.rmdir()


@contextmanager
def _by_signals(pids: Sequence[int], share: float) -> Iterator[None]:
    ended = threading.Event()

    def take_turns() -> None:
        while not ended.is_set():
            _send(pids, signal.SIGCONT)
            time.sleep(_TURN_SECONDS * share)
            _send(pids, signal.SIGSTOP)
            time.sleep(_TURN_SECONDS * (1 - share))

    thread = threading.Thread(target=take_turns, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _send(pids, signal.SIGCONT)


def _send(pids: Sequence[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)
