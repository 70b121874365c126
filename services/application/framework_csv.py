"""Framework agreements as a CSV file, one line per lot."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from events.fields import AUTHORITY_PATTERN, canonical_authority
from matching.frameworks import REGION, AwardMethod, FrameworkLot
from services.application import csv_table
from services.application.csv_table import Columns, FieldError, Line, Problem

EVERYBODY: Final = "all"
_CPV: Final = re.compile(r"(\d{8})(-\d)?")
_MAX_CODES: Final = 500


def _codes(cell: str) -> tuple[str, ...]:
    found = [_CPV.fullmatch(part) for part in cell.replace(";", " ").split()]
    if len(found) > _MAX_CODES or not all(found):
        raise FieldError("holds something that is not a CPV code (8 digits), or more than 500 of them")
    return tuple(dict.fromkeys(match[1] for match in found if match))


def _entitled(cell: str) -> tuple[str, ...] | None:
    if not cell:
        return None
    if cell.lower() == EVERYBODY:
        return ()
    parts = cell.replace(";", " ").split()
    if len(parts) > _MAX_CODES or not all(REGION.fullmatch(p) or re.fullmatch(AUTHORITY_PATTERN, p) for p in parts):
        raise FieldError(f"must be '{EVERYBODY}', or codes of authorities and ITL regions with spaces between")
    return tuple(sorted({part if REGION.fullmatch(part) else canonical_authority(part) for part in parts}))


def _award(cell: str) -> AwardMethod:
    try:
        return AwardMethod(cell.lower() or AwardMethod.UNKNOWN)
    except ValueError:
        raise FieldError(f"must be one of {', '.join(AwardMethod)}") from None


def _fee(cell: str) -> float | None:
    try:
        fee = float(cell.rstrip("%")) if cell else None
    except ValueError:
        fee = -1.0
    if fee is not None and not 0 <= fee <= 100:
        raise FieldError("must be a percentage between 0 and 100")
    return fee


def _url(cell: str) -> str:
    if cell and not re.fullmatch(r"https://\S{1,290}", cell):
        raise FieldError("must be an address that begins with https://")
    return cell


COLUMNS: Final[Columns] = {
    "framework": csv_table.words(80, needed=True),
    "title": csv_table.words(300, needed=True),
    "owner": csv_table.words(200, needed=True),
    "lot": csv_table.words(40),
    "lot_title": csv_table.words(300),
    "scope": csv_table.words(20_000),
    "cpv": _codes,
    "starts": csv_table.needed_day,
    "ends": csv_table.day,
    "extended_until": csv_table.day,
    "entitled": _entitled,
    "award": _award,
    "fee_percent": _fee,
    "url": _url,
    "source": csv_table.words(500, needed=True),
}
"""The columns of the CSV file."""

REQUIRED: Final = ("framework", "title", "owner", "starts", "source")


def read(text: str) -> Iterator[FrameworkLot | Problem]:
    """Read the lots of a CSV file, and its invalid lines. Raises FileError if the header is invalid."""
    lines = csv_table.read_lines(text, COLUMNS, REQUIRED)
    for line in csv_table.refuse_repeated(lines, "lot", lambda one: (one.values["framework"], one.values.get("lot"))):
        yield _lot(line) if isinstance(line, Line) else line


def to_csv(lots: list[FrameworkLot]) -> str:
    """Write lots in the format that `read` reads; without lots, only the header."""
    return csv_table.to_text(COLUMNS, [[_cell(name, getattr(lot, name)) for name in COLUMNS] for lot in lots])


def _lot(line: Line) -> FrameworkLot | Problem:
    values: Mapping[str, Any] = line.values
    days: list[date] = [values[name] for name in ("starts", "ends", "extended_until") if values.get(name)]
    if days != sorted(days):
        return Problem(line.number, "ends", "lies before the start, or after the last extension")
    if values.get("extended_until") and not values.get("ends"):
        return Problem(line.number, "ends", "is empty, and extended_until is not")
    return FrameworkLot(**values)


def _cell(name: str, value: Any) -> str:
    if name == "entitled":
        return "" if value is None else " ".join(value) or EVERYBODY
    if isinstance(value, tuple):
        return " ".join(value)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
