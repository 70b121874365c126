"""compose.yaml, the image, Prometheus and Grafana name only what exists. No Docker engine is needed to know."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from prometheus_client import Counter, Gauge, Histogram

from services.cli import COMMANDS, application
from services.domain.programme.report import Records, build_scene, measure_all
from services.platform import health, metrics
from services.platform.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "jointly"}
PROCESSES = {name: service for name, service in OURS.items() if service["restart"] != "no"}
PROMETHEUS = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/jointly.json").read_text("utf-8"))


def _environment(service: dict[str, Any]) -> dict[str, str]:
    """A service's variables, each `${NAME:?sentence}` filled in by `given`."""
    return {name: re.sub(r"\$\{\w+:\?[^}]*\}", "given" * 8, value) for name, value in service["environment"].items()}


def _inside(port: str) -> int:
    """The container's side of `127.0.0.1:29092:29092`."""
    return int(str(port).rsplit(":", 1)[-1])


def _listening(name: str) -> set[int]:
    """The ports that a service offers to the others or to this machine."""
    service = SERVICES[name]
    return {_inside(port) for port in [*service.get("expose", []), *service.get("ports", [])]}


def test_the_parts_of_the_design_are_there() -> None:
    parts = {"kafka", "postgres", "mail", "migrate", "topics", "matcher", "coalitions", "relay", "notifier"}
    assert parts < SERVICES.keys()
    # Without a key nobody could show that the audit log was changed.
    key = OURS["installation-key"]["command"][-1]
    assert _environment(OURS["relay"])["JOINTLY_INSTALLATION_KEY_FILE"] == key
    assert [name for name, service in OURS.items() if "volumes" in service] == ["installation-key", "relay"]
    assert set(PROCESSES) == {"matcher", "coalitions", "relay", "notifier", "collector", "web"}


@pytest.mark.parametrize("name", OURS)
def test_each_command_exists_and_takes_its_options(name: str) -> None:
    arguments: list[str] = OURS[name]["command"]
    assert arguments[0] in COMMANDS
    command: Any = typer.main.get_command(application(arguments[0]))
    while arguments and hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context("command", list(arguments))  # raises where an option is unknown or missing


@pytest.mark.parametrize("name", OURS)
def test_each_variable_is_a_setting_and_its_value_is_accepted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = _environment(OURS[name])
    unknown = [
        variable for variable in environment if variable.removeprefix(PREFIX).lower() not in Settings.model_fields
    ]
    assert all(variable.startswith(PREFIX) for variable in environment)
    assert not unknown
    mounts = [mount.split(":")[1] for mount in OURS[name].get("volumes", [])]
    for variable, value in environment.items():
        if variable.endswith("_FILE"):
            assert str(Path(value).parent) in mounts, f"{name} does not mount {value}"
            continue
        monkeypatch.setenv(variable, value)
    Settings().need_kafka()
    Settings().need_database()
    Settings().need_smtp()


def _addresses() -> Iterator[tuple[str, str, int]]:
    for name, service in SERVICES.items():
        for variable, value in _environment(service).items() if "environment" in service else ():
            if variable.startswith("KAFKA_ADVERTISED"):
                value = value.replace("127.0.0.1", name)
            for host, port in re.findall(r"(?:^|[@/,])([a-z][a-z-]*):(\d{2,5})\b", value):
                yield f"{name} {variable}", host, int(port)


def test_each_address_is_a_service_that_listens_there() -> None:
    addresses = list(_addresses())
    assert {host for _, host, _ in addresses} >= {"kafka", "postgres", "mail"}
    for where, host, port in addresses:
        assert host in SERVICES, where
        # Only the controller's port is Kafka's own business.
        assert port in _listening(host) or (host, port) == ("kafka", 9093), f"{where}: {host} does not offer {port}"


