"""`jointly parties`: programme offices, regional groups and purchasing bodies, and who their members are."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from services.application import csv_table
from services.application import parties as use
from services.application.csv_table import FileError
from services.application.party_csv import PartyEntry, read
from services.cli import party_acts
from services.cli.database import with_database, with_snapshot
from services.cli.days import DAY, read_day
from services.cli.errors import fail
from services.cli.terminal import plain
from services.platform.clock import today
from services.platform.settings import settings
from services.store import parties as store
from services.store.database import Sessions, transaction

app = typer.Typer(
    no_args_is_help=True, help="Programme offices, regional groups and purchasing bodies, and their members."
)

for act in (party_acts.convene, party_acts.delegate, party_acts.revoke, party_acts.delegations):
    app.command()(act)

REFUSED = 1
USAGE = 2
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a header line; see `jointly parties export`.")],
    as_json: _Json = False,
) -> None:
    """Import parties. A file holds each of its parties whole: memberships it leaves out are removed.

    Exit code 0: everything was imported. 1: a line is wrong, and nothing was imported. 2: the file can't be read.
    """
    try:
        found = read(csv_table.read_text(file))
    except FileError as error:
        fail(f"{file}: {error}", USAGE)
    entries = [one for one in found if isinstance(one, PartyEntry)]
    for problem in found:
        if not isinstance(problem, PartyEntry):
            typer.echo(plain(f"{file}, line {problem.line}: {problem.field} {problem.reason}", 500), err=True)
    if len(entries) < len(found):
        fail("nothing was imported", REFUSED)

    async def write(sessions: Sessions) -> dict[str, int]:
        async with transaction(sessions) as session:
            return await use.import_parties(session, entries)

    tally = with_database(write)
    typer.echo(json.dumps(tally) if as_json else ", ".join(f"{count} {name}" for name, count in tally.items()))


@app.command()
def export() -> None:
    """Write all parties as CSV, in the form that `import` reads. It holds email addresses: store it accordingly."""
    sys.stdout.write(with_snapshot(use.export_parties))


@app.command("list")
def list_(
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=read_day, metavar=DAY, help="The day of the memberships; today if left out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """List the parties and how many members each has."""
    day = as_of.date() if as_of else today(settings().as_of)
    found = with_snapshot(store.all_parties)
    for one in found:
        count = len(one.members_on(day))
        members = "1 member" if count == 1 else f"{count} members"
        line = f"{one.party}  {plain(one.name, 80)} ({one.kind}): {members}"
        typer.echo(json.dumps(use.party_json(one, day)) if as_json else line)
    if not as_json:
        typer.echo("1 party" if len(found) == 1 else f"{len(found)} parties")
