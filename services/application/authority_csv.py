"""The register of authorities as a CSV file: read line by line, each wrong one with its reason; written alike."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from events.fields import AUTHORITY_PATTERN, canonical_authority
from matching.reference import authority as known_authority
from services.application import csv_cells
from services.store import authorities as register
from services.store.authorities import Authority, AuthorityUpdate, Mutes


class FieldError(ValueError):
    """One cell is wrong; the message says why and repeats no address."""


class FileError(ValueError):
    """The file as a whole can't be read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One line that was not imported."""

    line: int
    field: str
    reason: str


def _code(text: str) -> str:
    # The same pattern as on the wire, or nobody could ever be matched to it.
    if not re.fullmatch(AUTHORITY_PATTERN, text):
        raise FieldError("is not an authority code; expected a GSS code such as E08000035, or another org-id")
    return canonical_authority(text)


def _name(text: str) -> str:
    if len(text) > 200 or any(ord(c) < 32 for c in text):
        raise FieldError("is longer than 200 characters or holds control characters")
    return text


def _mailbox(text: str) -> str | None:
    if not text:
        return None
    try:
        return register.valid_mailbox(text)
    except register.AddressError as error:
        raise FieldError(str(error)) from None


def _switch(text: str) -> bool:
    if text.lower() in ("yes", "true", "on", "1", ""):
        return True
    if text.lower() in ("no", "false", "off", "0"):
        return False
    raise FieldError("is neither yes nor no")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise FieldError("is not a date; expected YYYY-MM-DD") from None


def _codes(text: str) -> frozenset[str]:
    return frozenset(_code(part) for part in text.replace(";", " ").split())


def _opportunities(text: str) -> frozenset[str]:
    parts = frozenset(text.replace(";", " ").split())
    if any(len(part) != 32 or not set(part) <= set("0123456789abcdef") for part in parts):
        raise FieldError("holds something that is not an opportunity id (32 hexadecimal digits)")
    return parts


COLUMNS: Final[Mapping[str, Callable[[str], Any]]] = {
    "authority": _code,
    "name": _name,
    "mailbox": _mailbox,
    "immediate": _switch,
    "digest": _switch,
    "paused_until": _day,
    "signed_on": _day,
    "lapsed_on": _day,
    "withdrawn_on": _day,
    "muted_partners": _codes,
    "muted_opportunities": _opportunities,
}
"""The columns of the CSV file. Only `authority` must be there; a column that is left out changes nothing."""


def read(text: str) -> Iterator[AuthorityUpdate | Problem]:
    """The entries of a CSV file, and the lines that are none. Raises FileError where the header is wrong."""
    rows = csv.DictReader(io.StringIO(text), restkey="", strict=True)
    try:
        names = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    except csv.Error as error:
        raise FileError(f"is not CSV: {error}") from None
    unknown = [name for name in names if name not in COLUMNS]
    if "authority" not in names or unknown or len(set(names)) != len(names):
        raise FileError(f"must begin with a header line of these columns, each once: {', '.join(COLUMNS)}")
    rows.fieldnames = names
    seen: dict[str, int] = {}
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(rows.line_num, "line", f"is not CSV: {error}")
            continue
        entry = _entry(row, rows.line_num)
        if isinstance(entry, AuthorityUpdate) and entry.authority in seen:
            yield Problem(rows.line_num, "authority", f"stands twice; line {seen[entry.authority]} was taken")
            continue
        if isinstance(entry, AuthorityUpdate):
            seen[entry.authority] = rows.line_num
        yield entry


def _entry(row: dict[str, Any], line: int) -> AuthorityUpdate | Problem:
    if "" in row:
        return Problem(line, "line", "has more cells than the header has columns")
    fields: dict[str, Any] = {}
    for name, cell in row.items():
        if cell is None:
            return Problem(line, name, "is missing; the line has fewer cells than the header has columns")
        try:
            fields[name] = COLUMNS[name](csv_cells.undefuse(cell).strip())
        except FieldError as error:
            return Problem(line, name, str(error))
    code = fields.pop("authority")
    partners, opportunities = fields.pop("muted_partners", None), fields.pop("muted_opportunities", None)
    if not fields.get("name", "given"):
        fields["name"] = known_name(code)
    return AuthorityUpdate(code, fields, partners, opportunities)


def known_name(code: str) -> str:
    """The name we know for a code, or the code."""
    known = known_authority(code)
    return known.name if known else code


def to_csv(rows: Any, mutes: Mapping[str, Mutes]) -> str:
    """Authorities as CSV."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(COLUMNS)
    for row in rows:
        lines.writerow([_cell(name, row, mutes.get(row.authority, Mutes())) for name in COLUMNS])
    return out.getvalue()


def _cell(name: str, row: Authority, muted: Mutes) -> str:
    if name == "muted_partners":
        return " ".join(sorted(muted.partners))
    if name == "muted_opportunities":
        return " ".join(sorted(muted.opportunities))
    value = getattr(row, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else csv_cells.defuse(str(value))
