"""`jointly topics` and `jointly migrate`: create the declared topics and tables; a second run changes nothing."""

import asyncio
import json
from typing import Annotated

import typer

from services.messaging import topic_admin as declared
from services.platform.settings import settings
from services.store.migrate import migrate as apply
from services.store.schema import SchemaState

Json = Annotated[bool, typer.Option("--json", help="Print one JSON line.")]


def topics(
    authority: Annotated[
        list[str] | None,
        typer.Option(help="Also create this authority's own topics (plans, responses, contracts); repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create the declared topics that do not exist yet. Existing ones stay as they are."""
    done = asyncio.run(declared.create(settings(), authority or ()))
    if as_json:
        typer.echo(json.dumps({"created": done.created, "existing": done.existing}))
        return
    for name in done.created:
        typer.echo(f"created   {name}")
    for name in done.existing:
        typer.echo(f"existing  {name}")


def migrate(as_json: Json = False) -> None:
    """Migrate the database to this version's tables, and restore lost functions, triggers and indexes.

    A newer database stays as it is if it has everything this version needs. Exit code 5: it can't be used.
    """
    done = apply(settings().need_database(limited=False))
    if as_json:
        found = {"before": done.before, "after": done.after, "mended": done.mended, "state": done.schema.state}
        typer.echo(json.dumps(found))
        return
    if done.schema.state is SchemaState.NEWER:
        typer.echo(done.schema.sentence)
    elif done.before == done.after:
        typer.echo(f"already at {done.after}")
    else:
        typer.echo(f"migrated from {done.before or 'nothing'} to {done.after}")
    for name in done.mended:
        typer.echo(f"restored  {name}")
