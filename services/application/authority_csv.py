"""The register of authorities as a CSV file. The reader reports each invalid line with its reason."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from matching.reference import authority as known_authority
from services.application import csv_table
from services.application.csv_table import FieldError, Line, Problem
from services.store import authorities as register
from services.store.authorities import Authority, AuthorityUpdate, Mutes


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


def _codes(text: str) -> frozenset[str]:
    return frozenset(csv_table.code(part) for part in text.replace(";", " ").split())


def _opportunities(text: str) -> frozenset[str]:
    parts = frozenset(text.replace(";", " ").split())
    if any(len(part) != 32 or not set(part) <= set("0123456789abcdef") for part in parts):
        raise FieldError("holds something that is not an opportunity id (32 hexadecimal digits)")
    return parts


COLUMNS: Final[Mapping[str, Callable[[str], Any]]] = {
    "authority": csv_table.code,
    "name": csv_table.words(200),
    "mailbox": _mailbox,
    "immediate": _switch,
    "digest": _switch,
    "confirmations": _switch,
    "benchmarks": _switch,
    "coalitions": _switch,
    "paused_until": csv_table.day,
    "signed_on": csv_table.day,
    "lapsed_on": csv_table.day,
    "withdrawn_on": csv_table.day,
    "muted_partners": _codes,
    "muted_opportunities": _opportunities,
}
"""The columns of the CSV file. Only `authority` is required; an omitted column changes nothing."""


def read(text: str) -> Iterator[AuthorityUpdate | Problem]:
    """Return the entries of a CSV file, and its invalid lines. Raises FileError if the header is invalid."""
    lines = csv_table.read_lines(text, COLUMNS, ("authority",))
    for line in csv_table.refuse_repeated(lines, "authority", lambda found: found.values["authority"]):
        yield _entry(line) if isinstance(line, Line) else line


def _entry(line: Line) -> AuthorityUpdate:
    fields = line.values
    code = fields.pop("authority")
    partners, opportunities = fields.pop("muted_partners", None), fields.pop("muted_opportunities", None)
    if not fields.get("name", "given"):
        fields["name"] = known_name(code)
    return AuthorityUpdate(code, fields, partners, opportunities)


def known_name(code: str) -> str:
    """Return the authority's name, or its code if unknown."""
    known = known_authority(code)
    return known.name if known else code


def to_csv(rows: Any, mutes: Mapping[str, Mutes]) -> str:
    """Write authorities as CSV."""
    lines = [[_cell(name, row, mutes.get(row.authority, Mutes())) for name in COLUMNS] for row in rows]
    return csv_table.to_text(COLUMNS, lines)


def _cell(name: str, row: Authority, muted: Mutes) -> str:
    if name == "muted_partners":
        return " ".join(sorted(muted.partners))
    if name == "muted_opportunities":
        return " ".join(sorted(muted.opportunities))
    value = getattr(row, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
