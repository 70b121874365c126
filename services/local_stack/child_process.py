"""Child processes that never outlive their parent.

Each child leads its own process group, so a Ctrl-C in the terminal reaches only the parent, which then stops the
children in order. If the parent dies without clean-up (SIGKILL, out of memory), the Linux kernel signals the child:
`PR_SET_PDEATHSIG`. That signal follows the *thread* that started the child, so start children from the main thread, or
from a thread that lives as long as the child should.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
# Resolved before any fork: a child between fork and exec must not import or take locks.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ComponentError(RuntimeError):
    """A part of the local stack did not start, or died; the message holds the end of its log."""


@dataclass(frozen=True)
class ChildProcess:
    """A running child: its handle, its name for messages, and the file for its output."""

    name: str
    handle: subprocess.Popen[bytes]
    log: Path
    http_port: int | None = None

    @property
    def pid(self) -> int:
        return self.handle.pid

    def running(self) -> bool:
        return self.handle.poll() is None

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines of the log, for error messages."""
        try:
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""


def free_port() -> int:
    """Return a free loopback TCP port. Another process may take it first: callers retry or fail with a clear
    message."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    name: str,
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    orphan_signal: signal.Signals = signal.SIGTERM,
    http_port: int | None = None,
) -> ChildProcess:
    """Start a child in its own process group, with its output appended to `log`.

    `user` is the account, with the group of the same name, to run it as (only root can choose). `orphan_signal` is the
    signal that the kernel sends to the child when this process dies (Linux only). Raises `ComponentError` if the
    program can't be executed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    parent = os.getpid()

    def tether() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(orphan_signal))
            if os.getppid() != parent:  # the parent died between fork and prctl
                os._exit(1)

    with log.open("ab") as output:
        try:
            handle = subprocess.Popen(  # noqa: S603 - the command comes from our own code, no shell
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                start_new_session=True,
                preexec_fn=tether,
                user=user,
                # Without these a child of root keeps root's group.
                group=user,
                extra_groups=None if user is None else [],
            )
        except OSError as error:
            raise ComponentError(f"{name} can't be started: {error}") from error
    return ChildProcess(name, handle, log, http_port)


def stop(process: ChildProcess, *, grace: float = 10.0, request: signal.Signals = signal.SIGTERM) -> int:
    """Ask the child to end, wait `grace` seconds, then kill its whole group. Returns the exit status; may run twice."""
    if process.running():
        process.handle.send_signal(request)
        with suppress(subprocess.TimeoutExpired):
            process.handle.wait(grace)
    # Kill the child's group, too: processes that it started may still run after it has ended.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.handle.wait()


def kill(process: ChildProcess) -> None:
    """Kill the child and its group immediately, without clean-up. For fault tests."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.handle.wait()


@contextmanager
def stopping(
    process: ChildProcess, *, grace: float = 10.0, request: signal.Signals = signal.SIGTERM
) -> Iterator[ChildProcess]:
    """Stop the child when the block ends, however it ends."""
    try:
        yield process
    finally:
        stop(process, grace=grace, request=request)


def wait_until(check: Callable[[], bool], process: ChildProcess, *, seconds: float, pause: float = 0.05) -> None:
    """Poll `check` until it is true.

    Raises `ComponentError`, with the end of the log, if the child ended or time ran out.
    """
    deadline = time.monotonic() + seconds
    while process.running():
        if check():
            return
        if time.monotonic() > deadline:
            raise ComponentError(
                f"{process.name} was not ready within {seconds:g} s. End of {process.log}:\n{process.log_tail()}"
            )
        time.sleep(pause)
    raise ComponentError(
        f"{process.name} ended with status {process.handle.returncode} before it was ready. "
        f"End of {process.log}:\n{process.log_tail()}"
    )
