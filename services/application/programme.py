"""The programme report and the register of signatories, for people and programs."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching.reference import display_name
from matching.text.formatting import format_date, sanitise_line
from services.application import csv_table
from services.application.csv_table import Columns, Line, Problem
from services.domain.programme.records import Signatory, status_on
from services.domain.programme.report import Measure, build_scene, measure_all, measure_sharing
from services.domain.programme.shares import PlanHistory, build_histories, stale
from services.domain.reorganisation import full_name_on
from services.store import programme as store
from services.store.authorities import AuthorityUpdate

SIGNATORY_COLUMNS: Final[Columns] = {
    "authority": csv_table.code,
    "name": csv_table.words(200),
    "position": csv_table.words(200),
    "signed_on": csv_table.day,
    "lapsed_on": csv_table.day,
    "withdrawn_on": csv_table.day,
}
"""The columns of the signatory register as CSV. `position` is an office, such as Chief Digital Officer, never a
name."""

_MONEY, _POUND = "pounds", "\u00a3"
_SINGULARS: Final = {"authorities": "authority"}


async def measures(
    session: AsyncSession, as_of: date, *, authority: str | None = None, rate: tuple[float, float] | None = None
) -> list[Measure]:
    """All measures as of a day; for one authority, the first principle's measures of itself."""
    scene = build_scene(await store.load_records(session), as_of, rate)
    return measure_sharing(scene, authority) if authority else measure_all(scene)


async def stale_plans(session: AsyncSession, as_of: date, authority: str | None) -> list[PlanHistory]:
    """Shared plans that their authorities have not confirmed for six months, oldest first."""
    records = await store.load_records(session)
    found = stale(build_histories(records.revisions, as_of).values(), as_of)
    return [one for one in found if authority in (None, one.authority)]


def read_signatories(text: str) -> Iterator[AuthorityUpdate | Problem]:
    """Read the signatories of a CSV file, and its invalid lines. Raises FileError if the header is invalid."""
    lines = csv_table.read_lines(text, SIGNATORY_COLUMNS, ("authority", "signed_on"))
    for line in csv_table.refuse_repeated(lines, "authority", lambda one: one.values["authority"]):
        yield _update(line) if isinstance(line, Line) else line


def signatories_csv(found: Sequence[Signatory]) -> str:
    """Write signatories in the format that `read_signatories` reads."""
    return csv_table.to_text(
        SIGNATORY_COLUMNS,
        [
            [one.authority, one.name, one.position, *map(_day, (one.signed_on, one.lapsed_on, one.withdrawn_on))]
            for one in found
        ],
    )


def signatory_json(one: Signatory, as_of: date) -> dict[str, Any]:
    """A signatory as JSON, for programs."""
    return {
        "authority": one.authority,
        "name": one.name,
        "position": one.position or None,
        "status": status_on(one, as_of).value,
        "signed_on": _day(one.signed_on) or None,
        "lapsed_on": _day(one.lapsed_on) or None,
        "withdrawn_on": _day(one.withdrawn_on) or None,
    }


def read_rate(text: str) -> tuple[float, float] | None:
    """Parse a range in per cent into fractions; None if the text is empty. Raises ValueError if it is invalid."""
    if not text:
        return None
    lower, _, upper = text.replace("%", "").partition("-")
    try:
        found = float(lower) / 100, float(upper or lower) / 100
    except ValueError:
        found = (-1.0, -1.0)
    if not 0 <= found[0] <= found[1] <= 1:
        raise ValueError(f"'{text}' is not a range in per cent, such as 2-5")
    return found


def show_value(one: Measure) -> str:
    """A measure's number for people, with the pound sign if it is money; "none" if there is nothing to measure."""
    if one.value is None:
        return "none"
    return f"{_POUND if one.unit == _MONEY else ''}{one.value:,.10g}"


def show_unit(one: Measure) -> str:
    """A measure's unit for people, in the singular for one; empty for money and if there is nothing to measure."""
    if one.value is None or one.unit == _MONEY:
        return ""
    return _SINGULARS.get(one.unit, one.unit.removesuffix("s")) if one.value == 1 else one.unit


def report_json(found: Sequence[Measure], as_of: date) -> dict[str, Any]:
    """The report as JSON, for programs."""
    fields = ("section", "name", "value", "unit", "definition")
    return {
        "as_of": as_of.isoformat(),
        "measures": [{name: getattr(one, name) for name in fields} for one in found],
    }


def report_csv(found: Sequence[Measure], as_of: date) -> str:
    """The report as CSV, for spreadsheets."""
    rows = [[as_of.isoformat(), one.section, one.name, _number(one.value), one.unit, one.definition] for one in found]
    return csv_table.to_text(("as_of", "section", "measure", "value", "unit", "definition"), rows)


def report_page(found: Sequence[Measure], as_of: date, authority: str | None) -> list[str]:
    """The report as one page of text: the sections in the first column, and each number with its definition."""
    whose = f" of {full_name_on(authority, as_of)}" if authority else ""
    lines = [f"Programme report{whose} as of {format_date(as_of)}"]
    section = ""
    for one in found:
        heading = one.section if one.section != section else ""
        section = one.section
        shown = f"{sanitise_line(one.name, 40):<40} {show_value(one):>14} {show_unit(one):<12}"
        lines.append(f"{heading:<13} {shown} {one.definition}")
    return lines


def _update(line: Line) -> AuthorityUpdate:
    fields = line.values
    code = fields.pop("authority")
    if "position" in fields:
        fields["signatory"] = fields.pop("position")
    if not fields.get("name", "given"):
        fields["name"] = display_name(code)
    return AuthorityUpdate(code, fields)


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
