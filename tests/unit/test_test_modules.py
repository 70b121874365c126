"""Test modules stand alone: what two of them need lies in a module of helpers or in a conftest."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]


def imported(source: str) -> Iterator[str]:
    """The modules, and what may be modules, that source text imports, by their full names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{name.name}" for name in node.names)


def test_no_module_imports_a_test_module() -> None:
    modules = {path: path.relative_to(TESTS.parent).with_suffix("") for path in TESTS.rglob("test_*.py")}
    names = {".".join(module.parts) for module in modules.values()}
    found = [
        f"{path.relative_to(TESTS)}: {name}"
        for path in TESTS.rglob("*.py")
        for name in imported(path.read_text("utf-8"))
        if name in names or name.rpartition(".")[0] in names
    ]
    assert names, "no test module found"
    assert found == []
