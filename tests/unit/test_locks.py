"""What production installs is a part of what was tested, and nothing that only tests or the embedded stack need."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.without_cuda import entries, without_cuda

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TORCH = "torch==2.15.0+cpu --hash=sha256:" + "0" * 64


def _locked(file: str) -> dict[str, frozenset[str]]:
    """Each `name==version` of a lock with the hashes of its files; some have a version for each Python."""
    found = {}
    for entry in entries((ROOT / file).read_text("utf-8")):
        match = re.match(r"[a-z0-9-]+==\S+", entry)
        assert match is not None, entry
        found[match[0]] = frozenset(re.findall(r"--hash=(sha256:[0-9a-f]{64})", entry))
    return found


EVERYTHING, LOCKED = _locked("requirements.lock"), _locked("deploy/requirements.lock")
PRODUCTION = {version.split("==")[0] for version in LOCKED}


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower().replace("_", "-") for line in requirements}


def test_production_runs_the_tested_files() -> None:
    assert len(PRODUCTION) > 50
    for version, files in LOCKED.items():
        assert files, version
        assert EVERYTHING[version] == files


def test_production_has_each_dependency() -> None:
    optional = PROJECT["project"]["optional-dependencies"]
    assert _names(PROJECT["project"]["dependencies"] + optional["fast"]) <= PRODUCTION


def test_production_has_no_tests_and_no_embedded_stack() -> None:
    groups = PROJECT["dependency-groups"]
    unwanted = _names(PROJECT["project"]["optional-dependencies"]["embedded"] + groups["dev"] + groups["bench"])
    # These the engine itself needs: PyTorch builds with the first, reads its configuration with the second, and has the
    # third among its own requirements.
    assert unwanted & PRODUCTION <= {"setuptools", "pyyaml", "networkx"}


@pytest.mark.slow
def test_the_bill_of_materials_lists_what_production_installs(tmp_path: Path) -> None:
    target = tmp_path / "bill.json"
    tool = Path(sys.executable).with_name("cyclonedx-py")
    command = [tool, "requirements", "--short-PURLs", "--output-file", target, ROOT / "deploy/requirements.lock"]
    subprocess.run(command, check=True, capture_output=True)
    bill = json.loads(target.read_text("utf-8"))
    listed = {part["purl"]: part["externalReferences"][0]["hashes"] for part in bill["components"]}
    assert listed.keys() == {f"pkg:pypi/{version.replace('==', '@')}" for version in LOCKED}
    assert all(listed.values())


def test_another_torch_takes_the_cuda_libraries_out() -> None:
    lock = (ROOT / "deploy/requirements.lock").read_text("utf-8")
    chosen = without_cuda(lock, TORCH)
    left = {re.split("==", entry)[0] for entry in entries(chosen)}
    assert PRODUCTION - left == {name for name in PRODUCTION if re.match("nvidia-|cuda-|triton", name)}
    assert len(PRODUCTION - left) >= 15
    assert [entry for entry in entries(chosen) if entry.startswith("torch==")] == [TORCH + "\n"]


@pytest.mark.parametrize("torch", ["torch", "torch==2.15.0", "torch==2.15.0 --hash=md5:00", "evil==1 --hash=sha256:00"])
def test_another_torch_needs_version_and_hash(torch: str) -> None:
    lock = ROOT / "deploy/requirements.lock"
    done = subprocess.run(
        [sys.executable, ROOT / "deploy/without_cuda.py", lock, torch], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("TORCH is")
