"""A council's contract register or procurement pipeline: each contract that will end is the plan to replace it."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from events.fields import AUTHORITY_PATTERN
from events.plans import PlanPublished
from matching import reference
from matching.reference import authority_names
from services.ingest.buyers import identify_name, standing
from services.ingest.entries import (
    Accepted,
    Options,
    Read,
    RefusedError,
    Rejected,
    Skipped,
    own,
    plain,
    plan_id,
    validated,
    whole,
)
from services.ingest.register import cells, dates
from services.ingest.register.column_mapping import RegisterMapping, positions, suggestions
from services.ingest.register.tabular import Rows, tables

HEADING_ROWS: Final = 20
"""Registers often begin with a title and notes: the headings are looked for in so many rows."""

MAX_POUNDS: Final = 1e12

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


def read_register(file: Path, options: Options, mapping: RegisterMapping) -> Iterator[Read]:
    """Reads every row below the headings. Rows are numbered as a spreadsheet numbers them."""
    try:
        table = _table(whole(file), mapping)
        for number, row in table.rows:
            if any(cell.strip() for cell in row):
                yield _entry(file.name, f"row {number}", row, table, options, mapping)
    except RefusedError as refused:
        yield Rejected(file.name, "file", refused.field, refused.reason)


def _table(content: bytes, mapping: RegisterMapping) -> Table:
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


def _entry(
    file: str, where: str, cells_of_row: Sequence[str], table: Table, options: Options, mapping: RegisterMapping
) -> Read:
    """One row: a plan, a refusal, or nothing that anybody plans."""
    row = {
        thing: cells.repaired(cells_of_row[position]).strip()
        for thing, position in table.at.items()
        if position < len(cells_of_row)
    }
    if reason := _no_plan(cells_of_row, row, table):
        return Skipped(file, where, reason)
    identity: str | None = None
    try:
        authority = _authority(row, options, mapping)
        identity = plan_id(authority, _reference(row, table))
        return _plan(file, where, row, (authority, identity), table, options, mapping)
    except RefusedError as refused:
        return Rejected(file, where, refused.field, refused.reason, identity)


def _no_plan(cells_of_row: Sequence[str], row: Row, table: Table) -> str | None:
    """Why a row is no entry at all: a heading of a section, the headings again, or totals."""
    if list(cells_of_row) == list(table.headings):
        return "headings that are repeated were skipped"
    if any(cells.is_total(row.get(thing, "")) for thing in ("reference", "title")):
        return "rows of totals were skipped"
    filled = [cell for cell in cells_of_row if cell.strip()]
    if len(filled) == 1 and len(table.headings) > 2 and not re.search(r"\d", filled[0]):
        return "headings of sections were skipped"
    return None


def _plan(
    file: str,
    where: str,
    row: Row,
    identity: tuple[str, str],
    table: Table,
    options: Options,
    mapping: RegisterMapping,
) -> Read:
    authority, plan = identity
    when = dates.read(row, mapping.window, options.as_of, pipeline=table.pipeline)
    if when.expired:
        return Skipped(file, where, "contracts that have expired were not published", plan)
    notes = list(when.notes)
    fields: dict[str, Any] = {
        "plan_id": plan,
        "revision": _revision(row),
        "authority": authority,
        "title": " ".join(plain(row.get("title", "")).split()),
        "description": _description(row),
        "kind": row.get("kind", "").lower() or mapping.defaults.kind or ("new" if table.pipeline else "renewal"),
        "stage": row.get("stage", "").lower() or mapping.defaults.stage,
        "sharing": row.get("sharing", "").lower() or mapping.defaults.sharing,
        "cpv": re.findall(r"\b\d{8}(?:-\d)?\b", row.get("cpv", "")),
        "value": _value(row, when.term_months, mapping, notes),
        "regions": _regions(row),
        "tender_window": when.window,
        "contract": when.contract,
    }
    payload = own(validated(PlanPublished, fields), options)
    return Accepted(file, where, payload, tuple(notes), numbered="revision" in row)


def _reference(row: Row, table: Table) -> str:
    """The row's own reference; in a pipeline without one, a stable one made of what and whose it is."""
    stated = row.get("reference", "")
    if "reference" not in table.at and table.pipeline:
        described = "\n".join(row.get(thing, "").casefold() for thing in ("title", "department"))
        words = re.sub(r"[^a-z0-9]+", "-", row.get("title", "").lower()).strip("-")[:40].rstrip("-")
        return f"{words or 'plan'}-{hashlib.sha256(described.encode('utf-8', 'replace')).hexdigest()[:8]}"
    if not stated:
        raise RefusedError("reference", "is empty; each contract needs its own")
    if cells.says_nothing(stated):
        raise RefusedError("reference", f"is '{stated[:40]}', which stands for none; each contract needs its own")
    return re.sub(r"(?<=\d)\.0\Z", "", stated) if re.fullmatch(r"\d+\.0", stated) else stated


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


def _revision(row: Row) -> int:
    cell = row.get("revision", "").removesuffix(".0")
    if cells.says_nothing(cell):
        return 1
    if cell.isascii() and cell.isdigit() and len(cell) <= 16:
        return int(cell)
    raise RefusedError("revision", f"'{cell[:40]}' is not a whole number")


def _description(row: Row) -> str:
    description = row.get("description", "")
    department = row.get("department", "")
    if len(description) > 20_000:
        raise RefusedError("description", f"has {len(description)} characters; 20000 are the most")
    return plain("\n".join(part for part in (description, f"For: {department}" if department else "") if part))


def _value(row: Row, term_months: int | None, mapping: RegisterMapping, notes: list[str]) -> dict[str, Any] | None:
    """What is paid over the whole term; an annual value times the term where that is known."""
    money = cells.money(row.get("value", ""))
    if money.amount is None and money.note is None:
        annual = cells.money(row.get("annual_value", ""))
        money = cells.Money(annual.amount, annual=True, note=annual.note)
    if money.note:
        notes.append(money.note)
    amount = money.amount
    if amount and money.annual:
        if not term_months:
            notes.append("an annual value was left out, since the term is not known")
            return None
        amount = round(amount * term_months / 12, 2)
    if amount and amount > MAX_POUNDS:
        notes.append("a value beyond a million million was left out")
        return None
    return {"amount": amount, "currency": mapping.defaults.currency} if amount else None


def _regions(row: Row) -> tuple[str, ...]:
    parts = re.split(r"[|;,/\s]+", row.get("regions", ""))
    codes = (code for part in parts if part for code in reference.normalise_region(part))
    # The whole country is what systems fill in by themselves: the authority's own area says more.
    return tuple(dict.fromkeys(code for code in codes if code != "UK"))[:50]
