"""Derives the tender window of a register's row from the dates of its contract or of its pipeline entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from events.fields import Window
from matching.calendar import add_months
from services.ingest.dates import is_sentinel, months_between, register_days, window_before
from services.ingest.entries import RefusedError
from services.ingest.register import cells
from services.ingest.register.column_mapping import WindowRule

EXPIRED_MONTHS: Final = 3
"""A contract still counts as running this long after its end: registers are updated late, and services continue."""

_ENDLESS: Final = (
    "ongoing", "on going", "on-going", "rolling", "open ended", "no end date", "perpetual", "evergreen", "indefinite",
    "until terminated", "continuous", "no expiry", "permanent",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates of a row. `term_months` is the contract length that its value is for; `current_end` the last day of the
    current contract."""

    window: Window
    contract: dict[str, Any]
    term_months: int | None
    notes: tuple[str, ...]
    expired: bool = False
    current_end: date | None = None


def read(row: Mapping[str, str], rule: WindowRule, as_of: date | None, *, pipeline: bool) -> Dates:
    """Return the window and the next contract. Raises RefusedError if no date gives the window."""
    notes: list[str] = []
    start = _day(row, "start", notes, required=False)
    if pipeline:
        return _of_pipeline(row, rule, start, notes)
    end = _end(row, start, notes)
    months = _option_months(row, start, end, notes)
    if start and end and start > end:
        raise RefusedError("end", f"({end}) is before the start ({start})")
    span = _span(start, end)
    if end and as_of and months and end < as_of:
        end, months = add_months(end, months), 0
        notes.append("a contract past its first end was taken to run until the end of its extension")
    contract = {"start": end + timedelta(days=1) if end else None, "extension_months": months}
    expired = bool(end and as_of and add_months(end, EXPIRED_MONTHS) < as_of)
    if stated := _stated_window(row, notes):
        return Dates(stated, contract, span, tuple(notes), expired, end)
    if end is None:
        raise RefusedError("end", _no_end(row))
    if as_of and not expired and add_months(end, -rule.latest_months_before_end) < as_of:
        notes.append("the tender window has passed: nobody can join any more")
    window = window_before(end, rule.earliest_months_before_end, rule.latest_months_before_end)
    notes.append(
        f"tender window taken to be {rule.earliest_months_before_end} to {rule.latest_months_before_end} months before "
        "the contract ends"
    )
    return Dates(window, contract, span, tuple(notes), expired, end)


def _of_pipeline(row: Mapping[str, str], rule: WindowRule, start: date | None, notes: list[str]) -> Dates:
    begins = _day(row, "next_start", notes, required=False) or start
    parts = cells.durations(row.get("term", "")) or ()
    term = parts[0] if parts else None
    ends = add_months(begins, term) - timedelta(days=1) if begins and term else None
    contract = {"start": begins, "end": ends}
    if stated := _stated_window(row, notes):
        return Dates(stated, contract, term, tuple(notes))
    if begins is None:
        raise RefusedError("tender_earliest", "is empty, and no start of the contract says when it is tendered")
    notes.append(
        f"tender window taken to be {rule.earliest_months_before_end} to {rule.latest_months_before_end} months before "
        "the contract starts"
    )
    window = window_before(begins, rule.earliest_months_before_end, rule.latest_months_before_end)
    return Dates(window, contract, term, tuple(notes))


def _end(row: Mapping[str, str], start: date | None, notes: list[str]) -> date | None:
    """Return the first end of the contract: as stated, else from its term, else the end of its extension."""
    stated = _stated_window_named(row)
    if end := _day(row, "end", notes, required=not stated and "end" in row, last=True):
        return end
    parts = cells.durations(row.get("term", "")) or ()
    if start and parts and parts[0] and not _is_endless(row.get("end", "")):
        notes.append("the end was taken to be the start and the term")
        return add_months(start, parts[0]) - timedelta(days=1)
    return _day(row, "extension_end", notes, required=False, last=True)


def _option_months(row: Mapping[str, str], start: date | None, end: date | None, notes: list[str]) -> int:
    """Return the months by which the contract may still be extended after its first end."""
    if end is None:
        return 0
    extended = _day(row, "extension_end", notes, required=False, last=True)
    if extended and extended != end:
        return months_between(end, extended)
    cell = row.get("extension_months", "").removesuffix(".0")
    span = _span(start, end)
    if cells.says_nothing(cell):
        term = cells.durations(row.get("term", "")) or ()
        return sum(term[1:]) if term and span == term[0] else 0
    if (parts := cells.durations(cell)) is not None:
        return min(120, cells.option_months(parts, span))
    if days := register_days(cell):
        return months_between(end, days[1])
    notes.append("an extension that is no number of months was left out")
    return 0


def _span(start: date | None, end: date | None) -> int | None:
    """Return the whole months of a contract, from its first day to its last."""
    return months_between(start, end + timedelta(days=1)) if start and end and start < end else None


def _stated_window_named(row: Mapping[str, str]) -> bool:
    return any(not cells.says_nothing(row.get(thing, "")) for thing in ("tender_earliest", "tender_latest"))


def _stated_window(row: Mapping[str, str], notes: list[str]) -> Window | None:
    earliest = _days(row, "tender_earliest", notes, required=True)
    latest = _days(row, "tender_latest", notes, required=True)
    if not (earliest or latest):
        return None
    first = (earliest or latest or (None, None))[0]
    last = (latest or earliest or (None, None))[1]
    assert first
    assert last
    if first > last:
        raise RefusedError("tender_latest", f"({last}) is before tender_earliest ({first})")
    return Window(earliest=first, latest=last)


def _day(row: Mapping[str, str], thing: str, notes: list[str], *, required: bool, last: bool = False) -> date | None:
    days = _days(row, thing, notes, required=required)
    return days[last] if days else None


def _days(row: Mapping[str, str], thing: str, notes: list[str], *, required: bool) -> tuple[date, date] | None:
    """Parse the days of a cell; None if it is empty, endless or a placeholder. An unreadable cell loses its field, or
    its row if the field is required."""
    cell = row.get(thing, "")
    if cells.says_nothing(cell) or _is_endless(cell):
        return None
    if days := register_days(cell):
        if is_sentinel(days[1]):
            notes.append(f"{days[1]:%d/%m/%Y} was read as a placeholder for no date")
            return None
        return days
    if required:
        raise RefusedError(thing, f"'{cell[:40]}' is not a day; write it as 31/03/2027 or 2027-03-31")
    notes.append(f"a {thing.replace('_', ' ')} that is no day was left out")
    return None


def _is_endless(cell: str) -> bool:
    return cell.lower().strip(" .").startswith(_ENDLESS)


def _no_end(row: Mapping[str, str]) -> str:
    cell = row.get("end", "")
    said = f"is '{cell[:40]}', which is no end" if cell else "is empty"
    return f"{said}: a contract without an end needs tender dates of its own to be a plan"
