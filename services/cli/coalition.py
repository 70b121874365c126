"""`jointly coalition`: lists coalitions, shows one in full, and sends an authority's acts in one."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionMember, CoalitionState
from events.fields import canonical_authority
from events.responses import (
    DocumentKind,
    DocumentReaders,
    MembershipAct,
    ResponseDates,
    ResponseDocument,
    ResponseMembership,
)
from matching.text.formatting import format_date, format_pounds
from services.application import coalitions as use
from services.application.authority_lists import find_coalition_deadlines
from services.application.calendar_file import to_ics
from services.application.coalitions import Answer, CoalitionError, MemberRoutes
from services.cli.database import with_snapshot
from services.cli.days import DAY, read_day
from services.cli.errors import fail
from services.cli.responses import (
    AUTHORITY,
    DRY_RUN,
    OWN_TOPIC,
    PARTY,
    REFUSED,
    SIGNING_KEY,
    USAGE,
    Sending,
    needed,
    respond,
)
from services.cli.terminal import plain, print_count, print_rows
from services.platform.clock import today
from services.platform.settings import settings

app = typer.Typer(no_args_is_help=True, help="Show coalitions, and act in one.")

_Id = Annotated[str, typer.Argument(help="The coalition's id.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@app.command("list")
def list_(
    authority: Annotated[str | None, typer.Option(help="Only coalitions of this authority (code).")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="List ended coalitions instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number of coalitions shown.")] = 50,
    as_json: _Json = False,
) -> None:
    """List the coalitions, the latest change first."""
    code = canonical_authority(authority) if authority else None
    found = with_snapshot(lambda session: use.listed(session, code, ended=ended, limit=limit), authority=code)
    if as_json:
        for state in found:
            typer.echo(state.model_dump_json())
        return
    print_rows(("id", "status", "members", "together from", "reply by"), [_row(state) for state in found])
    print_count(len(found), "coalition", "coalitions", limit)


def _row(state: CoalitionState) -> Sequence[str]:
    members = "\n".join(f"{plain(member.authority_name, 60)} ({member.state})" for member in state.members)
    due = state.invitation.reply_by.isoformat() if state.invitation else ""
    return (state.coalition_id, state.status, members, state.together_from.isoformat(), due)


@app.command()
def show(coalition: _Id, as_json: _Json = False) -> None:
    """Show one coalition: members, dates, reasons for the match, routes that members checked, and answers."""

    async def read(session: AsyncSession) -> tuple[CoalitionState, MemberRoutes, list[Answer]]:
        state = await use.find(session, coalition)
        routes = await use.load_routes(session, state, today(settings().as_of))
        return state, routes, await use.answers(session, coalition)

    try:
        state, routes, answers = with_snapshot(read)
    except CoalitionError as error:
        fail(str(error), REFUSED)
    if as_json:
        found = {"routes": routes.entries, "answers": [asdict(one) for one in answers]}
        typer.echo(json.dumps({**state.model_dump(mode="json"), **found}))
        return
    _print(state, routes, answers)


@app.command()
def export(
    coalition: _Id,
    ics: Annotated[
        bool, typer.Option("--ics", help="Print the deadlines as a calendar file; with --authority.")
    ] = False,
    authority: Annotated[str | None, typer.Option(help="The authority whose deadlines are shown (code).")] = None,
) -> None:
    """Print the authorities of a joint notice (regulation 13) as JSON: the lead, then each other one."""
    if ics:
        _print_calendar(coalition, needed(authority))
        return
    try:
        block = with_snapshot(lambda session: use.joint_notice(session, coalition))
    except CoalitionError as error:
        fail(str(error), REFUSED)
    typer.echo(json.dumps(block, indent=2))


@app.command()
def act(
    coalition: _Id,
    what: Annotated[MembershipAct, typer.Argument(help="The act of the authority.")],
    authority: Annotated[str, AUTHORITY],
    party: Annotated[str | None, PARTY] = None,
    decided_by: Annotated[str, typer.Option(help="With commit: the body or position that decided; no name.")] = "",
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Accept an invitation or decline it, join late, leave, commit, or take the lead."""
    if decided_by and what is not MembershipAct.COMMIT:
        fail("--decided-by goes with `commit`", USAGE)
    _act(what, coalition, authority, Sending(signing_key_file, own_topic, dry_run), decided_by=decided_by, party=party)


