"""A real Apache Kafka for tests: one KRaft node on loopback, from jars that Maven fetches once."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import re
import shutil
import signal
import string
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from services.local_stack import child_process
from services.local_stack.child_process import LOOPBACK, ChildProcess, ComponentError
from services.local_stack.tansu import answers

KAFKA = Path(__file__).parents[1] / "deploy" / "kafka"
LIB = KAFKA / "lib"
OLDEST_JAVA = 17
# A small heap and the quick compiler only: start-up counts here, throughput does not.
JVM = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")


@cache
def unavailable() -> str | None:
    """Why Apache Kafka can't be started here, in a sentence for a skipped test; None where it can."""
    if shutil.which("java") is None:
        return "Apache Kafka needs Java 17 or newer, and there is no java"
    if shutil.which("mvn") is None and not _complete():
        return "Apache Kafka's jars come through Maven, and there is no mvn"
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        return f"Apache Kafka needs Java {OLDEST_JAVA} or newer, and this one says: {said.splitlines()[:1]}"
    return None


@dataclass(frozen=True)
class Listener:
    """A second listener for `apache_kafka(secured=...)`: SASL/SCRAM-SHA-512 with these accounts (name to password).

    An account may do nothing until `ApacheKafka.tool("AclCommand", ...)` allows it; the plaintext listener may do all.
    """

    accounts: Mapping[str, str]

    @property
    def settings(self) -> str:
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return "\n".join(
            (
                "listener.name.sasl.sasl.enabled.mechanisms=SCRAM-SHA-512",
                f"listener.name.sasl.scram-sha-512.sasl.jaas.config={login}",
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users=User:ANONYMOUS",
            )
        )

    @property
    def format_options(self) -> list[str]:
        options: list[str] = []
        for name, password in self.accounts.items():
            options += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        return options


@dataclass
class ApacheKafka:
    """A running node. It keeps its ports and data when it is killed and started again.

    `bootstrap`: host:port of its plaintext listener. `sasl_port`: that of the secured one, if asked for.
    """

    folder: Path
    port: int
    controller_port: int
    sasl_port: int
    _process: ChildProcess | None = field(default=None, repr=False)

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def process(self) -> ChildProcess:
        """The JVM. Raises `RuntimeError` while the node is down."""
        if self._process is None:
            raise RuntimeError("Apache Kafka is not running: start() it first.")
        return self._process

    def start(self) -> None:
        """Start the JVM on the node's data and wait until it answers. Raises `ComponentError` with the end of its
        log."""
        command = [*_java(), "kafka.Kafka", str(self.folder / "server.properties")]
        self._process = child_process.start(
            "Apache Kafka", command, self.folder / "kafka.log", orphan_signal=signal.SIGKILL
        )
        child_process.wait_until(lambda: answers(self.port), self._process, seconds=90, pause=0.2)

    def stop(self) -> None:
        """Shut down in order. Nothing happens when the node is down."""
        if self._process is not None:
            child_process.stop(self._process, grace=20)
            self._process = None

    def kill(self) -> None:
        """SIGKILL: what a power cut leaves. `start()` recovers from it on the same data and ports."""
        child_process.kill(self.process)
        self._process = None

    def pause(self) -> None:
        """SIGSTOP: the node keeps its connections and answers nothing."""
        self.process.handle.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause()`."""
        self.process.handle.send_signal(signal.SIGCONT)

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Kafka's own tools against this node, such as `AclCommand`, for what aiokafka can't ask.

        Returns what it printed. Raises `ComponentError` when it failed.
        """
        command = [*_java(), f"org.apache.kafka.tools.{name}", "--bootstrap-server", self.bootstrap, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ComponentError(f"Kafka's {name} failed:\n{(done.stdout + done.stderr)[-2000:]}")
        return done.stdout


@contextmanager
def apache_kafka(folder: Path, *, secured: Listener | None = None, extra: str = "") -> Iterator[ApacheKafka]:
    """Format a node's storage in `folder`, start it, and stop it when the block ends.

    `secured`: a second listener with sign-in, on the node's `sasl_port`. `extra`: more lines for `server.properties`,
    which may name `${port}` and `${controller_port}`. Raises `ComponentError` when the jars can't be fetched or the
    node doesn't start; ask `unavailable()` first.
    """
    fetch_jars()
    folder.mkdir(parents=True, exist_ok=True)
    ports = {"port": 0, "controller_port": 0, "sasl_port": 0}
    while len(set(ports.values())) < len(ports):
        ports = {name: child_process.free_port() for name in ports}
    names = {name: str(port) for name, port in ports.items()} | {"log_dirs": str(folder / "data")}
    names["extra_listeners"] = f",SASL://{LOOPBACK}:{ports['sasl_port']}" if secured else ""
    more = string.Template(extra).safe_substitute(names)
    names["extra"] = "\n".join([*([secured.settings] if secured else []), more])
    template = (KAFKA / "server.properties").read_text("utf-8")
    # Only the settings: the comments name placeholders, too.
    lines = [line for line in template.splitlines() if line and not line.startswith("#")]
    properties = folder / "server.properties"
    properties.write_text(string.Template("\n".join(lines)).substitute(names) + "\n", "utf-8")
    _format(properties, secured.format_options if secured else ())
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
            raise ComponentError(f"Maven could not fetch Apache Kafka:\n{(done.stdout + done.stderr)[-2000:]}")
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
    command = [*_java(), "kafka.tools.StorageTool", "format", "--standalone", "-c", str(properties)]
    command += [f"--cluster-id={cluster}"]  # in one word: one id in 64 begins with a dash
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ComponentError(f"Apache Kafka could not format its storage:\n{(done.stdout + done.stderr)[-2000:]}")
