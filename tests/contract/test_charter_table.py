"""The README's table of the five principles names events, commands and measures that exist, each with its test."""

import re
from datetime import date
from pathlib import Path

import pytest
import typer

from events.schemas import payload_types
from services import cli
from services.domain.programme.report import Records, build_scene, measure_all
from tests.support.command_line import leaves

ROOT = Path(__file__).parents[2]
TESTS = {
    "1": ("tests/integration/test_pipeline.py", "tests/integration/test_programme.py"),
    "2": ("tests/integration/test_extensions.py",),
    "3": ("tests/integration/test_frameworks_command.py", "tests/integration/test_routes.py"),
    "4": ("tests/integration/test_coalitions.py",),
    "5": ("tests/integration/test_contracts.py", "tests/integration/test_benchmarks.py"),
}
"""Where each principle is shown from end to end."""


def _rows() -> dict[str, list[str]]:
    found = re.findall(r"^\| (\d)\. (.*) \|$", (ROOT / "README.md").read_text("utf-8"), re.M)
    return {number: cells.split(" | ") for number, cells in found}


def test_there_is_a_row_for_each_principle() -> None:
    assert list(_rows()) == list(TESTS)


@pytest.mark.parametrize("number", TESTS)
def test_what_a_row_names_exists(number: str) -> None:
    _, _, events, commands, measures = _rows()[number]
    assert set(re.findall(r"`(.*?)`", events)) <= payload_types().keys()
    known = set(leaves(typer.main.get_command(cli.application())))
    named = {one.removeprefix("jointly ") for one in re.findall(r"`(.*?)`", commands)}
    assert named
    assert named <= known
    sections = {one.section for one in measure_all(build_scene(Records(), date(2026, 12, 1)))}
    assert set(measures.split(", ")) <= sections
    assert all((ROOT / path).is_file() for path in TESTS[number])
