"""Finds the table in a register's file: the row of headings, and the field of each column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from services.ingest.entries import RefusedError, plain
from services.ingest.register import cells
from services.ingest.register.column_mapping import RegisterMapping, positions, suggestions
from services.ingest.register.tabular import Rows, tables

HEADING_ROWS: Final = 20
"""The number of rows searched for headings: registers often begin with a title and notes."""

_WHEN: Final = ("end", "extension_end", "tender_earliest", "tender_latest", "next_start")
"""Fields of which at least one must give the date of the purchase."""

Row = Mapping[str, str]
"""The cells of one row by field."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows below its headings, with the field of each column. A `pipeline` lists future purchases and no
    current contracts; only there may references be missing."""

    rows: Rows
    at: Mapping[str, int]
    headings: Sequence[str]

    @property
    def pipeline(self) -> bool:
        return not self.at.keys() & {"end", "extension_end"}

    def row(self, cells_of_row: Sequence[str]) -> Row:
        """Return a row's cells by field."""
        return {
            thing: cells.repaired(cells_of_row[position]).strip()
            for thing, position in self.at.items()
            if position < len(cells_of_row)
        }

    def is_no_entry(self, cells_of_row: Sequence[str], row: Row) -> str | None:
        """Return why a row is no entry: a section heading, repeated headings, or totals."""
        if list(cells_of_row) == list(self.headings):
            return "headings that are repeated were skipped"
        if any(cells.is_total(row.get(thing, "")) for thing in ("reference", "title")):
            return "rows of totals were skipped"
        filled = [cell for cell in cells_of_row if cell.strip()]
        if len(filled) == 1 and len(self.headings) > 2 and not re.search(r"\d", filled[0]):
            return "headings of sections were skipped"
        return None


def find_table(content: bytes, mapping: RegisterMapping) -> Table:
    """Return the first interpretation of the file that has headings. Raises RefusedError that names the headings
    found."""
    seen: list[str] = []
    for rows in tables(content):
        for _, row in islice(rows, HEADING_ROWS):
            at = positions(mapping.columns, row)
            if "title" not in at and "description" in at and "reference" in at:
                at["title"] = at["description"]
            if "title" in at and at.keys() & set(_WHEN) and ("reference" in at or not at.keys() & {"end"}):
                return Table(rows, at, row)
            filled = [cell for cell in row if cell.strip()]
            if len(filled) > max(1, len(seen)):
                seen = filled
    raise RefusedError(*_no_headings(mapping, seen))


def _no_headings(mapping: RegisterMapping, seen: Sequence[str]) -> tuple[str, str]:
    at = positions(mapping.columns, seen)
    missing = [thing for thing in ("reference", "title", "end") if thing not in at]
    named = ", ".join(f"'{' '.join(plain(heading).split())[:40]}'" for heading in seen[:20]) or "none"
    lines = suggestions(mapping.columns, seen, missing)
    advice = f"; this may fix it: [columns] {'; '.join(lines)}" if lines else ""
    wanted = ", ".join(missing) or "when the contract ends or is tendered"
    field = "end" if missing == ["end"] else ""
    return field, (
        f"has no headings for {wanted} in its first {HEADING_ROWS} rows (found: {named}); "
        f"name them in a --mapping file{advice}"
    )