def test_kafka_listens_where_it_says() -> None:
    environment = _environment(SERVICES["kafka"])
    listeners = dict(re.findall(r"(\w+)://[^:,]*:(\d+)", environment["KAFKA_LISTENERS"]))
    advertised = dict(re.findall(r"(\w+)://[^:,]*:(\d+)", environment["KAFKA_ADVERTISED_LISTENERS"]))
    protocols = dict(pair.split(":") for pair in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert advertised.items() <= listeners.items()
    assert protocols.keys() == listeners.keys()
    assert {int(port) for port in advertised.values()} == _listening("kafka")


def test_nothing_is_open_to_other_machines() -> None:
    published = [str(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert len(published) == len({port.split(":")[1] for port in published}), "two services want one port"


@pytest.mark.parametrize("name", PROCESSES)
def test_each_process_is_asked_for_its_health_where_it_answers(name: str) -> None:
    service = PROCESSES[name]
    port = int(_environment(service)["JOINTLY_HTTP_PORT"])
    url = re.search(r"http://127\.0\.0\.1:(\d+)(/[\w/]+)", " ".join(service["healthcheck"]["test"]))
    assert url is not None
    assert int(url[1]) == port
    assert url[2] in dict(health.routes(live=[], ready=[]))
    pages = {int(_environment(service)["JOINTLY_WEB_PORT"])} if name == "web" else set()
    assert _listening(name) == {port} | pages
    # The image's Python is the only program that a health check may count on.
    assert service["healthcheck"]["test"][:2] == ["CMD", "python"]
    # Stopped before it has finished a batch, a matcher would leave it to be handled twice.
    assert service["stop_grace_period"] == "90s"


def test_each_dependency_exists_and_can_become_true() -> None:
    for name, service in SERVICES.items():
        depends = service.get("depends_on", {})
        conditions = depends.items() if isinstance(depends, dict) else [(other, {}) for other in depends]
        for other, rule in conditions:
            assert other in SERVICES, f"{name} waits for {other}"
            condition = rule.get("condition", "service_started")
            if condition == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}"
            if condition == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no", f"{name} waits for the end of {other}"


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_a_limit_of_memory(name: str) -> None:
    assert re.fullmatch(r"\d+[mg]", SERVICES[name]["mem_limit"])


def test_each_mounted_file_exists_and_each_volume_is_declared() -> None:
    used = set()
    for name, service in SERVICES.items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name} mounts {source}"
                assert mount.endswith(":ro")
            else:
                used.add(source)
    assert used == set(COMPOSE["volumes"])


def test_the_image_copies_what_exists_and_starts_our_command() -> None:
    build = OURS["matcher"]["build"]
    lines = (ROOT / build["context"] / build["dockerfile"]).read_text("utf-8").splitlines()
    copied = [
        part for line in lines if line.startswith("COPY ") and "--from" not in line for part in line.split()[1:-1]
    ]
    assert "deploy/requirements.lock" in copied
    for part in copied:
        assert (ROOT / part).exists(), part
        assert f"!{part}" in (ROOT / ".dockerignore").read_text("utf-8").splitlines(), f".dockerignore hides {part}"
    entrypoint = json.loads(next(line for line in lines if line.startswith("ENTRYPOINT")).removeprefix("ENTRYPOINT "))
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert entrypoint[0] in scripts
    assert any("--require-hashes" in line for line in lines)
    user = next(line for line in lines if line.startswith("USER ")).split()[1]
    assert int(user.split(":")[0]) > 0, "the image must not run as root"


def test_compose_has_no_default_for_a_password() -> None:
    found = 0
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            for kind in re.findall(r"\$\{\w*PASSWORD(:\?|[^}]*)", value):
                found += 1
                assert kind == ":?", f"{name} {variable} starts without a password of its own"
            if variable.endswith("PASSWORD"):
                assert value.startswith("${"), f"{name} {variable} is written down"
    assert found == 2 + len(OURS)


def test_grafana_lets_nobody_in_unnamed() -> None:
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


def _images() -> dict[str, str]:
    """Each image that others make, by service, and the base of ours."""
    (base,) = re.findall(r"^ARG PYTHON=(\S+)$", (ROOT / "deploy/Dockerfile").read_text("utf-8"), re.MULTILINE)
    return {name: service["image"] for name, service in SERVICES.items() if name not in OURS} | {"jointly": base}


@pytest.mark.parametrize(("name", "image"), _images().items())
def test_each_image_is_named_by_an_exact_version(name: str, image: str) -> None:
    # PostgreSQL's versions have two numbers.
    exact = r"(postgres:\d+\.\d+|[a-z/]+:v?\d+\.\d+\.\d+)(-[a-z0-9-]+)?"
    assert re.fullmatch(exact, image), f"{name}: {image} may change under its name"


def test_the_image_is_made_from_named_bases_only() -> None:
    bases = re.findall(r"^FROM (\S+)", (ROOT / "deploy/Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert set(bases) == {"${PYTHON}"}


def test_a_release_adds_a_digest_to_each_image(tmp_path: Path) -> None:
    engine = tmp_path / "docker"
    engine.write_text('#!/bin/sh\n[ "$2" = version ] || echo "sha256:$(printf %s "$4" | sha256sum | cut -c1-64)"\n')
    engine.chmod(0o755)
    target = tmp_path / "digests.yaml"
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run([ROOT / "deploy/release.sh", target], env={"PATH": path}, check=True, capture_output=True)
    pinned = yaml.safe_load(target.read_text("utf-8"))["services"]
    assert pinned.keys() == SERVICES.keys()
    for name, image in _images().items():
        of_service = pinned[name]["image"] if name in pinned else pinned["matcher"]["build"]["args"]["PYTHON"]
        assert re.fullmatch(re.escape(image) + r"@sha256:[0-9a-f]{64}", of_service)
    assert all(pinned[name]["build"] == pinned["matcher"]["build"] for name in OURS)


def test_a_release_without_an_engine_says_so(tmp_path: Path) -> None:
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        [ROOT / "deploy/release.sh", tmp_path / "digests.yaml"], env={"PATH": str(tmp_path)}, capture_output=True
    )
    assert done.returncode == 1
    assert done.stderr.decode().startswith("make release needs Docker")
    assert not list(tmp_path.glob("digests*"))


def test_prometheus_scrapes_each_process_and_reads_its_rules() -> None:
    mounts = [mount.split(":") for mount in SERVICES["prometheus"]["volumes"]]
    inside = {target: source for source, target, *_ in mounts}
    assert (ROOT / inside["/etc/prometheus/prometheus.yml"]).samefile(ROOT / "deploy/prometheus/prometheus.yml")
    assert all(f"/etc/prometheus/{file}" in inside for file in PROMETHEUS["rule_files"])
    targets = {}
    for job in PROMETHEUS["scrape_configs"]:
        (found,) = job["dns_sd_configs"]
        (host,) = found["names"]
        assert found["port"] in _listening(host)
        assert job["metrics_path"] in dict(health.routes(live=[], ready=[]))
        targets[job["job_name"]] = host
    assert targets == {name: name for name in PROCESSES}


def test_grafana_finds_its_datasource_and_dashboard() -> None:
    provisioning = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert int(port) in _listening(host)
    (provider,) = yaml.safe_load((provisioning / "dashboards/jointly.yml").read_text("utf-8"))["providers"]
    mounted = {mount.split(":")[1]: mount.split(":")[0] for mount in SERVICES["grafana"]["volumes"]}
    folder = ROOT / mounted[provider["options"]["path"]]
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (folder / home.name).is_file()
    targets = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    assert targets
    assert {target["datasource"]["uid"] for target in targets} == {source["uid"]}


@cache
def _series() -> dict[str, set[str]]:
    """Each time series that Prometheus stores for our metrics, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if not isinstance(metric, Counter | Gauge | Histogram):
            continue
        (family,) = metric.describe()
        labels = set(metric._labelnames)
        if isinstance(metric, Counter):
            found[f"{family.name}_total"] = labels
        elif isinstance(metric, Histogram):
            found |= {f"{family.name}_bucket": labels | {"le"}, f"{family.name}_sum": labels}
            found[f"{family.name}_count"] = labels
        else:
            found[family.name] = labels
    return found


def _expressions() -> Iterator[tuple[str, str]]:
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expression"), list(_expressions()))
def test_each_expression_asks_for_metrics_and_labels_that_exist(where: str, expression: str) -> None:
    names = re.findall(r"\bjointly_\w+", expression)
    if where not in {"ProcessDown", "ProcessRestarts", "NotMeasured"}:
        assert names
    allowed = {"job", "instance", "__name__"}
    for name in names:
        assert name in _series(), f"{where} asks for {name}"
        allowed |= _series()[name]
    asked = re.findall(r"(\w+)=~?\"", expression)
    asked += [label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")]
    assert set(asked) <= allowed, where
    assert expression.count("(") == expression.count(")")


def test_the_dashboard_shows_measures_that_the_programme_report_has() -> None:
    sections = {one.section for one in measure_all(build_scene(Records(), date(2027, 1, 1)))}
    shown = {
        section
        for _, expression in _expressions()
        for section in re.findall(r'jointly_programme\{section="([^"]*)"', expression)
    }
    assert shown <= sections
    assert {"Sharing ahead", "Coverage", "Extensions", "Routes", "Invitations", "Contracts"} <= shown, "all principles"


def test_each_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expression for _, expression in _expressions())
    base = {re.sub(r"_(bucket|sum|count)$", "", name) for name in _series()}
    assert [name for name in sorted(base) if name not in shown] == []
