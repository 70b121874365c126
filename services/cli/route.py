"""`jointly route`: which collaborative routes were looked at for a plan before a contract of its own."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_plan_id
from events.responses import ResponseRoute, RouteOutcome, RouteReason, RouteStep
from services.application import responses as sending
from services.application import routes as use
from services.application.responses import ResponseError, Subject
from services.application.routes import RouteError, RouteView
from services.cli.database import with_snapshot
from services.cli.days import DAY, read_day
from services.cli.errors import fail
from services.cli.lazy_encoder import embed_missing
from services.cli.responses import DRY_RUN, OWN_TOPIC, REFUSED, SIGNING_KEY, Sending
from services.cli.terminal import plain
from services.platform.clock import today
from services.platform.settings import settings

app = typer.Typer(no_args_is_help=True, help="Record and show the routes that a plan's authority looked at.")

_Plan = Annotated[str, typer.Argument(help="A plan's id, for example E09000015:ICT-0042.")]


@app.command()
def show(
    plan: _Plan,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a plan's route record as a note for the file, with what there is to look at. Nothing depends on it."""
    plan_id = canonical_plan_id(plan)

    async def read(session: AsyncSession) -> RouteView:
        return await use.load(session, settings(), plan_id, embed_missing)

    try:
        view = with_snapshot(read)
    except RouteError as error:
        fail(str(error), REFUSED)
    if as_json:
        typer.echo(json.dumps(use.to_json(view)))
        return
    for line in use.audit_note(view, today(settings().as_of)):
        indent = line[: len(line) - len(line.lstrip())]
        typer.echo(indent + plain(line, 800))


@app.command()
def record(
    plan: _Plan,
    step: Annotated[RouteStep, typer.Argument(help="The route.")],
    outcome: Annotated[RouteOutcome, typer.Argument(help="The outcome.")],
    by: Annotated[
        str, typer.Option(help="The position of the person who looked, such as 'Category manager, ICT'; no name.")
    ],
    asked_at: Annotated[
        datetime | None, typer.Option(parser=read_day, metavar=DAY, help="The day it was looked at; default: today.")
    ] = None,
    reason: Annotated[RouteReason | None, typer.Option(help="The reason.")] = None,
    candidate: Annotated[
        list[str] | None, typer.Option(help="A framework or contract that was looked at; repeatable.")
    ] = None,
    note: Annotated[str, typer.Option(help="A note in a sentence or two.")] = "",
    coalition: Annotated[str | None, typer.Option(help="Record it for this coalition that the plan is in.")] = None,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Record one route that was looked at. The last record of a route counts; `jointly answer ID undo` removes it."""
    plan_id = canonical_plan_id(plan)

    async def read(session: AsyncSession) -> Subject:
        return await use.subject_of(session, plan_id, coalition)

    try:
        subject = with_snapshot(read)
        values = subject.fields(plan_id.split(":", 1)[0]) | {
            "step": step,
            "outcome": outcome,
            "asked_at": asked_at.date() if asked_at else today(settings().as_of),
            "by": by,
            "candidates": candidate or [],
            "reason": reason,
            "note": note,
        }
        payload = sending.build(ResponseRoute, values)
    except ResponseError as error:
        fail(str(error), REFUSED)
    Sending(signing_key_file, own_topic, dry_run).send([payload])
