"""Each alert says what to do, is held by promtool's tests and has a fault that `python -m tests.alerts` causes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.platform.metrics import DEPENDENCY_UP, FEED_COLLECTED, FEED_MISSING, MEASURED, OWNERS, Process
from tests.alerts.faults import FAULTS
from tests.alerts.prometheus import CONFIG, RULES, rules, shortened

ROOT = Path(__file__).parents[2]
ALERTS = rules()
EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in ALERTS}
RULE_TESTS = sorted((ROOT / "tests/alerts").glob("rules*.yml"))
OF_FEEDS = {FEED_COLLECTED, FEED_MISSING}
"""A round sets both when it ends. FeedSilent counts from the start of the process where none does."""
WITHIN_SECONDS = 150
"""The longest that a critical alert may wait once its condition holds: scraping, evaluating and asking come on top."""


def _named(rule: dict[str, Any]) -> str:
    return str(rule["alert"])


def _checks() -> Iterator[dict[str, Any]]:
    for path in RULE_TESTS:
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            yield from case["alert_rule_test"]


@pytest.mark.parametrize("rule", ALERTS, ids=_named)
def test_each_alert_is_tested_by_rule_and_by_fault(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    checks = [check for check in _checks() if check["alertname"] == name]
    assert any(check["exp_alerts"] for check in checks), f"tests/alerts/rules.yml has no case in which {name} fires"
    assert any(not check["exp_alerts"] for check in checks), f"tests/alerts/rules.yml never holds {name} silent"
    caused = {alert for fault in FAULTS for alert in (*fault.alerts, *fault.later)}
    assert name in caused, f"tests/alerts/faults.py has no fault that makes {name} fire"


def test_no_fault_and_no_case_is_of_an_alert_that_is_gone() -> None:
    known = {rule["alert"] for rule in ALERTS}
    assert {alert for fault in FAULTS for alert in (*fault.alerts, *fault.later)} <= known
    assert {check["alertname"] for check in _checks()} <= known


def test_promtool_finds_the_rules_as_they_should_be() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    for command in (["check", "rules", RULES], ["test", "rules", *RULE_TESTS]):
        done = subprocess.run([promtool, *map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", ALERTS, ids=_named)
def test_each_alert_leads_to_what_to_do(rule: dict[str, Any]) -> None:
    file, _, anchor = rule["annotations"]["runbook_url"].removeprefix("{{ $externalLabels.runbooks }}").partition("#")
    text = (ROOT / file).read_text("utf-8")
    assert anchor == rule["alert"].lower()
    section = re.search(rf"^### {rule['alert']}\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL)
    assert section is not None, f"{file} has no section {rule['alert']}"
    for part in ("**Means**", "**Look at**", "**Do**"):
        assert part in section[1], f"{file}, {rule['alert']}: {part} is missing"


@pytest.mark.parametrize("rule", ALERTS, ids=_named)
def test_each_summary_can_be_read(rule: dict[str, Any]) -> None:
    summary = rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    values = re.findall(r"\{\{ (\$value[^}]*) \}\}", summary)
    whole = {'$value | printf "%.0f"', "$value | humanizeDuration"}
    assert set(values) <= whole, "a number of people or things is a whole one"
    labels = set(re.findall(r"\$labels\.(\w+)", summary))
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", rule["expr"]) for label in group.split(",")}
    assert labels <= grouped | {"job"}, "the summary names a label that the expression has summed away"


@pytest.mark.parametrize("rule", [rule for rule in ALERTS if rule["labels"]["severity"] == "critical"], ids=_named)
def test_a_critical_alert_does_not_wait_for_long(rule: dict[str, Any]) -> None:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    found = re.fullmatch(r"(\d+)([smhd])", rule.get("for", "0s"))
    assert found is not None
    assert int(found[1]) * units[found[2]] <= WITHIN_SECONDS


def test_each_kind_of_process_is_watched() -> None:
    kinds = set(Process)
    assert {job["job_name"] for job in yaml.safe_load(CONFIG.read_text("utf-8"))["scrape_configs"]} == kinds
    for alert in ("ProcessDown", "ProcessRestarts"):
        (jobs,) = re.findall(r'job=~"([^"]+)"', EXPRESSIONS[alert])
        assert set(jobs.split("|")) == kinds, alert
    absent = set(re.findall(r'absent\(up{job="(\w+)"}\)', EXPRESSIONS["ProcessDown"]))
    assert absent == kinds - {Process.COLLECTOR}, "an installation may do without a collector only"
    assert OWNERS[DEPENDENCY_UP].keys() == kinds, "KafkaAway and PostgreSQLAway see the processes that export it"


def test_an_alert_on_an_unmeasured_gauge_is_not_silent() -> None:
    wanted, unwanted = re.findall(r'__name__[=!]~"([^"]+)"', EXPRESSIONS["NotMeasured"])[:2]
    (compared,) = re.findall(r"unless on \(([^)]*)\)", EXPRESSIONS["NotMeasured"])
    for gauge in MEASURED:
        (family,) = gauge.describe()
        alerts = [name for name, expr in EXPRESSIONS.items() if re.search(rf"\b{family.name}\b", expr)]
        if re.fullmatch(wanted, family.name) and not re.fullmatch(unwanted, family.name):
            assert set(gauge._labelnames) <= set(compared.split(", ")), f"NotMeasured mixes the series of {family.name}"
        elif alerts:
            assert gauge in OF_FEEDS, f"{alerts} stays silent while {family.name} has no value"


def test_a_shortened_rule_is_the_same_but_for_its_times() -> None:
    by_name = {rule["alert"]: shortened(rule) for rule in ALERTS}
    held = by_name["NotificationsCapped"]
    assert "[300s]" in held["expr"]
    assert "process_start_time_seconds < 300" in held["expr"]
    assert by_name["FeedSilent"]["expr"].endswith("[300s])) > 300")
    assert by_name["CoalitionsNotSwept"]["expr"].endswith("> 120")
    assert by_name["PlansPending"]["for"] == "30s"
    assert by_name["ProcessDown"] == next(rule for rule in ALERTS if rule["alert"] == "ProcessDown")
