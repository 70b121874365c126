"""Settings are read in one module. Each other one that touches the environment is listed with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
ALLOWED: Final = {
    "services/platform/settings.py": "the settings",
    "services/cli/__init__.py": "a shell passes the line to complete in it",
    "services/cli/restore_drill.py": "PostgreSQL's programs inherit it",
    "services/local_stack/stack.py": "the stack's processes inherit it, but not the addresses of another installation",
    "services/local_stack/tansu.py": "the broker inherits PATH",
    "matching/encoders/openvino.py": "OpenVINO does not read OMP_NUM_THREADS itself",
    "matching/encoders/sentence_transformer.py": "PyTorch and the tokeniser are configured by variables",
}
NAMES: Final = {"environ", "environb", "getenv", "getenvb", "BaseSettings"}


def _reads(source: str) -> bool:
    """Whether a module names the environment of its process, or a class that reads it."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name) | ast.alias(name=name) if name in NAMES:
                return True
    return False


def _readers() -> Iterator[str]:
    for package in ("services", "matching", "events"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if _reads(file.read_text("utf-8")):
                yield file.relative_to(ROOT).as_posix()


def test_nothing_else_reads_the_environment() -> None:
    assert set(_readers()) == ALLOWED.keys()


@pytest.mark.parametrize("line", ["os.environ['A']", "os.getenv('A')", "from os import environ", "x = os.environb"])
def test_the_search_finds_what_it_looks_for(line: str) -> None:
    assert _reads(f"import os\n{line}")
