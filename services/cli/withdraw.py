"""`jointly withdraw`: withdraws one plan that an authority no longer intends to buy."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from events.fields import MAX_REVISION, canonical_plan_id
from events.jwk import SigningKey
from events.limits import find_excess
from events.plans import PlanWithdrawn
from services.cli.errors import fail
from services.cli.producing import (
    DRY_RUN,
    JSON,
    KAFKA,
    OWN_TOPIC,
    REJECTED,
    SIGNING_KEY,
    end_usage,
    finish,
    load_key,
    load_settings,
    say,
    stderr_console,
)
from services.cli.terminal import plain
from services.ingest import publication_state
from services.ingest.entries import to_rejection
from services.ingest.event_publisher import PublishingError, own_topic, publish_events, shared_topic, structured
from services.ingest.publishing import now_ms
from services.ingest.report import Report
from services.platform.clock import now
from services.platform.settings import Settings
from services.store import plans
from services.store.database import open_sessions

_ARGUMENTS: Final = {"revision": "--revision", "reason": "--reason", "plan_id": "PLAN"}
RESET = "or have the operators set the plan back (`jointly plans reset`)"


def withdraw(
    plan: Annotated[str, typer.Argument(help="The plan's id, for example E09000015:ICT-0042.")],
    reason: Annotated[str, typer.Option(help="The reason; authorities that were notified of a match will read it.")],
    revision: Annotated[
        int | None,
        typer.Option(
            help="Revision, above the plan's last; default: the current time in milliseconds, or one above the last."
        ),
    ] = None,
    state_file: Annotated[
        Path | None, typer.Option("--state", help="State file of `jointly publish`, which holds the last revision.")
    ] = None,
    own: Annotated[bool, OWN_TOPIC] = False,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Withdraw one plan: the authority no longer intends to buy this. Exit codes as for `publish`.

    The revision is compared with the last known one, from the file of --state and the database of JOINTLY_DATABASE_URL.
    """
    console = stderr_console()
    chosen = load_settings(dry_run=dry_run)
    key = load_key(signing_key_file or chosen.signing_key_file)
    plan = canonical_plan_id(plan)
    known = _load_state(state_file)
    entry = known.plans.get(plan)
    last = _last_revision(chosen, plan, entry.revision if entry else None, console)
    payload = _payload(plan, _revision(revision, last, now_ms(chosen)), reason)
    _check(payload, last)
    if dry_run:
        typer.echo(structured(payload))
    else:
        _send(chosen, payload, key, console, own=own)
        _remember(known, payload, state_file)
    if last is None and not dry_run:
        unknown = "Not checked: if the plan has a higher revision, this withdrawal becomes a dead letter"
        say(console, f"{unknown}. Name the state file (--state), or set JOINTLY_DATABASE_URL, to have it checked.")
    report = Report(plan, dry_run=dry_run, read=1, published=1, withdrawn=1)
    finish(report, console, as_json=as_json)


def _send(chosen: Settings, payload: PlanWithdrawn, key: SigningKey | None, console: Console, *, own: bool) -> None:
    topic = own_topic if own else shared_topic
    try:
        asyncio.run(publish_events(chosen, [payload], topic=topic, key=key))
    except PublishingError as error:
        say(console, f"{error}. The withdrawal was not published; run the same again, it is safe.", "red")
        raise typer.Exit(KAFKA) from None


def _remember(known: publication_state.State, payload: PlanWithdrawn, file: Path | None) -> None:
    if file:
        known.note(payload)
        try:
            publication_state.save(known, file)
        except publication_state.StateError as error:
            end_usage(str(error))


def _load_state(file: Path | None) -> publication_state.State:
    try:
        return publication_state.load(file) if file else publication_state.State()
    except publication_state.StateError as error:
        end_usage(str(error))


def _payload(plan: str, revision: int, reason: str) -> PlanWithdrawn:
    authority, colon, reference = plan.partition(":")
    if not (authority and colon and reference):
        end_usage(f"'{plain(plan, 100)}' is no plan id; a plan id is the authority, a colon and its reference")
    try:
        return PlanWithdrawn(plan_id=plan, revision=revision, authority=authority, reason=reason)
    except ValidationError as error:
        rejection = to_rejection(error)
        end_usage(f"{_ARGUMENTS.get(rejection.field, rejection.field)}: {rejection.reason}")


def _revision(asked: int | None, last: int | None, now: int) -> int:
    if asked is not None:
        return asked
    return now if last is None else max(now, min(last + 1, MAX_REVISION))


def _check(payload: PlanWithdrawn, last: int | None) -> None:
    """Exit if the matcher would not accept the withdrawal."""
    if last is not None and payload.revision <= last:
        fail(
            f"Nothing was sent: the plan already has revision {last}, so a withdrawal under {payload.revision} would "
            f"be superseded. Give a higher --revision, {RESET}.",
            REJECTED,
        )
    if excess := find_excess(payload, now()):
        fail(f"Nothing was sent: {excess.field} {excess.sentence}, {RESET}.", REJECTED)


def _last_revision(chosen: Settings, plan: str, published: int | None, console: Console) -> int | None:
    """Return the highest known revision of a plan, from the state file and the database; None if neither has one."""
    if not chosen.database_url.get_secret_value():
        return published
    try:
        stored = asyncio.run(_stored_revision(chosen, plan))
    except (SQLAlchemyError, OSError) as error:
        say(console, f"The database can't be asked for the plan's revision ({type(error).__name__}).")
        return published
    return max((revision for revision in (published, stored) if revision is not None), default=None)


async def _stored_revision(chosen: Settings, plan: str) -> int | None:
    async with open_sessions(chosen.need_database(), pool=1) as sessions, sessions() as session:
        stored = (await plans.by_id(session, [plan])).get(plan)
        return stored.revision if stored else 0
