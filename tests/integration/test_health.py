"""What processes say of themselves while they start, and while Kafka is away for longer."""

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from services.local_stack import child_process
from services.local_stack.child_process import LOOPBACK, ChildProcess
from services.local_stack.tansu import Broker
from services.platform.version import version
from tests import brokers
from tests.pipeline import pipeline

AWAY_SECONDS = 25
MAX_LINES = 10
"""How often a process may say the same in a minute."""


def asked(process: ChildProcess, path: str) -> tuple[int, str]:
    """Status and words of a health endpoint; 0 where the port is closed."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{process.http_port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


@pytest.mark.slow
def test_a_process_answers_while_it_starts_and_logs_its_life(
    tansu_broker: Broker, database_url: str, tmp_path: Path
) -> None:
    """With the real model, which takes long to load."""
    with pipeline(tansu_broker.bootstrap, database_url, tmp_path, JOINTLY_EMBEDDING_MODEL="") as line:
        port = child_process.free_port()
        process = child_process.start(
            "matcher",
            [sys.executable, "-m", "services.cli", "matcher"],
            tmp_path / "log",
            environment={**line.environment, "JOINTLY_HTTP_PORT": str(port)},
            http_port=port,
        )
        line.running.append(process)
        said = []
        line.until(lambda: asked(process, "/health/live")[0] != 0, "an open port")
        line.until(lambda: said.append(asked(process, "/health/ready")) or said[-1][0] == 200, "a ready matcher")
        assert said[0] == (503, "starting")
        assert asked(process, "/health/live") == (200, "ok")
        child_process.stop(process)
        lines = [json.loads(line) for line in process.log.read_text().splitlines()]
        life = [line for line in lines if line["event"].startswith("process ")]
        assert [line["event"] for line in life] == ["process starts", "process runs", "process stops"]
        assert {line["version"] for line in life} == {version()}
        assert len(life[1]["generation"]) == 16


@pytest.mark.slow
@pytest.mark.kafka
def test_readiness_says_that_kafka_is_away(database_url: str, tmp_path: Path) -> None:
    if (reason := brokers.unavailable()) is not None:
        pytest.skip(reason)
    with (
        brokers.apache_kafka(tmp_path / "kafka") as node,
        pipeline(node.bootstrap, database_url, tmp_path, smtp_url=f"smtp://{LOOPBACK}:1") as line,
    ):
        running = [line.start(name) for name in ("matcher", "relay", "notifier")]
        node.kill()
        for process in running:
            line.until(lambda asking=process: asked(asking, "/health/ready")[0] == 503, f"{process.name} unready")
        began = time.monotonic()
        before = {process.name: len(process.log.read_text().splitlines()) for process in running}
        while time.monotonic() - began < AWAY_SECONDS:
            for process in running:
                status, words = asked(process, "/health/ready")
                assert status == 503
                assert "Kafka does not answer" in words or "no answer" in words
                assert asked(process, "/health/live") == (200, "ok"), "a restart would mend nothing"
            time.sleep(1)
        for process in running:
            lines = process.log.read_text().splitlines()
            assert len(lines) - before[process.name] < 4 * MAX_LINES, lines[-40:]
        node.start()
        for process in running:
            line.until(lambda asking=process: asked(asking, "/health/ready")[0] == 200, f"{process.name} ready again")
