"""Every seeded bug still finds its place in the code, and the tests that must notice it still exist."""

import re
from pathlib import Path

import pytest

from tests.chaos.mutant import Mutant
from tests.chaos.mutants import MUTANTS, ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_one_place_of_each_file(mutant: Mutant) -> None:
    assert [(ROOT / edit.file).read_text().count(edit.old) for edit in mutant.edits] == [1] * len(mutant.edits)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_tests_of_a_mutant_exist(mutant: Mutant) -> None:
    for name in mutant.tests:
        file, _, function = name.partition("::")
        source = Path(ROOT / file).read_text()
        assert not function or re.search(rf"def {re.escape(function.split('[')[0])}\(", source), name
