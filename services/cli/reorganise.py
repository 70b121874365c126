"""`jointly reorganise`: a rehearsal of what a reorganisation of authorities changes."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from matching.successions import Succession, SuccessionError, check, decided
from services.application import csv_table
from services.application import reorganisation as use
from services.application.csv_table import FileError, Problem
from services.cli.database import with_snapshot
from services.cli.errors import fail
from services.cli.responses import REFUSED, USAGE
from services.domain.reorganisation import Preview


def reorganise(
    preview: Annotated[
        str, typer.Option(help="A day (2027-04-01) of the successions in effect, or a CSV file of others.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a day.")] = False,
) -> None:
    """Show who is written to, whose plans move, and which pairs become one authority. It writes nothing.

    Exit code 1: nothing is to be rehearsed on that day, or the file has a wrong line.
    """
    successions = _successions(preview)
    days = sorted({one.starts for one in successions})

    async def read(session: AsyncSession) -> list[Preview]:
        return [await use.rehearse(session, successions, day) for day in days]

    for found in with_snapshot(read):
        if as_json:
            typer.echo(json.dumps(use.to_json(found)))
        else:
            typer.echo("\n".join(use.to_page(found)))


def _successions(given: str) -> list[Succession]:
    try:
        day = date.fromisoformat(given)
    except ValueError:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
            fail(f"--preview: there is no day {given}", USAGE)
        return _from_file(Path(given))
    found = [one for one in decided() if one.starts == day]
    if not found:
        days = ", ".join(sorted({one.starts.isoformat() for one in decided()}))
        fail(f"no succession starts on {day}; the days are {days}, or give a file", REFUSED)
    return found


def _from_file(path: Path) -> list[Succession]:
    try:
        found = list(use.read(csv_table.read_text(path)))
    except FileError as error:
        fail(f"{path}: {error}", USAGE)
    for one in found:
        if isinstance(one, Problem):
            fail(f"{path}, line {one.line}: {one.field} {one.reason}", REFUSED)
    try:
        return list(check(one for one in found if isinstance(one, Succession)))
    except SuccessionError as error:
        fail(f"{path}: {error}", REFUSED)
