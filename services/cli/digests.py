"""`jointly digests`: the weekly digests."""

import json
from typing import Annotated

import typer

from services.application.digests import flush_all
from services.cli.database import with_database

app = typer.Typer(no_args_is_help=True, help="The weekly digests.")


@app.callback()
def _digests() -> None:
    """Keep `flush` a subcommand."""


@app.command()
def flush(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False) -> None:
    """Make every authority's next weekly digest due now; a running notifier sends it."""
    count = with_database(flush_all)
    typer.echo(json.dumps({"due": count}) if as_json else f"{count} notifications are due now")
