"""Escapes cells of CSV files. A spreadsheet would run a cell that starts like a formula, so it gets an apostrophe
first."""

import re
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n]")
"""Matches the start of a formula after any number of apostrophes, so that `undefuse` restores the original text."""


def defuse(cell: str) -> str:
    """Escape the cell, so that a spreadsheet shows it and never runs it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def undefuse(cell: str) -> str:
    """Undo `defuse`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
