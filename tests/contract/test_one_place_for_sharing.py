"""Only `disclosure` and its twin for queries decide by `sharing`, so that nothing reveals more than they allow."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "services/domain/disclosure.py",
    "services/store/sharing.py",
    # It declares them.
    "matching/plan.py",
    # The engine can't import the rules of the services: it never matches a private plan.
    "matching/features.py",
    "matching/gates.py",
    # It looks for the word in records that can't be read.
    "services/messaging/private_plans.py",
}
VALUES = {"open", "match_only", "private"}
QUERY = re.compile(r"\bsharing\b.{0,30}(=|<>|\bIN\b|\bIS\b).{0,20}'(open|match_only|private)'")


def _decides(source: str) -> Iterator[int]:
    """The lines that compare a plan's `sharing`, in Python or in a query."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="Sharing"), attr="OPEN" | "MATCH_ONLY" | "PRIVATE"):
                yield node.lineno
            case ast.Compare() if "sharing" in ast.unparse(node).lower() and VALUES & _texts(node):
                yield node.lineno
            case ast.Constant(value=str() as text) if QUERY.search(text):
                yield node.lineno


def _texts(node: ast.AST) -> set[str]:
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def test_no_other_module_decides_by_sharing() -> None:
    files = [file for package in ("services", "matching", "events") for file in sorted((ROOT / package).rglob("*.py"))]
    found = {str(file.relative_to(ROOT)): list(_decides(file.read_text("utf-8"))) for file in files}
    assert {name: lines for name, lines in found.items() if lines and name not in ALLOWED} == {}


def test_no_page_or_email_decides_by_sharing() -> None:
    templates = sorted((ROOT / "services").rglob("*.html")) + sorted((ROOT / "services").rglob("*.j2"))
    assert templates
    assert [
        file.name for file in templates if re.search(r"sharing['\"\]]*\s*(==|!=|in\b)", file.read_text("utf-8"))
    ] == []


@pytest.mark.parametrize(
    "line",
    [
        "plan.sharing is Sharing.OPEN",
        "state.get('sharing', 'open') == 'open'",
        "side.sharing != 'private'",
        "one['sharing'] in ('open', 'match_only')",
        "query = \"state->>'sharing' = 'open'\"",
        "query = \"payload #>> '{plans,0,sharing}' = 'match_only'\"",
        "query = \"coalesce(p.state ->> 'sharing', 'open') <> 'open'\"",
    ],
)
def test_the_search_finds_what_it_looks_for(line: str) -> None:
    assert set(_decides(f"import x\n{line}")) == {2}
