"""`jointly answer` and `jointly invite`: an authority's answers about an opportunity or a coalition."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from events.fields import canonical_authority, canonical_plan_id
from events.responses import AnswerKind, ResponseAnswered, ResponseInvited, ResponsePayload, ResponseUndone
from events.signing import SignatureError
from services.application import responses as use
from services.application.responses import ResponseError
from services.cli.database import with_snapshot
from services.cli.days import DAY, read_day
from services.cli.errors import fail
from services.cli.producing import load_key
from services.cli.terminal import plain
from services.platform.settings import settings
from services.store import responses as store

REFUSED = 1
USAGE = 2

AUTHORITY = typer.Option("--authority", help="The authority that acts (code).")
SUBJECT = typer.Argument(help="The id of a coalition or an opportunity.")
SIGNING_KEY = typer.Option("--signing-key", help="Private key to sign with (`jointly keys make`).")
OWN_TOPIC = typer.Option("--own-topic", help="Write to the authority's own topic instead of the shared one.")
PARTY = typer.Option("--party", help="The party that acts for the authority under a delegation (code).")
DRY_RUN = typer.Option("--dry-run", help="Print the response; send nothing.")


_UNDO = "undo"
_ANSWERS = (*AnswerKind, _UNDO)


def _read_answer(text: str) -> str:
    """The answer, or undo. Raises ValueError with a sentence for the person at the terminal."""
    if text not in _ANSWERS:
        raise ValueError(f"{text!r} is not an answer; expected one of {', '.join(_ANSWERS)}.")
    return text


def answer(
    subject: Annotated[str, typer.Argument(help="Id of a coalition or an opportunity; for undo, of the answer.")],
    said: Annotated[
        str | None,
        typer.Argument(
            parser=_read_answer,
            help=f"{', '.join(AnswerKind)}; or undo, which takes an answer back within seven days.",
        ),
    ] = None,
    authority: Annotated[str | None, AUTHORITY] = None,
    reason: Annotated[str | None, typer.Option(help="The reason; for the matcher, never shown to the partner.")] = None,
    share_reason: Annotated[bool, typer.Option("--share-reason", help="Share the reason with the others.")] = False,
    window: Annotated[
        str | None, typer.Option(help="With other-dates: the dates, such as 2027-09-01/2027-12-31.")
    ] = None,
    remind_on: Annotated[
        datetime | None, typer.Option(parser=read_day, metavar=DAY, help="With later: the day to ask again.")
    ] = None,
    party: Annotated[str | None, PARTY] = None,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Answer a suggestion, or publish a file of answers: `jointly answer answers.jsonl`. An answer binds nobody.

    The command reads the version of the subject from the database. Exit code 1: something was not sent.
    """
    sending = Sending(signing_key_file, own_topic, dry_run)
    if said is None:
        _publish_file(Path(subject), sending)
        return
    code = needed(authority)
    if said == _UNDO:
        sending.send([_undo(subject, code, party)])
        return
    values: dict[str, Any] = {
        "answer": said,
        "reason": reason,
        "share_reason": share_reason,
        "window": span(window),
        "remind_on": remind_on.date() if remind_on else None,
        "acting_party": party,
    }
    sending.send([respond(ResponseAnswered, subject, code, values)])


def invite(
    subject: Annotated[str, SUBJECT],
    authority: Annotated[str, AUTHORITY],
    plan: Annotated[list[str] | None, typer.Option(help="Plan ids to invite; default: all suggested ones.")] = None,
    reply_days: Annotated[int, typer.Option(min=10, max=40, help="Working days for the reply.")] = 20,
    scope: Annotated[str, typer.Option(help="The purchase in a sentence or two.")] = "",
    route: Annotated[str, typer.Option(help="Checks already made: frameworks, other coalitions.")] = "",
    party: Annotated[str | None, PARTY] = None,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Invite the others to go to market together. The first to invite leads. On an opportunity, it invites the one
    partner."""
    code = canonical_authority(authority)
    values = {
        "plan_ids": [canonical_plan_id(one) for one in plan or ()],
        "reply_days": reply_days,
        "scope": scope,
        "route": route,
        "acting_party": party,
    }
    Sending(signing_key_file, own_topic, dry_run).send([respond(ResponseInvited, subject, code, values)])


class Sending:
    """How to send responses: signed or not, to which topic, or only printed."""

    def __init__(self, signing_key_file: Path | None, own_topic: bool, dry_run: bool) -> None:
        self.key = load_key(signing_key_file or settings().signing_key_file)
        self.own_topic = own_topic
        self.dry_run = dry_run

    def send(self, payloads: Sequence[ResponsePayload], *, undoable: bool = True) -> None:
        """Send or print the responses. Raises Kafka's errors."""
        if self.dry_run:
            for payload in payloads:
                typer.echo(payload.model_dump_json())
            return
        try:
            count = asyncio.run(use.RESPONSE_EVENTS.send(settings(), payloads, key=self.key, own_topic=self.own_topic))
        except SignatureError as error:
            fail(str(error), REFUSED)
        if not undoable:
            typer.echo("Sent.")
            return
        for payload in payloads[:1] if count == 1 else ():
            typer.echo(f"Sent. `jointly answer {payload.response_id} undo` takes it back within seven days.")
        if count != 1:
            typer.echo(f"{count} responses were sent.")


def respond(kind: type[ResponsePayload], subject: str, authority: str, values: dict[str, Any]) -> ResponsePayload:
    """Build a response to a subject in the database; exit if there is none or a value is invalid."""
    try:
        found = with_snapshot(lambda session: use.find_subject(session, subject, authority))
        return use.build(kind, {**found.fields(authority), **values})
    except ResponseError as error:
        fail(str(error), REFUSED)


def needed(authority: str | None) -> str:
    """Return the authority's code; exit if none is given."""
    if authority is None:
        fail("say who answers: --authority CODE", USAGE)
    return canonical_authority(authority)


def span(text: str | None) -> dict[str, str] | None:
    """Parse a window such as 2027-09-01/2027-12-31; exit if it is invalid."""
    if text is None:
        return None
    earliest, slash, latest = text.partition("/")
    if not slash:
        fail(f"--window: '{text}' is not two days with a slash between, such as 2027-09-01/2027-12-31", USAGE)
    return {"earliest": earliest, "latest": latest}


def _undo(response_id: str, authority: str, party: str | None) -> ResponsePayload:
    row = with_snapshot(lambda session: store.given_for(session, authority, response_id, party or authority))
    if row is None:
        fail(f"{authority} gave no answer {response_id}", REFUSED)
    if row.plan_id is None:
        how = "`jointly parties revoke` ends a delegation; another answer replaces one about prices"
        fail(f"that can't be taken back; {how}", REFUSED)
    subject = use.Subject(row.subject, row.subject_id, int(row.payload["subject_revision"]), row.plan_id)
    return use.build(ResponseUndone, {**subject.fields(authority), "undoes": response_id, "acting_party": party})


def _publish_file(path: Path, sending: Sending) -> None:
    if not path.is_file():
        fail(f"no file at {path}; or say what to answer, for example `jointly answer ID interested`", USAGE)
    found = list(use.read_jsonl(path))
    errors = [one for one in found if isinstance(one, ResponseError)]
    for error in errors:
        typer.echo(plain(f"{path}, {error}", 1000), err=True)
    payloads = [one for one in found if not isinstance(one, ResponseError)]
    if payloads:
        sending.send(payloads)
    if errors:
        raise typer.Exit(REFUSED)
