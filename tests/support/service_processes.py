"""`jointly matcher|coalitions|relay|notifier` as processes that are forked: they are real, and there at once.

Importing the services takes two to three seconds of computing in each process that starts anew. Here one server process
imports them for the whole session, and each service is forked from it. `tests/integration/test_parts.py`, the demo and
the benchmark start services the long way: what is forked shares memory.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from services.local_stack import child_process
from services.local_stack.child_process import ChildProcess

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "services.cli.run",
        "services.matcher.app",
        "services.relay.app",
        "services.notifier.app",
        "tests.support.service_processes",
        "tests.chaos.cluster",
    ]
)
_PR_SET_PDEATHSIG: Final = 1


class Forked:
    """A forked process in the shape of the `subprocess.Popen` that `services.local_stack.child_process` works with."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        assert process.pid is not None
        self.pid: int = process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status; minus the signal's number where a signal ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises `subprocess.TimeoutExpired`, as Popen does."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)


def fork_service(
    name: str, settings: Mapping[str, str], log: Path, http_port: int, *, before: Callable[[], None] | None = None
) -> ChildProcess:
    """Fork `jointly NAME` with no other JOINTLY_* settings than these; its output goes to `log`.

    `before` is called first in the new process.
    """
    process = CONTEXT.Process(
        target=_run_command, args=([name], _with_port(settings, http_port), log, log, before), daemon=True
    )
    process.start()
    return ChildProcess(name, Forked(process), log, http_port)  # type: ignore[arg-type]


def run_command(
    arguments: Sequence[str], settings: Mapping[str, str], folder: Path, *, before: Callable[[], None] | None = None
) -> CompletedProcess[str]:
    """Fork `jointly ARGUMENTS...` and wait for its end. Its output passes through files in `folder`.

    `before` is called first in the new process.
    """
    output, errors = folder / "stdout", folder / "stderr"
    process = CONTEXT.Process(target=_run_command, args=(arguments, settings, output, errors, before), daemon=True)
    process.start()
    process.join()
    assert process.exitcode is not None
    return CompletedProcess(arguments, process.exitcode, output.read_text("utf-8"), errors.read_text("utf-8"))


def start_service(name: str, settings: Mapping[str, str], log: Path, http_port: int) -> ChildProcess:
    """Start `python -m services.cli NAME`, in the same shape: slower, and with all of its memory its own."""
    command = [sys.executable, "-m", "services.cli", name]
    return child_process.start(name, command, log, environment=_with_port(settings, http_port), http_port=http_port)


def _with_port(settings: Mapping[str, str], http_port: int) -> dict[str, str]:
    return {**settings, "JOINTLY_HTTP_PORT": str(http_port)}


def _run_command(
    arguments: Sequence[str],
    settings: Mapping[str, str],
    output: Path,
    errors: Path,
    before: Callable[[], None] | None,
) -> None:
    detach(output, errors)
    if before is not None:
        before()
    os.environ.update(settings)
    sys.argv = ["jointly", *arguments]
    from services.cli import main

    main()


def detach(output: Path, errors: Path) -> None:
    """Make this process the leader of a group of its own that ends with the session, and writes to these files."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    os.setsid()
    for number, file in ((1, output), (2, errors)):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as opened:
            os.dup2(opened.fileno(), number)
