"""Parties as a CSV file: one line per membership, or one line with an empty `authority` if there are none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matching.reference import authority as known_authority
from services.application import csv_table
from services.application.csv_table import Columns, FieldError, Line, Problem
from services.domain.parties import Membership, Party, PartyKind
from services.store.authorities import AddressError, valid_mailbox


def _party(cell: str) -> str:
    code = csv_table.code(cell)
    if known_authority(code):
        raise FieldError("is a council's code; a party needs an org-id of its own, such as GB-COH-01234567")
    return code


def _kind(cell: str) -> PartyKind:
    try:
        return PartyKind(cell.lower())
    except ValueError:
        raise FieldError(f"must be one of {', '.join(PartyKind)}") from None


def _mailbox(cell: str) -> str | None:
    try:
        return valid_mailbox(cell) if cell else None
    except AddressError as error:
        raise FieldError(str(error)) from None


def _member(cell: str) -> str:
    return csv_table.code(cell) if cell else ""


COLUMNS: Final[Columns] = {
    "party": _party,
    "kind": _kind,
    "name": csv_table.words(200, needed=True),
    "mailbox": _mailbox,
    "authority": _member,
    "joined_on": csv_table.day,
    "left_on": csv_table.day,
}
"""The columns of the CSV file. Without a `mailbox` column, mailboxes do not change."""

REQUIRED: Final = ("party", "kind", "name", "authority", "joined_on")


@dataclass(frozen=True, slots=True)
class PartyEntry:
    """A party from a file, and its fields for the register: its name, and its mailbox if the file has the column."""

    party: Party
    fields: Mapping[str, Any]


def read(text: str) -> list[PartyEntry] | list[Problem]:
    """Read the parties of a CSV file, or the problems of its lines. Raises FileError if the header is invalid.

    One invalid line rejects the file: a party with half of its members would be wrong.
    """
    first: dict[str, Mapping[str, Any]] = {}
    members: dict[str, list[Membership]] = {}
    read_so_far = list(csv_table.read_lines(text, COLUMNS, REQUIRED))
    tried = [line if isinstance(line, Problem) else _add(line, first, members) for line in read_so_far]
    problems = [one for one in tried if one is not None]
    return problems or [_entry(values, members[code]) for code, values in first.items()]


def to_csv(parties: Sequence[Party], mailboxes: Mapping[str, str | None]) -> str:
    """Write parties in the format that `read` reads; without parties, only the header."""
    rows = []
    for one in parties:
        about = [one.party, one.kind.value, one.name, mailboxes.get(one.party) or ""]
        rows += [[*about, *_cells(member)] for member in one.memberships] or [[*about, "", "", ""]]
    return csv_table.to_text(COLUMNS, rows)


def _add(line: Line, first: dict[str, Mapping[str, Any]], members: dict[str, list[Membership]]) -> Problem | None:
    """Add one line; return its problem, if it has one."""
    values = line.values
    known = first.setdefault(values["party"], values)
    differs = next((name for name in ("kind", "name", "mailbox") if known.get(name) != values.get(name)), None)
    if differs:
        return Problem(line.number, differs, "is not what an earlier line of the same party says")
    so_far = members.setdefault(values["party"], [])
    joined, left = values["joined_on"], values.get("left_on")
    if not values["authority"]:
        return Problem(line.number, "authority", "is empty, and the line has a day") if joined or left else None
    if joined is None or (left is not None and left <= joined):
        return Problem(line.number, "joined_on", "is empty, or not before left_on")
    one = Membership(values["authority"], joined, left)
    if any(other.authority == one.authority and other.overlaps(one) for other in so_far):
        return Problem(line.number, "joined_on", "overlaps an earlier line's membership of the same authority")
    so_far.append(one)
    return None


def _entry(values: Mapping[str, Any], members: Sequence[Membership]) -> PartyEntry:
    in_order = tuple(sorted(members, key=lambda one: (one.authority, one.joined_on)))
    party = Party(values["party"], values["kind"], values["name"], in_order)
    return PartyEntry(party, {name: values[name] for name in ("name", "mailbox") if name in values})


def _cells(one: Membership) -> list[str]:
    return [one.authority, one.joined_on.isoformat(), one.left_on.isoformat() if one.left_on else ""]
