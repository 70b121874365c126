"""`jointly parties convene|delegate|revoke|delegations`: what parties do, and what authorities let them do."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_authority, canonical_plan_id
from events.responses import DelegationScope, ResponsePayload
from matching.text.formatting import format_date
from services.application import party_acts as use
from services.application.responses import ResponseError
from services.cli.database import with_snapshot
from services.cli.days import DAY, read_day
from services.cli.errors import fail
from services.cli.responses import AUTHORITY, DRY_RUN, OWN_TOPIC, REFUSED, SIGNING_KEY, Sending
from services.cli.terminal import plain
from services.domain.reorganisation import full_name_on
from services.platform.clock import today
from services.platform.settings import settings
from services.store import delegations as store

_Party = Annotated[str, typer.Argument(help="The party's code.")]
_Build = Callable[[AsyncSession], Awaitable[ResponsePayload]]


def convene(
    subject: Annotated[str, typer.Argument(help="The id of a suggested coalition, or of an opportunity.")],
    party: Annotated[str, typer.Option(help="The party that convenes (code).")],
    plan: Annotated[list[str] | None, typer.Option(help="Plan ids to invite; default: all of its members.")] = None,
    reply_days: Annotated[int, typer.Option(min=10, max=40, help="Working days for the reply.")] = 20,
    scope: Annotated[str, typer.Option(help="The purchase in a sentence or two.")] = "",
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Invite members of a party to go to market together: a suggested coalition's, or both of a pair.

    The party answers for nobody.
    """
    code, day = canonical_authority(party), today(settings().as_of)
    plans = [canonical_plan_id(one) for one in plan or ()]

    async def build(session: AsyncSession) -> ResponsePayload:
        return await use.convened(session, code, subject, day, plan_ids=plans, reply_days=reply_days, scope=scope)

    _send(build, Sending(signing_key_file, own_topic, dry_run))


def delegate(
    party: _Party,
    authority: Annotated[str, AUTHORITY],
    scope: Annotated[DelegationScope, typer.Option(help="What the party may do; each includes the one before it.")],
    until: Annotated[datetime, typer.Option(parser=read_day, metavar=DAY, help="The last day.")],
    starts_on: Annotated[
        datetime | None, typer.Option("--from", parser=read_day, metavar=DAY, help="The first day; today if left out.")
    ] = None,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Let a party act in the authority's name. Only the authority itself can, with its own key."""
    code, other = canonical_authority(authority), canonical_authority(party)
    first = starts_on.date() if starts_on else today(settings().as_of)

    async def build(session: AsyncSession) -> ResponsePayload:
        return await use.delegated(session, code, other, scope, (first, until.date()))

    _send(build, Sending(signing_key_file, own_topic, dry_run))


def revoke(
    party: _Party,
    authority: Annotated[str, AUTHORITY],
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """End a delegation. It counts from the moment that it arrives."""
    code, other = canonical_authority(authority), canonical_authority(party)

    async def build(session: AsyncSession) -> ResponsePayload:
        return await use.revoked(session, code, other, today(settings().as_of))

    _send(build, Sending(signing_key_file, own_topic, dry_run))


def delegations(
    authority: Annotated[str | None, typer.Option(help="Only delegations by this authority (code).")] = None,
    party: Annotated[str | None, typer.Option(help="Only delegations to this party (code).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """List delegations, ended ones too: the party, the authority, the scope and the days."""
    day = today(settings().as_of)
    whose, whom = (canonical_authority(code) if code else None for code in (authority, party))
    found = with_snapshot(lambda session: store.listed(session, authority=whose, party=whom), authority=whose)
    for one in found:
        may = f"may {one.scope}" if one.is_valid_on(day) else "may not act"
        days = f"{format_date(one.starts_on)} to {format_date(one.until)}"
        line = f"{plain(full_name_on(one.authority, day), 80)}: {one.party} {may} ({one.scope or 'ended'}, {days})"
        typer.echo(json.dumps(use.delegation_json(one, day)) if as_json else line)
    if not as_json:
        typer.echo("1 delegation" if len(found) == 1 else f"{len(found)} delegations")


def _send(build: _Build, sending: Sending) -> None:
    try:
        payload = with_snapshot(build)
    except ResponseError as error:
        fail(str(error), REFUSED)
    sending.send([payload], undoable=False)
