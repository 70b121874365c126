"""Cells of CSV files: a spreadsheet runs one that begins like a formula, so an apostrophe goes before it."""

import re
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n]")
"""The beginning of a formula, behind any number of apostrophes: so reading gives back what was written."""


def defuse(cell: str) -> str:
    """The cell as a spreadsheet shows it and never runs it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def undefuse(cell: str) -> str:
    """What the cell was before `defuse`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
