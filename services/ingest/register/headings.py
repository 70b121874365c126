"""Find the table in a register's file: the row of headings, and what stands in which column."""

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
"""Registers often begin with a title and notes: the headings are looked for in so many rows."""

_WHEN: Final = ("end", "extension_end", "tender_earliest", "tender_latest", "next_start")
"""Columns of which one at least says when something is to be bought."""

Row = Mapping[str, str]
"""The cells of one row that mean something, by what they mean."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows below its headings, and what stands in which column. A `pipeline` lists what is to be bought and
    no contract that runs; only there may references be missing."""

    rows: Rows
    at: Mapping[str, int]
    headings: Sequence[str]

    @property
    def pipeline(self) -> bool:
        return not self.at.keys() & {"end", "extension_end"}

    def row(self, cells_of_row: Sequence[str]) -> Row:
        """A row's cells by what they mean."""
        return {
            thing: cells.repaired(cells_of_row[position]).strip()
            for thing, position in self.at.items()
            if position < len(cells_of_row)
        }

    def is_no_entry(self, cells_of_row: Sequence[str], row: Row) -> str | None:
        """Why a row is no entry at all: a heading of a section, the headings again, or totals."""
        if list(cells_of_row) == list(self.headings):
            return "headings that are repeated were skipped"
        if any(cells.is_total(row.get(thing, "")) for thing in ("reference", "title")):
            return "rows of totals were skipped"
        filled = [cell for cell in cells_of_row if cell.strip()]
        if len(filled) == 1 and len(self.headings) > 2 and not re.search(r"\d", filled[0]):
            return "headings of sections were skipped"
        return None


def find_table(content: bytes, mapping: RegisterMapping) -> Table:
    """The first way to read the file that gives headings. Raises RefusedError that names what was found instead."""
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
    advice = f"; this may mend it: [columns] {'; '.join(lines)}" if lines else ""
    wanted = ", ".join(missing) or "when the contract ends or is tendered"
    field = "end" if missing == ["end"] else ""
    return field, (
        f"has no headings for {wanted} in its first {HEADING_ROWS} rows (found: {named}); "
        f"name them in a --mapping file{advice}"
    )
