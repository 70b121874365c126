"""Reads a council's contract register or procurement pipeline: each ending contract is a plan for its successor."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from events.fields import AUTHORITY_PATTERN
from events.plans import PlanPublished
from matching import reference
from matching.reference import authority_names
from services.ingest.buyers import current_code, identify_name
from services.ingest.entries import (
    AcceptedEntry,
    Entry,
    Options,
    RefusedError,
    RejectedEntry,
    SkippedEntry,
    build_payload,
    plain,
    plan_id,
    read_limited,
    require_owner,
)
from services.ingest.register import amounts, cells, dates, shared_references
from services.ingest.register.column_mapping import RegisterMapping
from services.ingest.register.headings import Row, Table, find_table
from services.ingest.register.incumbent import current_contract

_CPV: Final = re.compile(r"\b\d{8}(?:-\d)?\b")


def read_register(file: Path, options: Options, mapping: RegisterMapping) -> Iterator[Entry]:
    """Read every row below the headings. Row numbers are the spreadsheet's."""
    try:
        content = read_limited(file)
        reader = _Reader(file.name, find_table(content, mapping), options, mapping)
        # Two passes over the rows, so that only rows with a shared reference are kept in memory.
        shared = _shared_references(find_table(content, mapping))
        yield from reader.entries(shared)
    except RefusedError as refused:
        yield RejectedEntry(file.name, "file", refused.field, refused.reason)


def _shared_references(table: Table) -> Counter[str]:
    """Count the rows of each reference that appears on more than one."""
    if "reference" not in table.at:
        return Counter()
    counts: Counter[str] = Counter()
    for _, cells_of_row in table.rows:
        row = table.row(cells_of_row)
        if (named := _stated(row)) and not table.is_no_entry(cells_of_row, row):
            counts[named] += 1
    return Counter({named: count for named, count in counts.items() if count > 1})


@dataclass(frozen=True)
class _Reader:
    """Reads the rows of one file."""

    file: str
    table: Table
    options: Options
    mapping: RegisterMapping

    def entries(self, shared: Counter[str]) -> Iterator[Entry]:
        waiting: dict[str, list[tuple[str, Row]]] = {}
        for number, cells_of_row in self.table.rows:
            if not any(cell.strip() for cell in cells_of_row):
                continue
            row, where = self.table.row(cells_of_row), f"row {number}"
            if reason := self.table.is_no_entry(cells_of_row, row):
                yield SkippedEntry(self.file, where, reason)
            elif (named := _stated(row)) not in shared:
                yield self._entry(where, row)
            else:
                rows = waiting.setdefault(named, [])
                rows.append((where, row))
                if len(rows) == shared[named]:
                    yield from self._joined(waiting.pop(named))

    def _joined(self, rows: list[tuple[str, Row]]) -> Iterator[Entry]:
        for contract in shared_references.of_one_contract(rows):
            (where, first), others = contract[0], contract[1:]
            if all(row == first for _, row in others):
                yield from (self._entry(place, row) for place, row in contract)
                continue
            row, notes = shared_references.join([row for _, row in contract])
            entry = self._entry(where, row, notes)
            yield entry
            plan = entry.payload.plan_id if isinstance(entry, AcceptedEntry) else entry.plan_id
            yield from (SkippedEntry(self.file, place, shared_references.JOINED, plan) for place, _ in others)

    def _entry(self, where: str, row: Row, notes: Sequence[str] = ()) -> Entry:
        """Convert one row to a plan, a refusal, or a skipped entry."""
        identity: str | None = None
        try:
            authority = _authority(row, self.options, self.mapping)
            named = _reference(row, self.table)
            identity = plan_id(authority, named)
            when = dates.read(row, self.mapping.window, self.options.as_of, pipeline=self.table.pipeline)
            if when.expired:
                return SkippedEntry(self.file, where, "contracts that have expired were not published", identity)
            paid = amounts.read(row, when.term_months)
            fields = self._fields(row, named, when, paid) | {"plan_id": identity, "authority": authority}
            payload = require_owner(build_payload(PlanPublished, fields), self.options)
            found = (*when.notes, *paid.notes, *_cpv_notes(row), *notes)
            return AcceptedEntry(self.file, where, payload, found, numbered="revision" in row)
        except RefusedError as refused:
            return RejectedEntry(self.file, where, refused.field, refused.reason, identity)

    def _fields(self, row: Row, named: str, when: dates.Dates, paid: amounts.Amounts) -> dict[str, Any]:
        defaults = self.mapping.defaults
        return {
            "revision": _revision(row),
            "title": " ".join(plain(row.get("title", "")).split()),
            "description": _description(row),
            "kind": row.get("kind", "").lower() or defaults.kind or ("new" if self.table.pipeline else "renewal"),
            "stage": row.get("stage", "").lower() or defaults.stage,
            "sharing": row.get("sharing", "").lower() or defaults.sharing,
            "cpv": _CPV.findall(row.get("cpv", "")),
            "value": amounts.money(paid.whole, defaults.currency),
            "regions": _regions(row),
            "tender_window": when.window,
            "contract": when.contract,
            "current_contract": current_contract(row, named, when, paid, defaults.currency),
        }


def _cpv_notes(row: Row) -> tuple[str, ...]:
    cell = row.get("cpv", "")
    if cells.says_nothing(cell) or _CPV.search(cell):
        return ()
    return ("a CPV code without eight digits was left out",)


def _stated(row: Row) -> str:
    """Return the row's reference. A whole number that a spreadsheet turned into a decimal is restored."""
    return re.sub(r"\A(\d+)\.0\Z", r"\1", row.get("reference", ""))


def _reference(row: Row, table: Table) -> str:
    """Return the row's own reference; in a pipeline without one, a stable one built from the need and its owner."""
    if "reference" not in table.at and table.pipeline:
        described = "\n".join(row.get(thing, "").casefold() for thing in ("title", "department"))
        words = re.sub(r"[^a-z0-9]+", "-", row.get("title", "").lower()).strip("-")[:40].rstrip("-")
        return f"{words or 'plan'}-{hashlib.sha256(described.encode('utf-8', 'replace')).hexdigest()[:8]}"
    stated = _stated(row)
    if not stated:
        raise RefusedError("reference", "is empty; each contract needs its own")
    if cells.says_nothing(stated):
        raise RefusedError(
            "reference", f"is '{stated[:40]}', which means that there is none; each contract needs its own"
        )
    return stated


def _authority(row: Row, options: Options, mapping: RegisterMapping) -> str:
    named = row.get("authority", "")
    known = authority_names.identify_code("", named) or (identify_name(named) if named else None)
    if known:
        return current_code(known)
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


def _regions(row: Row) -> tuple[str, ...]:
    parts = re.split(r"[|;,/\s]+", row.get("regions", ""))
    codes = (code for part in parts if part for code in reference.normalise_region(part))
    # The whole country is a system's default; the authority's own area is more precise.
    return tuple(dict.fromkeys(code for code in codes if code != "UK"))[:50]
