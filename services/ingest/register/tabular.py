"""Reads a spreadsheet as rows of cells: CSV in any dialect, or xlsx, optionally compressed with gzip or zip."""

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from services.ingest.entries import MAX_FILE_BYTES, RefusedError

Rows = Iterator[tuple[int, list[str]]]
"""Rows with their number in the spreadsheet, from 1."""

SEPARATORS: Final = ",;\t|"
_CHUNK: Final = 1024 * 1024
_SEPARATOR_LINE = re.compile(r'\A"?sep=(.)"?\r?\n', re.IGNORECASE)
_XLSX_MEMBER: Final = "xl/workbook.xml"
MAX_EXPANDED_BYTES: Final = 8 * MAX_FILE_BYTES
"""The maximum decompressed size of the parts of an xlsx file."""
MAX_ROWS: Final = 1_048_576
"""The rows of a sheet in Excel. A file may state any number, and each missing row takes time."""
MAX_COLUMNS: Final = 500
MAX_CELLS: Final = 20_000_000
"""The cells of a sheet, with the empty ones before a row's last cell: a few bytes can place it at column 16,384."""


def tables(content: bytes) -> Iterator[Rows]:
    """Yield every way to read the file as a table, the likeliest first. Raises RefusedError if it is none."""
    if is_xlsx(content):
        yield from _sheets(content)
        return
    # One cell may be as long as the file; only its row is then refused.
    csv.field_size_limit(MAX_FILE_BYTES)
    encoding = _encoding(content)
    if stated := _SEPARATOR_LINE.match(next(_lines(content, encoding), "")):
        rest = _lines(content, encoding)
        next(rest)
        yield _rows(rest, stated[1], first=2)
        return
    for separator in SEPARATORS:
        yield _rows(_lines(content, encoding), separator)


def is_xlsx(content: bytes) -> bool:
    """Return whether the bytes are an xlsx workbook, which is a special zip file."""
    if not content.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return _XLSX_MEMBER in packed.namelist()
    except zipfile.BadZipFile:
        return False


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = content[:1000]
    if len(head) > 3 and head[1::2].count(0) > 0.9 * len(head[1::2]):
        return "utf-16-le"
    if len(head) > 3 and head[0::2].count(0) > 0.9 * len(head[0::2]):
        return "utf-16-be"
    return "utf-8-sig" if _is_utf8(content) else "cp1252"  # Excel on Windows writes the latter


def _is_utf8(content: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), _CHUNK):
            decoder.decode(content[start : start + _CHUNK], final=start + _CHUNK >= len(content))
    except UnicodeDecodeError:
        return False
    return True


def _lines(content: bytes, encoding: str) -> Iterator[str]:
    """Yield the file's lines, decoded one by one, so that the text is never in memory as a whole."""
    for line in io.TextIOWrapper(io.BytesIO(content), encoding, errors="replace", newline=""):
        yield line.replace("\x00", "")


def _rows(lines: Iterator[str], separator: str, first: int = 1) -> Rows:
    reader = csv.reader(lines, delimiter=separator)
    try:
        yield from enumerate(reader, start=first)
    except csv.Error as error:
        raise RefusedError("", f"is not CSV at line {reader.line_num}: {error}") from None


def _sheets(content: bytes) -> Iterator[Rows]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        if sum(part.file_size for part in packed.infolist()) > MAX_EXPANDED_BYTES:
            raise RefusedError("", f"unpacks to more than {MAX_EXPANDED_BYTES} bytes; save the sheet as CSV")
    try:
        workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    except (InvalidFileException, KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise RefusedError("", f"is no workbook that can be read ({type(error).__name__}); save it as CSV") from None
    yield from map(_sheet_rows, workbook.worksheets)


def _sheet_rows(sheet: Any) -> Rows:
    """Yield the rows of a sheet that hold a value."""
    # The library would fill every row up to the stated size, which may be a million rows of 16,384 columns.
    sheet.reset_dimensions()
    cells = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        cells += len(row)
        if number > MAX_ROWS or cells > MAX_CELLS:
            raise RefusedError("", f"has more than {MAX_ROWS:,} rows or {MAX_CELLS:,} cells; save the table as CSV")
        if _is_empty(row):
            continue
        if not _is_empty(row[MAX_COLUMNS:]):
            raise RefusedError("", f"has a value to the right of column {MAX_COLUMNS} in row {number}; delete it")
        yield number, [_text(value) for value in row[:MAX_COLUMNS]]


def _is_empty(row: Sequence[object]) -> bool:
    # A million rows are counted, so this does not look at each value in Python.
    return row.count(None) == len(row)


def _text(value: object) -> str:
    """Return a cell's value as a CSV would hold it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
