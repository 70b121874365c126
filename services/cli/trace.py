"""`jointly trace`: shows the effects of one plan event: opportunities, outbox, intents and emails."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Final

import typer

from events.topics import NOTIFICATIONS, OPPORTUNITIES
from services.cli.database import with_snapshot
from services.cli.errors import fail
from services.cli.terminal import plain, print_rows
from services.store import causation
from services.store.causation import Step, Topics

NOT_FOUND: Final = 1
TOPICS: Final = Topics(OPPORTUNITIES.name, NOTIFICATIONS.name)


def trace(
    event: Annotated[str, typer.Argument(help="The plan event's id: `ce_id`, `event_id` in the logs.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a step.")] = False,
) -> None:
    """Show the effects of one plan event: plan log, opportunities, outbox, intents, emails.

    Published messages stay in the outbox for a week; older ones are missing here. Exit code 1: no such event.
    """
    found = _steps(event)
    if not found:
        fail(
            f"the plan log has no event with the id {plain(event, 120)}; it may have been refused: see `jointly "
            "dead-letters list`",
            NOT_FOUND,
        )
    if as_json:
        for step in found:
            typer.echo(json.dumps({**asdict(step), "at": step.at.isoformat()}))
        return
    rows = [(f"{step.at:%Y-%m-%d %H:%M:%S}", step.part, step.id, step.about, step.state) for step in found]
    print_rows(("at", "part", "id", "about", "state"), rows)


def _steps(event: str) -> Sequence[Step]:
    return with_snapshot(lambda session: causation.steps(session, event, TOPICS))
