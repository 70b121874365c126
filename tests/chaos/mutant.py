"""What a seeded bug is: replacements in files, and the tests that must notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """One replacement in one file; `old` stands there exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A seeded bug, and the tests that must turn red."""

    name: str
    edits: Sequence[Edit]
    tests: Sequence[str]
