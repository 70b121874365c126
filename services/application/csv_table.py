"""Reads CSV files with a header: each line as values by column, or as a problem with its reason."""

import csv
import io
import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from events.fields import AUTHORITY_PATTERN, canonical_authority
from services.application import csv_cells
from services.domain.entered_days import YEARS_PHRASE, YearError, entered_iso_day

Columns = Mapping[str, Callable[[str], Any]]
"""Column names with the function that parses a cell of the column, or raises FieldError."""

MAX_BYTES: Final = 16 * 1024 * 1024


class FieldError(ValueError):
    """One cell is invalid; the message says why and never repeats an address."""


class FileError(ValueError):
    """The file can't be read at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One line that was not imported."""

    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """One valid line: its number and its values by column."""

    number: int
    values: dict[str, Any]


def read_text(path: Path) -> str:
    """Read a file's text. Raises FileError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError(f"is larger than {MAX_BYTES // 1024 // 1024} MB; split it")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"can't be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"can't be read: it is not UTF-8 at byte {error.start}; save it as UTF-8") from None


def read_lines(text: str, columns: Columns, required: Collection[str]) -> Iterator[Line | Problem]:
    """Read the lines of a CSV file. Raises FileError if the header lacks a required column or has an unknown one."""
    rows = csv.DictReader(io.StringIO(text), restkey="", strict=True)
    try:
        names = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    except csv.Error as error:
        raise FileError(f"is not CSV: {error}") from None
    if not set(required) <= set(names) <= set(columns) or len(set(names)) != len(names):
        raise FileError(f"must begin with a header line of these columns, each once: {', '.join(columns)}")
    rows.fieldnames = names
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(rows.line_num, "line", f"is not CSV: {error}")
            continue
        yield _line(row, rows.line_num, columns)


def refuse_repeated(
    lines: Iterator[Line | Problem], field: str, key: Callable[[Line], Hashable]
) -> Iterator[Line | Problem]:
    """Replace every line that repeats the key of an earlier one by a problem."""
    seen: dict[Hashable, int] = {}
    for line in lines:
        if isinstance(line, Line):
            first = seen.setdefault(key(line), line.number)
            if first != line.number:
                yield Problem(line.number, field, f"stands twice; line {first} was taken")
                continue
        yield line


def to_text(columns: Collection[str], rows: Sequence[Sequence[str]]) -> str:
    """Write rows as CSV. A cell that a spreadsheet would run as a formula is escaped."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(columns)
    for row in rows:
        lines.writerow([csv_cells.defuse(cell) for cell in row])
    return out.getvalue()


def code(cell: str) -> str:
    """Parse an authority's code."""
    # The wire's pattern: an authority under another code could never be matched.
    if not re.fullmatch(AUTHORITY_PATTERN, cell):
        raise FieldError("is not an authority code; expected a GSS code such as E08000035, or another org-id")
    return canonical_authority(cell)


def day(cell: str) -> date | None:
    """Parse a date; None if the cell is empty."""
    try:
        return entered_iso_day(cell) if cell else None
    except YearError:
        raise FieldError(f"has a year that is not from {YEARS_PHRASE}") from None
    except ValueError:
        raise FieldError("is not a date; expected YYYY-MM-DD") from None


def needed_day(cell: str) -> date:
    """Parse a required date."""
    found = day(cell)
    if found is None:
        raise FieldError("is empty; expected YYYY-MM-DD")
    return found


def words(longest: int, *, needed: bool = False) -> Callable[[str], str]:
    """Make a parser for plain text of at most `longest` characters."""

    def read(cell: str) -> str:
        if len(cell) > longest or any(ord(c) < 32 and c not in "\n\t" for c in cell):
            raise FieldError(f"is longer than {longest} characters or holds control characters")
        if needed and not cell:
            raise FieldError("is empty")
        return cell

    return read


def _line(row: dict[str, Any], number: int, columns: Columns) -> Line | Problem:
    if "" in row:
        return Problem(number, "line", "has more cells than the header has columns")
    values: dict[str, Any] = {}
    for name, cell in row.items():
        if cell is None:
            return Problem(number, name, "is missing; the line has fewer cells than the header has columns")
        try:
            values[name] = columns[name](csv_cells.undefuse(cell).strip())
        except FieldError as error:
            return Problem(number, name, str(error))
    return Line(number, values)
