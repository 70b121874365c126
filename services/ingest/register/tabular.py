"""Read a spreadsheet as rows of cells: CSV in whatever dialect it was saved, or xlsx; packed by gzip or zip or not."""

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice
from typing import Final

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from services.ingest.entries import MAX_FILE_BYTES, RefusedError

Rows = Iterator[tuple[int, list[str]]]
"""Rows with the number that a spreadsheet gives them, from 1."""

SEPARATORS: Final = ",;\t|"
_SEPARATOR_LINE = re.compile(r'\A"?sep=(.)"?\r?\n', re.IGNORECASE)
_XLSX_MEMBER: Final = "xl/workbook.xml"
MAX_EXPANDED_BYTES: Final = 8 * MAX_FILE_BYTES
"""The most that the parts of an xlsx file may have once they are unpacked."""


def tables(content: bytes) -> Iterator[Rows]:
    """Every way to read the file as a table, the likeliest first. Raises RefusedError where it is none."""
    if is_xlsx(content):
        yield from _sheets(content)
        return
    # One cell may be as long as the file: its row is then refused, and the rest goes on.
    csv.field_size_limit(MAX_FILE_BYTES)
    text = _decoded(content).replace("\x00", "")
    if stated := _SEPARATOR_LINE.match(text):
        rest = text[stated.end() :]
        yield ((number + 1, cells) for number, cells in _rows(rest, stated[1]))
        return
    for separator in SEPARATORS:
        yield _rows(text, separator)


def is_xlsx(content: bytes) -> bool:
    """Whether the bytes are an xlsx workbook, which is a zip file of its own kind."""
    if not content.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return _XLSX_MEMBER in packed.namelist()
    except zipfile.BadZipFile:
        return False


def first_lines(rows: Rows, count: int) -> list[list[str]]:
    """The cells of the first rows that have any."""
    return list(islice((cells for _, cells in rows if any(cell.strip() for cell in cells)), count))


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    head = content[:1000]
    if len(head) > 3 and head[1::2].count(0) > 0.9 * len(head[1::2]):
        return content.decode("utf-16-le", "replace")
    if len(head) > 3 and head[0::2].count(0) > 0.9 * len(head[0::2]):
        return content.decode("utf-16-be", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")  # what Excel writes on Windows


def _rows(text: str, separator: str) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        yield from enumerate(reader, start=1)
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
    for sheet in workbook.worksheets:
        yield (
            (number, [_text(value) for value in row]) for number, row in enumerate(sheet.iter_rows(values_only=True), 1)
        )


def _text(value: object) -> str:
    """A cell's value as a CSV would hold it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
