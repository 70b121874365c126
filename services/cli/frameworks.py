"""`jointly frameworks`: framework agreements as reference data, and which of them cover a plan."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_plan_id
from matching.frameworks import Coverage, FrameworkLot, day_of_need, say_coverage
from matching.text.formatting import format_date
from services.application import csv_table
from services.application import frameworks as use
from services.application.csv_table import FileError, Problem
from services.application.framework_csv import read, to_csv
from services.application.frameworks import FrameworkCheck, FrameworkError
from services.cli.database import with_database, with_snapshot
from services.cli.errors import fail
from services.cli.lazy_encoder import embed_missing
from services.cli.terminal import plain
from services.ingest.entries import RefusedError
from services.ingest.framework_notices import read_framework_notices
from services.platform.settings import settings
from services.store import frameworks as store
from services.store.database import Sessions, transaction

app = typer.Typer(
    no_args_is_help=True, help="Framework agreements: import and list them, and check a plan against them."
)

REFUSED = 1
USAGE = 2
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV (see `jointly frameworks export`), or OCDS notices (.json).")],
    as_json: _Json = False,
) -> None:
    """Import frameworks. A file holds each of its frameworks whole: lots it leaves out are removed.

    Exit code 0: every entry was imported. 1: some entries were rejected, the rest was imported. 2: the file can't be
    read.
    """
    try:
        found = list(_read(file))
    except (FileError, RefusedError) as error:
        fail(f"{file}: {error}", USAGE)
    lots = [one for one in found if isinstance(one, FrameworkLot)]
    problems = [one for one in found if isinstance(one, str)]
    for problem in problems:
        typer.echo(plain(f"{file}{problem}", 500), err=True)
    tally = with_database(lambda sessions: use.import_lots(sessions, settings(), lots, embed_missing))
    tally = tally | {"rejected": len(problems)}
    typer.echo(json.dumps(tally) if as_json else ", ".join(f"{count} {name}" for name, count in tally.items()))
    if problems:
        raise typer.Exit(REFUSED)


@app.command()
def export() -> None:
    """Write all frameworks as CSV, in the form that `import` reads; the header alone if there are none."""
    sys.stdout.write(to_csv(with_snapshot(store.all_lots)))


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List the frameworks with their lots, term and source."""
    lots = with_snapshot(store.all_lots)
    for lot in lots:
        if as_json:
            typer.echo(json.dumps({"framework": lot.framework, "lot": lot.lot or None, "name": lot.name}))
        else:
            ends = format_date(lot.ends) if lot.ends else "an unknown day"
            owner, source = plain(lot.owner, 80), plain(lot.source, 120)
            typer.echo(f"{plain(lot.name, 160)}, {owner}: {format_date(lot.starts)} to {ends}; source: {source}")
    if not as_json:
        typer.echo("1 lot" if len(lots) == 1 else f"{len(lots)} lots")


@app.command()
def remove(framework: Annotated[str, typer.Argument(help="The framework's reference.")]) -> None:
    """Remove a framework with its lots."""

    async def write(sessions: Sessions) -> int:
        async with transaction(sessions) as session:
            return await store.remove_framework(session, framework)

    count = with_database(write)
    if not count:
        fail(f"there is no framework {plain(framework, 80)}", REFUSED)
    typer.echo("1 lot removed" if count == 1 else f"{count} lots removed")


@app.command()
def check(
    plan: Annotated[str, typer.Argument(help="A plan's id, for example E09000015:ICT-0042.")],
    as_json: _Json = False,
) -> None:
    """Show which frameworks cover a plan on the day it needs one, and whether its authority may use them.

    Exit code 1: there is no such plan. It is 0 whether or not a framework covers the plan.
    """
    plan_id = canonical_plan_id(plan)

    async def read_check(session: AsyncSession) -> FrameworkCheck:
        return await use.check(session, settings(), plan_id, embed_missing)

    try:
        found = with_snapshot(read_check)
    except FrameworkError as error:
        fail(plain(str(error), 300), REFUSED)
    if as_json:
        typer.echo(json.dumps(use.to_json(found)))
        return
    _print_check(found)


def _read(file: Path) -> Iterator[FrameworkLot | str]:
    """Yield lots, and for each invalid entry a sentence that continues the file's name."""
    if file.suffix.lower() == ".json":
        for lot in read_framework_notices(file):
            yield f": {lot.field} {lot.reason}" if isinstance(lot, RefusedError) else lot
        return
    for entry in read(csv_table.read_text(file)):
        yield f", line {entry.line}: {entry.field} {entry.reason}" if isinstance(entry, Problem) else entry


def _print_check(found: FrameworkCheck) -> None:
    typer.echo(f"{plain(found.plan.title, 160)}, needed by {format_date(day_of_need(found.plan))}")
    if found.note:
        typer.echo(found.note)
    for one in found.covering:
        _print_coverage(one)
    if not found.registered:
        typer.echo("No frameworks have been imported: `jointly frameworks import FILE`.")
    elif found.line:
        typer.echo(f"\n{found.line}")
    else:
        typer.echo(f"\nNone of {found.registered} lots is to be checked first.")


def _use(one: Coverage) -> str:
    if not one.usable:
        return "not usable"
    return "general, may offer it" if one.general else "can be used"


def _print_coverage(one: Coverage) -> None:
    alike = f" (both name {', '.join(one.needs)})" if one.needs else ""
    typer.echo(f"\n  {_use(one)}: {plain(one.lot.name, 200)}{alike}")
    for sentence in say_coverage(one):
        typer.echo(f"    {plain(sentence, 200)}")
    typer.echo(f"    Source: {plain(one.lot.source, 200)}{' ' + one.lot.url if one.lot.url else ''}")
