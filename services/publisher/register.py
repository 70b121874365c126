"""A council's contract register as CSV: each contract that will end is the plan to replace it."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from events.fields import AUTHORITY_PATTERN, Window
from events.plans import PlanPublished
from matching import reference
from matching.reference import authority_names
from services.publisher.buyers import identify_name, standing
from services.publisher.dates import months_between, register_day, window_before
from services.publisher.mapping import RegisterMapping, positions
from services.publisher.reading import (
    MAX_FILE_BYTES,
    Accepted,
    Options,
    Read,
    RefusedError,
    Rejected,
    own,
    plain,
    plan_id,
    validated,
    whole,
)

HEADING_ROWS: Final = 20
"""Registers often begin with a title and notes: the headings are looked for in so many rows."""

_UNKNOWN: Final = {"", "-", "n/a", "na", "nil", "none", "tbc", "tbd", "unknown", "not known", "not applicable"}
_MONEY = re.compile(
    r"(?:GBP|£)?\s*(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?\s*(k|m|million|thousand)?\s*(?:GBP)?", re.IGNORECASE
)
_FACTORS: Final = {"": 1, "k": 1_000, "thousand": 1_000, "m": 1_000_000, "million": 1_000_000}

_Rows = Iterator[tuple[int, list[str]]]
Row = Mapping[str, str]
"""The cells of one row that mean something, by what they mean."""


def read_register(file: Path, options: Options, mapping: RegisterMapping) -> Iterator[Read]:
    """Reads every row below the headings. Rows are numbered as a spreadsheet numbers them."""
    # One cell may be as long as the file: the row is then refused for it, and the rest goes on.
    csv.field_size_limit(MAX_FILE_BYTES)
    try:
        rows, at = _table(_decoded(whole(file)), mapping)
        for number, cells in rows:
            if any(cell.strip() for cell in cells):
                row = {thing: cells[position].strip() for thing, position in at.items() if position < len(cells)}
                yield _read(file.name, f"row {number}", row, options, mapping)
    except RefusedError as refused:
        yield Rejected(file.name, "file", refused.field, refused.reason)


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")  # what Excel writes on Windows


def _table(text: str, mapping: RegisterMapping) -> tuple[_Rows, dict[str, int]]:
    """The rows below the headings and what stands in which column, by the first separator that gives headings.
    Raises RefusedError."""
    for separator in ",;\t":
        rows = _rows(text, separator)
        if at := _headings(rows, mapping):
            if not at.keys() & {"end", "tender_earliest", "tender_latest"}:
                raise RefusedError("end", "no column says when a contract ends; name it in a --mapping file")
            return rows, at
    raise RefusedError(
        "", f"has no headings for reference and title in its first {HEADING_ROWS} rows; name them in a --mapping file"
    )


def _rows(text: str, separator: str) -> _Rows:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        yield from enumerate(reader, start=1)
    except csv.Error as error:
        raise RefusedError("", f"is not CSV at line {reader.line_num}: {error}") from None


def _headings(rows: _Rows, mapping: RegisterMapping) -> dict[str, int] | None:
    for _, cells in islice(rows, HEADING_ROWS):
        at = positions(mapping.columns, cells)
        if {"reference", "title"} <= at.keys():
            return at
    return None


def _read(file: str, where: str, row: Row, options: Options, mapping: RegisterMapping) -> Read:
    identity: str | None = None
    try:
        authority = _authority(row, options, mapping)
        if not row.get("reference"):
            raise RefusedError("reference", "is empty; each contract needs its own")
        identity = plan_id(authority, row["reference"])
        fields: dict[str, Any] = {
            "plan_id": identity,
            "revision": _whole_number(row, "revision") or 1,
            "authority": authority,
            "title": plain(row.get("title", "")),
            "description": _description(row),
            "kind": row.get("kind", "").lower() or mapping.defaults.kind,
            "stage": row.get("stage", "").lower() or mapping.defaults.stage,
            "sharing": row.get("sharing", "").lower() or mapping.defaults.sharing,
            "cpv": re.findall(r"\b\d{8}(?:-\d)?\b", row.get("cpv", "")),
            "value": _value(row, mapping),
            "regions": _regions(row),
        }
        window, contract, rule = _when(row, mapping)
        notes = (rule,) if rule else ()
        payload = own(validated(PlanPublished, fields | {"tender_window": window, "contract": contract}), options)
        return Accepted(file, where, payload, notes, numbered="revision" in row)
    except RefusedError as refused:
        return Rejected(file, where, refused.field, refused.reason, identity)


def _authority(row: Row, options: Options, mapping: RegisterMapping) -> str:
    named = row.get("authority", "")
    known = authority_names.identify_code("", named) or (identify_name(named) if named else None)
    if known:
        return standing(known)
    if named:
        if re.match(AUTHORITY_PATTERN, named) and "-" in named:
            return named
        raise RefusedError("authority", f"'{named[:80]}' is neither a code nor the name of an authority")
    if code := options.authority or mapping.defaults.authority:
        return code
    raise RefusedError("authority", "is not given; say whose register this is with --authority CODE")


def _description(row: Row) -> str:
    description = row.get("description", "")
    department = row.get("department", "")
    if len(description) > 20_000:
        raise RefusedError("description", f"has {len(description)} characters; 20000 are the most")
    return plain("\n".join(part for part in (description, f"For: {department}" if department else "") if part))


def _when(row: Row, mapping: RegisterMapping) -> tuple[Window, dict[str, Any], str | None]:
    """The tender window, the dates of the contract to come, and the rule where one made the window."""
    start, end = _day(row, "start"), _day(row, "end")
    if start and end and start > end:
        raise RefusedError("end", f"({end}) is before the start ({start})")
    months = _whole_number(row, "extension_months") or 0
    if end and (extended := _day(row, "extension_end")):
        months = months_between(end, extended)
    contract = {"start": end + timedelta(days=1) if end else None, "extension_months": months}
    earliest, latest = _day(row, "tender_earliest"), _day(row, "tender_latest")
    if earliest or latest:
        first, last = earliest or latest, latest or earliest
        assert first
        assert last
        if first > last:
            raise RefusedError("tender_latest", f"({last}) is before tender_earliest ({first})")
        return Window(earliest=first, latest=last), contract, None
    if end is None:
        raise RefusedError("end", "is empty: a contract without an end needs tender dates of its own to be a plan")
    rule = mapping.window
    window = window_before(end, rule.earliest_months_before_end, rule.latest_months_before_end)
    sentence = (
        f"tender window taken to be {rule.earliest_months_before_end} to {rule.latest_months_before_end} months before "
        "the contract ends"
    )
    return window, contract, sentence


def _day(row: Row, thing: str) -> date | None:
    cell = row.get(thing, "")
    if cell.lower() in _UNKNOWN:
        return None
    if day := register_day(cell):
        return day
    raise RefusedError(thing, f"'{cell[:40]}' is not a day; write it as 31/03/2027 or 2027-03-31")


def _value(row: Row, mapping: RegisterMapping) -> dict[str, Any] | None:
    cell = row.get("value", "")
    if cell.lower() in _UNKNOWN:
        return None
    match = _MONEY.fullmatch(cell)
    if not match:
        raise RefusedError("value", f"'{cell[:40]}' is not an amount such as £1,250,000; leave it empty if unknown")
    amount = float(match[1].replace(",", "") + (match[2] or "")) * _FACTORS[(match[3] or "").lower()]
    return {"amount": amount, "currency": mapping.defaults.currency} if amount else None


def _whole_number(row: Row, thing: str) -> int | None:
    cell = row.get(thing, "").removesuffix(".0")
    if cell.lower() in _UNKNOWN:
        return None
    if cell.isascii() and cell.isdigit() and len(cell) <= 16:
        return int(cell)
    raise RefusedError(thing, f"'{cell[:40]}' is not a whole number")


def _regions(row: Row) -> tuple[str, ...]:
    parts = re.split(r"[|;,/\s]+", row.get("regions", ""))
    return tuple(dict.fromkeys(code for part in parts if part for code in reference.normalise_region(part)))[:50]
