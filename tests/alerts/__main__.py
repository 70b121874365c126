"""`python -m tests.alerts`: causes each alert's fault for real, and holds how long Prometheus takes to say so.

Real processes, Apache Kafka, PostgreSQL, mail server and Prometheus, scraped and evaluated at the shipped intervals.
The rules run twice: as shipped, and with shortened windows for what would take an hour. Takes about 40 minutes, so it
is no part of the gate. Status 1 where an alert did not fire, or a critical one not within four minutes.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.alerts.faults import FAULTS, Fault
from tests.alerts.ground import KINDS, Ground, free_ports
from tests.alerts.prometheus import SHIPPED, SHORTENED, Prometheus, missing, prometheus, rules
from tests.brokers import unavailable
from tests.chaos.__main__ import clear_settings, narrate
from tests.chaos.cluster import arena

CRITICAL_SECONDS: Final = 240.0
QUIET_SECONDS: Final = 45.0
"""How long nothing may fire before the first fault."""


@dataclass(frozen=True, slots=True)
class Row:
    """One alert: seconds from its fault to when it fired, and from the mending to when it ceased, by rules."""

    alert: str
    severity: str
    fault: str
    fired_shipped: float | None
    fired_shortened: float | None
    cleared_shipped: float | None
    cleared_shortened: float | None

    @property
    def good(self) -> bool:
        """Whether it fired, and in time where it is critical."""
        if self.severity == "critical":
            return self.fired_shipped is not None and self.fired_shipped <= CRITICAL_SECONDS
        return self.fired_shipped is not None or self.fired_shortened is not None


@dataclass
class Caused:
    """A fault while it lasts, and after."""

    fault: Fault
    at: float
    mend: object
    mended_at: float | None = None


class Run:
    """Faults one after the other, those that take long beside the others."""

    def __init__(self, ground: Ground, server: Prometheus) -> None:
        self.ground = ground
        self.server = server
        self.caused: list[Caused] = []

    def cause(self, fault: Fault) -> None:
        """Causes a fault and, unless it goes on beside the others, waits for its alerts and mends it."""
        narrate(f"{fault.name} ({', '.join((*fault.alerts, *fault.later))})")
        at = time.monotonic()
        caused = Caused(fault, at, fault.cause(self.ground))
        self.caused.append(caused)
        if not fault.beside_others:
            self.end(caused)

    def end(self, caused: Caused) -> None:
        """Waits for the alerts of a fault, and mends it."""
        fault = caused.fault
        self._wait(caused, fault.alerts, fault.patience_seconds)
        time.sleep(max(0.0, caused.at + fault.seconds - time.monotonic()))
        assert callable(caused.mend)
        caused.mended_at = time.monotonic()
        caused.mend()
        self._wait(caused, fault.later, fault.patience_seconds)

    def _wait(self, caused: Caused, alerts: Sequence[str], seconds: float) -> None:
        deadline = caused.at + seconds + (time.monotonic() - caused.at if caused.mended_at else 0.0)
        critical = {rule["alert"] for rule in rules() if rule["labels"]["severity"] == "critical"}
        for alert in alerts:
            paces = (SHIPPED,) if alert in critical else (SHIPPED, SHORTENED)
            while (when := self._first(alert, paces, caused)) is None and time.monotonic() < deadline:
                time.sleep(1)
            narrate(f"  {alert} {'never fired' if when is None else f'fired after {when - caused.at:.0f} s'}")

    def _first(self, alert: str, paces: Sequence[str], caused: Caused) -> float | None:
        return min(filter(None, (self._when(True, alert, pace, caused) for pace in paces)), default=None)

    def _when(self, fires: bool, alert: str, pace: str, caused: Caused) -> float | None:
        after = caused.at if fires else max(caused.mended_at or caused.at, caused.at)
        return self.server.first(fires, alert, pace, caused.fault.labels, after)

    def row(self, caused: Caused, alert: str, severity: str) -> Row:
        """What is known of an alert by now."""
        fired = [self._seconds(True, alert, pace, caused) for pace in (SHIPPED, SHORTENED)]
        cleared = [self._seconds(False, alert, pace, caused) for pace in (SHIPPED, SHORTENED)]
        return Row(alert, severity, caused.fault.name, *fired, *cleared)

    def _seconds(self, fires: bool, alert: str, pace: str, caused: Caused) -> float | None:
        when = self._when(fires, alert, pace, caused)
        begun = caused.at if fires else caused.mended_at
        return None if when is None or begun is None else round(when - begun, 0)

    def rows(self) -> list[Row]:
        """All alerts that were waited for, in the order of the rules."""
        severities = {rule["alert"]: rule["labels"]["severity"] for rule in rules()}
        by_alert = {alert: c for c in self.caused for alert in (*c.fault.alerts, *c.fault.later)}
        return [
            self.row(by_alert[alert], alert, severity) for alert, severity in severities.items() if alert in by_alert
        ]

    def settled(self, pace: str) -> bool:
        """Whether everything that fired by these rules has ceased to."""
        return not any(
            self.server.firing(alert, pace, c.fault.labels)
            for c in self.caused
            for alert in (*c.fault.alerts, *c.fault.later)
        )


def markdown(rows: Sequence[Row]) -> str:
    """The table for people. A dash: not within the run."""
    lines = [
        "| alert | severity | fault | fired after, as shipped | shortened | cleared after, as shipped | shortened |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        times = (row.fired_shipped, row.fired_shortened, row.cleared_shipped, row.cleared_shortened)
        cells = " | ".join("-" if one is None else f"{one:.0f} s" for one in times)
        lines.append(f"| {row.alert} | {row.severity} | {row.fault} | {cells} |")
    return "\n".join(lines)


def quiet(server: Prometheus) -> None:
    """Waits until every process is scraped, and then whether anything fires without a fault."""
    deadline = time.monotonic() + 120
    # Each of them looks at Kafka and at PostgreSQL.
    processes = len(KINDS)
    while server.value("sum(up)") != processes or server.value("sum(jointly_dependency_up)") != 2 * processes:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Prometheus does not see {processes} processes that reach their parts")
        time.sleep(1)
    # While processes start, some alerts may have fired, and rightly so.
    seen = len(server.changes)
    time.sleep(QUIET_SECONDS)
    loud = [change.alert for change in server.changes[seen:] if change.fires]
    narrate(f"before any fault: {loud or 'nothing fires'}")


def main() -> int:
    """Runs all faults, or those of `--only ALERT ...`."""
    made = argparse.ArgumentParser(prog="python -m tests.alerts", description=__doc__)
    made.add_argument("--only", nargs="*", default=[], metavar="ALERT", help="only the faults of these alerts")
    made.add_argument("--clear-minutes", type=float, default=12.0, help="how long to wait for the last to cease")
    made.add_argument("--json", action="store_true", help="print JSON in place of a table")
    options = made.parse_args()
    reason = unavailable() or missing()
    if reason is not None:
        narrate(reason)
        return 2
    clear_settings()
    logging.disable(logging.CRITICAL)
    only = set(options.only)
    wanted = [fault for fault in FAULTS if not only or only & {*fault.alerts, *fault.later}]
    ports = free_ports()
    with tempfile.TemporaryDirectory(prefix="jointly-alerts-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as an account of its own
        with arena(folder, quick=False) as place, prometheus(folder / "prometheus", ports) as server:
            ground = Ground(place, ports, narrate)
            for kind in KINDS:
                ground.start(kind)
            quiet(server)
            run = Run(ground, server)
            for fault in wanted:
                run.cause(fault)
            for caused in run.caused:
                if caused.mended_at is None:
                    run.end(caused)
            _until_settled(run, options.clear_minutes * 60)
            rows = run.rows()
    text = json.dumps([asdict(row) for row in rows], indent=2) if options.json else markdown(rows)
    sys.stdout.write(text + "\n")
    return 0 if all(row.good for row in rows) else 1


def _until_settled(run: Run, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not (run.settled(SHORTENED) and run.settled(SHIPPED)) and time.monotonic() < deadline:
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
