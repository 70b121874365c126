"""A real Apache Kafka for tests: one KRaft node on loopback, from jars that Maven fetches once."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import shutil
import signal
import string
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.embedded import processes
from services.embedded.processes import LOOPBACK, PartError, Process
from services.embedded.tansu import answers

KAFKA = Path(__file__).parents[1] / "deploy" / "kafka"
LIB = KAFKA / "lib"
# A small heap and the quick compiler only: start-up counts here, throughput does not.
JVM = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")


def unavailable() -> str | None:
    """Why Apache Kafka can't be started here, in a sentence for a skipped test; None where it can."""
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if "mvn" in missing and _complete():
        missing.remove("mvn")
    return f"Apache Kafka needs Java 17+ and Maven, and there is no {' and no '.join(missing)}" if missing else None


@dataclass
class ApacheKafka:
    """A running node. It keeps its ports and data when it is killed and started again.

    `bootstrap`: host:port of its plaintext listener. `sasl_port`: kept free for a second listener, see
    `server.properties`.
    """

    folder: Path
    port: int
    controller_port: int
    sasl_port: int
    _process: Process | None = field(default=None, repr=False)

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def process(self) -> Process:
        """The JVM. Raises `RuntimeError` while the node is down."""
        if self._process is None:
            raise RuntimeError("Apache Kafka is not running: start() it first.")
        return self._process

    def start(self) -> None:
        """Start the JVM on the node's data and wait until it answers. Raises `PartError` with the end of its log."""
        command = [*_java(), "kafka.Kafka", str(self.folder / "server.properties")]
        self._process = processes.start(
            "Apache Kafka", command, self.folder / "kafka.log", orphan_signal=signal.SIGKILL
        )
        processes.wait_until(lambda: answers(self.port), self._process, seconds=90, pause=0.2)

    def stop(self) -> None:
        """Shut down in order. Nothing happens when the node is down."""
        if self._process is not None:
            processes.stop(self._process, grace=20)
            self._process = None

    def kill(self) -> None:
        """SIGKILL: what a power cut leaves. `start()` recovers from it on the same data and ports."""
        processes.kill(self.process)
        self._process = None

    def pause(self) -> None:
        """SIGSTOP: the node keeps its connections and answers nothing."""
        self.process.handle.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause()`."""
        self.process.handle.send_signal(signal.SIGCONT)


@contextmanager
def apache_kafka(
    folder: Path, *, extra_listeners: str = "", extra: str = "", format_options: Sequence[str] = ()
) -> Iterator[ApacheKafka]:
    """Format a node's storage in `folder`, start it, and stop it when the block ends.

    `extra_listeners` and `extra` go into `server.properties` (`${sasl_port}` in them is filled in); `format_options`
    are passed on to the storage tool, for instance `("--add-scram", "SCRAM-SHA-512=[name=matcher,password=...]")`.
    Raises `PartError` when the jars can't be fetched or the node doesn't start; ask `unavailable()` first.
    """
    fetch_jars()
    folder.mkdir(parents=True, exist_ok=True)
    ports = {"port": 0, "controller_port": 0, "sasl_port": 0}
    while len(set(ports.values())) < len(ports):
        ports = {name: processes.free_port() for name in ports}
    names = {name: str(port) for name, port in ports.items()} | {"log_dirs": str(folder / "data")}
    names["extra_listeners"] = string.Template(extra_listeners).substitute(names)
    names["extra"] = string.Template(extra).substitute(names)
    template = string.Template((KAFKA / "server.properties").read_text("utf-8"))
    # Only the settings: the comments name placeholders, too.
    lines = [line for line in template.template.splitlines() if line and not line.startswith("#")]
    properties = folder / "server.properties"
    properties.write_text(string.Template("\n".join(lines)).substitute(names) + "\n", "utf-8")
    _format(properties, format_options)
    node = ApacheKafka(folder, ports["port"], ports["controller_port"], ports["sasl_port"])
    try:
        node.start()
        yield node
    finally:
        node.stop()


def fetch_jars() -> None:
    """Let Maven fetch the jars that pom.xml names, unless they are there. Safe in several sessions at once."""
    with (KAFKA / "pom.xml").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _complete():
            return
        shutil.rmtree(LIB, ignore_errors=True)
        command = ["mvn", "-q", "-B", "-f", str(KAFKA / "pom.xml"), "dependency:copy-dependencies"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PartError(f"Maven could not fetch Apache Kafka:\n{(done.stdout + done.stderr)[-2000:]}")
        (LIB / "fetched").write_text(_digest(), "ascii")


def _complete() -> bool:
    stamp = LIB / "fetched"
    return stamp.is_file() and stamp.read_text("ascii") == _digest()


def _digest() -> str:
    return hashlib.sha256((KAFKA / "pom.xml").read_bytes()).hexdigest()


def _java() -> list[str]:
    return ["java", *JVM, f"-Dlog4j2.configurationFile={KAFKA / 'log4j2.properties'}", "-cp", f"{LIB}/*"]


def _format(properties: Path, options: Sequence[str]) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    command = [*_java(), "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(properties)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PartError(f"Apache Kafka could not format its storage:\n{(done.stdout + done.stderr)[-2000:]}")