@app.command()
def document(
    coalition: _Id,
    url: Annotated[str, typer.Argument(help="The document's address; begins with https:// or http://.")],
    title: Annotated[str, typer.Option(help="The document's title.")],
    authority: Annotated[str, AUTHORITY],
    kind: Annotated[DocumentKind, typer.Option(help="The kind of document.")] = DocumentKind.OTHER,
    readers: Annotated[
        DocumentReaders,
        typer.Option(
            help="Readers. members: accepted members; invited: also invited ones; signatories: also all signatories."
        ),
    ] = DocumentReaders.MEMBERS,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Show the other members where a document is. Nobody opens or stores it; `jointly answer ID undo` takes it back."""
    values = {"url": url, "title": title, "document": kind, "readers": readers}
    payload = respond(ResponseDocument, coalition, canonical_authority(authority), values)
    Sending(signing_key_file, own_topic, dry_run).send([payload])


@app.command()
def dates(
    coalition: _Id,
    authority: Annotated[str, AUTHORITY],
    reply_by: Annotated[
        datetime, typer.Option(parser=read_day, metavar=DAY, help="The new deadline, later than the current one.")
    ],
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Give the other members more time to reply. Only the lead may move the deadline, and only to a later day."""
    code, day = canonical_authority(authority), reply_by.date()
    try:
        invitation = with_snapshot(lambda session: use.find(session, coalition)).invitation
    except CoalitionError as error:
        fail(str(error), REFUSED)
    if invitation is not None and day <= invitation.reply_by:
        fail(f"--reply-by: the members have until {format_date(invitation.reply_by)}; give a later day", REFUSED)
    payload = respond(ResponseDates, coalition, code, {"reply_by": day})
    Sending(signing_key_file, own_topic, dry_run).send([payload])


def _act(
    what: MembershipAct,
    coalition: str,
    authority: str,
    sending: Sending,
    *,
    decided_by: str = "",
    party: str | None = None,
) -> None:
    code = canonical_authority(authority)
    values = {"act": what.value, "decided_by": decided_by, "acting_party": party}
    sending.send([respond(ResponseMembership, coalition, code, values)])


def _print_calendar(coalition: str, authority: str) -> None:
    items = with_snapshot(
        lambda session: find_coalition_deadlines(session, authority, coalition, today(settings().as_of))
    )
    if items is None:
        fail(f"{authority} is in no coalition {coalition}; `jointly coalition list` shows them", REFUSED)
    typer.echo(to_ics(items, settings().public_url).decode(), nl=False)


def _print(state: CoalitionState, routes: MemberRoutes, answers: Sequence[Answer]) -> None:
    typer.echo(f"{state.coalition_id}: {state.status}, version {state.terms_revision}")
    typer.echo(f"Together from {format_date(state.together_from)}, decide by {format_date(state.decide_by)}.")
    if state.invitation:
        typer.echo(f"Reply by {format_date(state.invitation.reply_by)}. {plain(state.invitation.scope, 500)}".rstrip())
    typer.echo(plain(state.explanation, 500))
    if state.ended_because:
        typer.echo(f"Ended: {plain(state.ended_because, 300)}")
    for member in state.members:
        typer.echo(f"  {_member(member, state.lead)}")
    for proposal in state.proposals:
        typer.echo(f"  proposed: {plain(proposal.authority_name, 80)}. {plain(proposal.sentence, 200)}")
    for line in routes.lines:
        typer.echo(f"  {plain(line, 300)}")
    for one in answers:
        undone = ", taken back" if one.undone else ""
        detail = f": {plain(one.detail, 300)}" if one.detail else ""
        typer.echo(f"  {one.on} {one.authority} {one.kind} ({one.outcome}{undone}){detail}")


def _member(member: CoalitionMember, lead: str | None) -> str:
    value = f", {format_pounds(member.value)}" if member.value is not None else ""
    leads = ", lead" if member.plan_id == lead else ""
    committed = ", committed" if member.committed else ""
    name = f"{plain(member.authority_name, 80)} ({member.plan_id})"
    value += f", contract ends {format_date(member.contract_ends)}" if member.contract_ends else ""
    return f"{member.state}{leads}{committed}: {name}: {plain(member.title, 120)}{value}"
