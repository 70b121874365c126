"""Merges rows of a register that describe one contract: the reference is repeated for each supplier, lot or
department."""

from collections.abc import Iterable, Sequence

from services.ingest.register import cells
from services.ingest.register.headings import Row
from services.ingest.register.incumbent import suppliers

JOINED = "rows of one contract were joined to one"


def of_one_contract(rows: Iterable[tuple[str, Row]]) -> list[list[tuple[str, Row]]]:
    """Group rows with one reference, with their places, by contract: same title, same days."""
    contracts: dict[tuple[str, ...], list[tuple[str, Row]]] = {}
    for where, row in rows:
        title = " ".join(row.get("title", "").casefold().split())
        days = tuple(row.get(thing, "") for thing in ("start", "end", "extension_end"))
        contracts.setdefault((title, *days), []).append((where, row))
    return list(contracts.values())


def join(rows: Sequence[Row]) -> tuple[Row, tuple[str, ...]]:
    """Merge the rows of one contract, and return the assumptions: all suppliers, and the total paid to them."""
    joined, notes = dict(rows[0]), []
    for row in rows[1:]:
        joined |= {thing: cell for thing, cell in row.items() if cell and not joined.get(thing)}
    if named := suppliers("; ".join(row.get("supplier", "") for row in rows)):
        joined["supplier"] = named
    for thing in ("value", "annual_value"):
        stated = [cell for row in rows if not cells.says_nothing(cell := row.get(thing, ""))]
        if len(set(stated)) > 1:
            total, note = _sum(stated)
            joined[thing] = total
            notes.append(note)
    return joined, tuple(notes)


def _sum(stated: Sequence[str]) -> tuple[str, str]:
    amounts = [cells.money(cell) for cell in stated]
    known = [money.amount for money in amounts if money.amount]
    if len(known) < len(amounts) or len({money.annual for money in amounts}) > 1:
        return "", "different values of one contract were left out, since they can't be added"
    unit = " per annum" if amounts[0].annual else ""
    return f"{sum(known):.2f}{unit}", "values of rows of one contract were added"
