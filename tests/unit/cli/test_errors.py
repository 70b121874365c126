"""Errors for people: exceptions of ours that a user can fix have a sentence and an exit code."""

import re
from pathlib import Path

from services.cli.errors import OWN_ERRORS, ExitCode, problem_of
from services.local_stack.child_process import ComponentError

ROOT = Path(__file__).parents[3]


def test_each_named_exception_exists() -> None:
    sources = [path.read_text() for folder in ("services", "matching") for path in (ROOT / folder).rglob("*.py")]
    defined = set(re.findall(r"^class (\w+)\(", "\n".join(sources), re.MULTILINE))
    assert OWN_ERRORS.keys() <= defined


def test_a_component_that_does_not_start_is_no_fault_of_the_program() -> None:
    problem = problem_of(ComponentError("the folder is in use"))
    assert (problem.sentence, problem.code) == ("the folder is in use", ExitCode.REFUSED)
