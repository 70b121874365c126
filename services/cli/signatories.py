"""`jointly signatories`: who has signed the Charter, in which position and when."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from services.application import programme as use
from services.cli.authorities import import_updates
from services.cli.database import with_snapshot
from services.cli.terminal import plain, print_rows, print_total
from services.domain.programme.records import CharterStatus, Signatory, status_on
from services.platform.clock import today
from services.platform.settings import settings
from services.store import authorities
from services.store.programme import to_signatory

app = typer.Typer(
    no_args_is_help=True, help="The register of signatories: authorities, their signers' positions, and the days."
)

REFUSED = 1
USAGE = 2
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a header line; see `jointly signatories export`.")],
) -> None:
    """Write signatories from a CSV file into the register of authorities; mailboxes and preferences stay.

    Exit code 0: every line was taken. 1: some lines were rejected, the rest was taken. 2: the file can't be read.
    """
    counts, _ = import_updates(file, use.read_signatories)
    typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
    if counts["rejected"]:
        raise typer.Exit(REFUSED)


@app.command("export")
def export() -> None:
    """Write everybody who has signed, or once had, as CSV; the header alone if nobody has."""
    sys.stdout.write(use.signatories_csv([one for one in _load() if one.signed_on]))


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List the signatories and how they stand today: signed, lapsed or withdrawn."""
    day = today(settings().as_of)
    found = [one for one in _load() if status_on(one, day) is not CharterStatus.NOT_SIGNED]
    if as_json:
        for one in found:
            typer.echo(json.dumps(use.signatory_json(one, day)))
        return
    rows = [
        (one.authority, plain(one.name, 80), plain(one.position or "", 120), status_on(one, day), str(one.signed_on))
        for one in found
    ]
    print_rows(("authority", "name", "position", "status", "signed"), rows)
    signed = sum(status_on(one, day) is CharterStatus.SIGNED for one in found)
    print_total(f"{signed} signed, {len(found) - signed} lapsed or withdrawn")


def _load() -> list[Signatory]:
    async def read(session: AsyncSession) -> list[Signatory]:
        return [to_signatory(row) for row in await authorities.all_authorities(session)]

    return with_snapshot(read)
