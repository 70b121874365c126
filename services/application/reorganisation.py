"""The rehearsal of a reorganisation: its effects on the stored plans, pairs and mailboxes."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching import successions
from matching.reference import display_name
from matching.successions import Succession, SuccessionError, SuccessionKind
from matching.text.formatting import format_date, sanitise_line
from services.application import csv_table
from services.application.csv_table import Columns, FieldError, FileError, Line, Problem
from services.domain.reorganisation import Destination, Preview, SuccessorConsent, preview, to_affected_plan
from services.store import authorities, opportunities, plans
from services.store.mapping import plan_from_store


def _kind(cell: str) -> SuccessionKind:
    try:
        return SuccessionKind(cell.lower())
    except ValueError:
        raise FieldError(f"must be one of {', '.join(SuccessionKind)}") from None


COLUMNS: Final[Columns] = {
    "predecessor": csv_table.code,
    "successor": csv_table.code,
    "successor_name": csv_table.words(200, needed=True),
    "starts": csv_table.needed_day,
    "kind": _kind,
    "source": csv_table.words(500, needed=True),
}
"""The columns of a file of successions."""


def read(text: str) -> Iterator[Succession | Problem]:
    """Read the successions of a CSV file, and its invalid lines. Raises FileError if the header is invalid."""
    lines = csv_table.read_lines(text, COLUMNS, tuple(COLUMNS))
    for line in csv_table.refuse_repeated(lines, "successor", _key):
        yield Succession(**line.values) if isinstance(line, Line) else line


def use_file(path: Path | None) -> None:
    """Put the successions of an installation's file into effect in this process; None for the shipped ones alone.

    Raises FileError with the line that is wrong, or the authority whose successions contradict each other.
    """
    found = list(read(csv_table.read_text(path))) if path is not None else []
    wrong = next((one for one in found if isinstance(one, Problem)), None)
    if wrong is not None:
        raise FileError(f"line {wrong.line}: {wrong.field} {wrong.reason}")
    try:
        successions.use(one for one in found if isinstance(one, Succession))
    except SuccessionError as error:
        raise FileError(str(error)) from None


async def rehearse(session: AsyncSession, found: Sequence[Succession], starts: date) -> Preview:
    """Preview the effects of a day's successions on the stored data. Nothing is written."""
    gone = {one.predecessor for one in found if one.starts == starts}
    everybody = gone | {one.successor for one in found}
    register = await authorities.by_codes(session, sorted(everybody))
    rows = [plan for row in await plans.active_of(session, sorted(gone)) if (plan := plan_from_store(row)) is not None]
    affected = [to_affected_plan(plan) for plan in rows]
    pairs = await opportunities.active_between(session, [plan.plan_id for plan in affected])
    mailboxes = [code for code, row in register.items() if row.mailbox]
    return preview(found, starts, affected, pairs, mailboxes)


def to_json(found: Preview) -> dict[str, Any]:
    """A rehearsal as JSON, for programs."""
    return {
        "starts": found.starts.isoformat(),
        "authorities": [
            {"authority": one.authority, "written_to": list(one.reachable), "without_mailbox": list(one.unreachable)}
            for one in found.addressees
        ],
        "plans": [
            {
                "plan_id": one.plan.plan_id,
                "destination": one.destination.value,
                "successors": list(one.successors),
                "consent": one.consent.value,
            }
            for one in found.moves
        ],
        "one_authority": [
            {
                "opportunity_id": one.opportunity_id,
                "plans": list(one.plans),
                "successor": one.successor,
                "certain": one.certain,
            }
            for one in found.mergers
        ],
    }


def to_page(found: Preview) -> list[str]:
    """A rehearsal as text."""
    lines = [f"Reorganisation on {format_date(found.starts)}: a rehearsal, nothing is written", "", "Who is written to"]
    for one in found.addressees:
        successors = " and ".join(found.names[code] for code in (*one.reachable, *one.unreachable))
        without = ", ".join(found.names[code] for code in one.unreachable)
        gap = f"; {without} has no mailbox yet" if without else ""
        lines.append(f"  {display_name(one.authority)}: not any more; {successors} instead{gap}")
    waiting = [one for one in found.moves if one.destination is Destination.WAITS]
    lines += ["", f"Plans: {len(found.moves)}, of which {len(waiting)} wait for a person"]
    for move in found.moves:
        successors = " or ".join(found.names[code] for code in move.successors)
        waits = ", to be decided" if move.destination is Destination.WAITS else ""
        lines.append(
            f"  {move.plan.plan_id}: {sanitise_line(move.plan.title)}, to {successors}{waits}{_CONSENT[move.consent]}"
        )
    lines += ["", f"Pairs of one authority: {len(found.mergers)}"]
    for pair in found.mergers:
        will = "will be" if pair.certain else "may be"
        name, day = found.names[pair.successor], format_date(found.starts)
        lines.append(f"  {' and '.join(pair.plans)} {will} one authority, {name}, on {day}: one purchase, no coalition")
    return lines


_CONSENT: Final = {
    SuccessorConsent.NOT_NEEDED: "",
    SuccessorConsent.NEEDED: "; needs the successor's consent under a section 24 direction",
    SuccessorConsent.UNKNOWN: "; ask whether it needs the successor's consent: its end or its value is not known",
}


def _key(line: Line) -> tuple[Any, ...]:
    return line.values["predecessor"], line.values["successor"], line.values["starts"]
