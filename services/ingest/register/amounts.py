"""The amounts that a row says are paid: for the whole term, and per year."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.ingest.register import cells

MAX_POUNDS: Final = 1e12


@dataclass(frozen=True, slots=True)
class Amounts:
    """A contract's known value without VAT: for the whole term, and per year."""

    whole: float | None = None
    annual: float | None = None
    notes: tuple[str, ...] = ()


def read(row: Mapping[str, str], term_months: int | None) -> Amounts:
    """Return the amounts of a row. If the term is known, a missing one is computed from the other."""
    stated, yearly = cells.money(row.get("value", "")), cells.money(row.get("annual_value", ""))
    notes = [note for note in (stated.note, yearly.note if stated.amount is None else None) if note]
    annual = yearly.amount or (stated.amount if stated.annual else None)
    whole = None if stated.annual else stated.amount
    if whole is None and annual and stated.note is None:
        if term_months:
            whole = round(annual * term_months / 12, 2)
        else:
            notes.append("an annual value was left out, since the term is not known")
    if annual is None and whole and term_months:
        annual = round(whole * 12 / term_months, 2)
    if (whole or 0) > MAX_POUNDS or (annual or 0) > MAX_POUNDS:
        notes.append("a value beyond a million million was left out")
        whole = annual = None
    return Amounts(whole, annual, tuple(notes))


def money(amount: float | None, currency: str) -> dict[str, Any] | None:
    """Convert an amount to the form in plans; None if unknown."""
    return {"amount": amount, "currency": currency} if amount else None
