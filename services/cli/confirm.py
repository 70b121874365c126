"""`jointly confirm`: an authority confirms a plan, its own or one made from a public notice."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from events.fields import MAX_REVISION, Origin, canonical_plan_id
from events.jwk import SigningKey
from events.plans import PlanUpdated
from matching.plan import Status
from services.cli.database import with_database
from services.cli.producing import (
    DRY_RUN,
    JSON,
    KAFKA,
    OWN_TOPIC,
    REJECTED,
    SIGNING_KEY,
    finish,
    load_key,
    load_settings,
    say,
    stderr_console,
)
from services.ingest.event_publisher import PublishingError, own_topic, publish_events, shared_topic, structured
from services.ingest.publishing import now_ms
from services.ingest.report import Report
from services.platform.settings import Settings
from services.store import plans
from services.store.database import Sessions


def confirm(
    plan: Annotated[str, typer.Argument(help="The plan's id, for example E09000015:ocds-h6vhtk-0a1b2c.renewal.")],
    own: Annotated[bool, OWN_TOPIC] = False,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Confirm a plan: it is sent again as it stands, so that others can rely on it.

    One made from a public notice is the authority's own from then on: notices can't change it any more. Nobody gets an
    email about a plan that has not changed. Exit code 1: there is no such plan, or it has ended. Others as for
    `publish`.
    """
    console, chosen = stderr_console(), load_settings(dry_run=dry_run)
    key = load_key(signing_key_file or chosen.signing_key_file)
    plan_id = canonical_plan_id(plan)
    payload = _confirmed(with_database(lambda sessions: _load(sessions, plan_id)), plan_id, now_ms(chosen), console)
    if dry_run:
        typer.echo(structured(payload))
    else:
        _send(chosen, payload, key, console, own=own)
    finish(Report(plan_id, dry_run=dry_run, read=1, published=1), console, as_json=as_json)


async def _load(sessions: Sessions, plan_id: str) -> plans.PlanRecord | None:
    async with sessions() as session:
        return (await plans.by_id(session, [plan_id])).get(plan_id)


def _confirmed(stored: plans.PlanRecord | None, plan_id: str, now: int, console: Console) -> PlanUpdated:
    """Return the plan as its authority's own; exit if there is nothing to confirm."""
    if stored is None or stored.state is None or stored.status != Status.ACTIVE:
        say(console, f"There is no active plan {plan_id}; nothing was sent.")
        raise typer.Exit(REJECTED)
    state = PlanUpdated.model_validate({**stored.state, "revision": stored.revision})
    revision = max(now, min(stored.revision + 1, MAX_REVISION))
    return state.model_copy(update={"revision": revision, "origin": Origin.AUTHORITY})


def _send(chosen: Settings, payload: PlanUpdated, key: SigningKey | None, console: Console, *, own: bool) -> None:
    try:
        asyncio.run(publish_events(chosen, [payload], topic=own_topic if own else shared_topic, key=key))
    except PublishingError as error:
        say(console, f"{error}. The plan was not confirmed; run the same again, it is safe.", "red")
        raise typer.Exit(KAFKA) from None
