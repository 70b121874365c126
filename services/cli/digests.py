"""`jointly digests`: the weekly digests."""

import json
from typing import Annotated

import typer

from services.cli.database import with_database
from services.platform import retry
from services.store import intents
from services.store.database import Sessions, now, transaction

app = typer.Typer(no_args_is_help=True, help="The weekly digests.")


@app.callback()
def _digests() -> None:
    """Kept, so that `flush` stays a command of its own."""


@app.command()
def flush(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False) -> None:
    """Make the next weekly digest of every authority due now; a running notifier sends it."""
    count = with_database(flush_all)
    typer.echo(json.dumps({"due": count}) if as_json else f"{count} things to tell are due now")


async def flush_all(sessions: Sessions) -> int:
    """Makes every authority's next digest due now; how many things to tell that is."""

    async def flush_once() -> int:
        async with transaction(sessions) as session:
            return await intents.flush_digests(session, now())

    return await retry.despite_races(flush_once)
