"""A real Prometheus on the shipped rules, a second, shortened copy of them, and what it said and when."""

from __future__ import annotations

import json
import re
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from services.local_stack import child_process
from services.local_stack.child_process import LOOPBACK

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "deploy/prometheus/alerts.yml"
CONFIG: Final = ROOT / "deploy/prometheus/prometheus.yml"
SHIPPED: Final = "shipped"
SHORTENED: Final = "shortened"
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def rules() -> list[dict[str, Any]]:
    """The shipped alerts."""
    loaded = yaml.safe_load(RULES.read_text("utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def shortened(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The same alert with windows that a run can wait for: 2 minutes in place of up to 15, else 5; 30 seconds of
    waiting in place of more than one minute. A critical alert waits as long as the shipped one."""
    short = {**rule, "expr": re.sub(r"\[(\d+)([smhd])\]", _window, rule["expr"])}
    short["expr"] = re.sub(
        r"(process_start_time_seconds [<>] )(\d+)", lambda m: f"{m[1]}{_limit(int(m[2]))}", short["expr"]
    )
    short["expr"] = re.sub(
        r"(timestamp_seconds(?:\[\w+\]\))?\) > )(\d+)", lambda m: f"{m[1]}{_limit(int(m[2]))}", short["expr"]
    )
    if rule["labels"]["severity"] != "critical" and "for" in rule:
        short["for"] = "30s"
    return short


def _window(found: re.Match[str]) -> str:
    return f"[{_limit(int(found[1]) * SECONDS[found[2]])}s]"


def _limit(seconds: int) -> int:
    return min(seconds, 120 if seconds <= 900 else 300)


@dataclass(frozen=True, slots=True)
class Change:
    """An alert that began or ceased to fire, in seconds of `time.monotonic()`."""

    at: float
    fires: bool
    alert: str
    pace: str
    labels: frozenset[tuple[str, str]]


@dataclass
class Prometheus:
    """A running server. `changes`: what has begun and ceased to fire, as seen once a second."""

    port: int
    changes: list[Change] = field(default_factory=list)
    _firing: set[tuple[str, str, frozenset[tuple[str, str]]]] = field(default_factory=set)
    _done: threading.Event = field(default_factory=threading.Event)

    def ask(self, path: str) -> Any:
        """The `data` of an answer of its API."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, query: str) -> float | None:
        """The value of an instant query with one result."""
        found = self.ask(f"query?query={urllib.request.quote(query)}")["result"]  # type: ignore[attr-defined]
        return float(found[0]["value"][1]) if found else None

    def watch(self) -> None:
        """Keeps `changes` up to date until `stop`."""
        while not self._done.wait(1.0):
            try:
                found = self.ask("alerts")["alerts"]
            except (OSError, urllib.error.URLError):
                continue
            self._note({_key(alert) for alert in found if alert["state"] == "firing"})

    def stop(self) -> None:
        """Ends `watch`."""
        self._done.set()

    def _note(self, firing: set[tuple[str, str, frozenset[tuple[str, str]]]]) -> None:
        at = time.monotonic()
        self.changes += [Change(at, True, *key) for key in sorted(firing - self._firing, key=str)]
        self.changes += [Change(at, False, *key) for key in sorted(self._firing - firing, key=str)]
        self._firing = firing

    def firing(self, alert: str, pace: str, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels fires now."""
        return any(a == alert and p == pace and labels.items() <= set(have) for a, p, have in self._firing)

    def first(self, fires: bool, alert: str, pace: str, labels: Mapping[str, str], after: float) -> float | None:
        """When an alert with these labels first began or ceased to fire after a moment."""
        for change in self.changes:
            same = (change.fires, change.alert, change.pace) == (fires, alert, pace)
            if same and change.at >= after and labels.items() <= set(change.labels):
                return change.at
        return None


def _key(alert: Mapping[str, Any]) -> tuple[str, str, frozenset[tuple[str, str]]]:
    labels = dict(alert["labels"])
    return labels.pop("alertname"), labels.pop("pace"), frozenset(labels.items())


def missing() -> str | None:
    """Why there can be no Prometheus here, in a sentence."""
    if shutil.which("prometheus") and shutil.which("promtool"):
        return None
    return "Prometheus is not installed: apt-get install prometheus"


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, int]) -> Iterator[Prometheus]:
    """A server that scrapes these ports by job, at the shipped intervals, until the block ends."""
    folder.mkdir(parents=True)
    for pace, kept in ((SHIPPED, rules()), (SHORTENED, [shortened(rule) for rule in rules()])):
        labelled = [{**rule, "labels": {**rule["labels"], "pace": pace}} for rule in kept]
        content = {"groups": [{"name": pace, "rules": labelled}]}
        (folder / f"{pace}.yml").write_text(yaml.safe_dump(content), "utf-8")
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    config |= {
        "rule_files": [f"{SHIPPED}.yml", f"{SHORTENED}.yml"],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]} for job, port in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    port = child_process.free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
    ]
    with child_process.stopping(child_process.start("Prometheus", command, folder / "prometheus.log")) as process:
        child_process.wait_until(lambda: _listens(port), process, seconds=60)
        made = Prometheus(port)
        thread = threading.Thread(target=made.watch, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.stop()
            thread.join()


def _listens(port: int) -> bool:
    """Return whether a process accepts TCP connections on this loopback port."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
