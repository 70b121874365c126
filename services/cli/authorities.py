"""`jointly authorities`: the register of authorities, their role mailboxes and their notification preferences."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from events.fields import canonical_authority
from services.application import csv_table
from services.application.authority_csv import known_name, read, to_csv
from services.application.csv_table import FileError, Problem
from services.application.known_authorities import require_known
from services.application.mailbox_change import send_refused_again
from services.cli.database import with_database
from services.cli.errors import fail
from services.cli.terminal import plain, print_rows, print_total
from services.domain.notifications import WaitReason
from services.platform.files import write_atomically
from services.store import authorities as register
from services.store import deliveries, intents, opportunities
from services.store.authorities import AuthorityUpdate, SaveResult
from services.store.database import Sessions, now, transaction

app = typer.Typer(
    no_args_is_help=True, help="The register of authorities: role mailboxes and notification preferences."
)

REJECTED: Final = 1
USAGE: Final = 2

_WHY_HELD: Final = {
    WaitReason.NO_MAILBOX: "no mailbox",
    WaitReason.PAUSED: "paused",
    WaitReason.UNKNOWN_PARTNER: "its notifications are withheld: not in the register",
}
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a header line; see `jointly authorities export`.")],
    as_json: _Json = False,
) -> None:
    """Import authorities from a CSV file into the register. Importing the same file again changes nothing.

    Exit code 0: every line was imported. 1: some lines were rejected, the rest was imported. 2: the file can't be read.
    """
    counts, due_again = import_updates(file, read)
    if as_json:
        typer.echo(json.dumps(counts | {"due_again": due_again}))
    else:
        typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
        if due_again:
            typer.echo(f"{due_again} notifications that an old mailbox refused are due again")
    if counts["rejected"]:
        raise typer.Exit(REJECTED)


def import_updates(
    file: Path, read_updates: Callable[[str], Iterable[AuthorityUpdate | Problem]]
) -> tuple[dict[str, int], int]:
    """Save the entries of a CSV file in the register and print each rejected line; exit if the file can't be
    read. Returns how many were added, changed, unchanged and rejected, and how many notifications are due again."""
    try:
        found = list(read_updates(csv_table.read_text(file)))
    except FileError as error:
        fail(f"{file}: {error}", USAGE)
    problems = [item for item in found if isinstance(item, Problem)]
    for problem in problems:
        typer.echo(f"{file}, line {problem.line}: {problem.field} {problem.reason}", err=True)
    updates = [item for item in found if isinstance(item, AuthorityUpdate)]
    tally = with_database(lambda sessions: save_all(sessions, updates, now()))
    counts = {name: tally[name] for name in SaveResult} | {"rejected": len(problems)}
    return counts, tally["due_again"]


async def save_all(sessions: Sessions, entries: list[AuthorityUpdate], at: datetime) -> Counter[str]:
    """Write entries; returns how many were added, changed and unchanged, and how many notifications become due again at
    new mailboxes, from `at` on."""
    tally: Counter[str] = Counter()
    async with transaction(sessions) as session:
        for entry in sorted(entries, key=lambda item: item.authority):
            outcome, other_mailbox = await register.save(session, entry)
            tally[outcome] += 1
            if other_mailbox:
                tally["due_again"] += await send_refused_again(session, entry.authority, at)
    return tally


@app.command("export")
def export(
    file: Annotated[Path | None, typer.Argument(help="Output file; default: standard output.")] = None,
) -> None:
    """Write the register as CSV, in the format of `import`. It holds email addresses: store it accordingly."""

    async def everything(sessions: Sessions) -> str:
        async with sessions() as session:
            return to_csv(await register.all_authorities(session), await register.all_mutes(session))

    text = with_database(everything)
    if file is None:
        sys.stdout.write(text)
    else:
        _save(file, text)


def _save(file: Path, text: str) -> None:
    try:
        write_atomically(file, text)
    except OSError as error:
        fail(f"{file}: can't be written: {error.strerror}", USAGE)


@app.command("held")
def held(as_json: _Json = False) -> None:
    """List withheld notifications: of authorities without a mailbox or with a pause, and about authorities that are
    neither in the register nor a council."""

    async def look(sessions: Sessions) -> Any:
        async with sessions() as session:
            return await intents.withheld(session, now())

    found = with_database(look)
    if as_json:
        lines = [
            {"authority": h.authority, "why": h.why, "held": h.intents, "oldest": h.oldest.isoformat()} for h in found
        ]
        typer.echo(json.dumps(lines))
        return
    rows = [
        (one.authority, known_name(one.authority), str(one.intents), f"{one.oldest:%Y-%m-%d}", _WHY_HELD[one.why])
        for one in found
    ]
    print_rows(("authority", "name", "held", "since", "why"), rows)
    total = sum(item.intents for item in found)
    print_total(f"held in all: {total}, authorities: {len(found)}" if found else "nothing is held")


@app.command("failed")
def failed(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of emails shown.")] = 50,
    as_json: _Json = False,
) -> None:
    """List failed emails, the newest first. If the authority gets a new mailbox, their notifications become due
    again."""

    async def look(sessions: Sessions) -> Any:
        async with sessions() as session:
            return await deliveries.failed_mails(session, limit)

    found = with_database(look)
    if as_json:
        names = ("mail_id", "authority", "purpose", "failure", "reason", "attempts")
        typer.echo(json.dumps([{name: getattr(mail, name) for name in names} for mail in found]))
        return
    rows = [
        (f"{m.updated_at:%Y-%m-%d %H:%M}", m.authority, m.purpose, m.failure or "", m.reason or "", str(m.attempts))
        for m in found
    ]
    names = ("at", "authority", "purpose", "failure", "reason", "attempts")
    print_rows(names, rows, ids=[mail.mail_id for mail in found])
    if not found:
        print_total("no email has failed")


@app.command("mute")
def mute(
    authority: Annotated[str, typer.Argument(help="The authority that receives the emails.")],
    partner: Annotated[str | None, typer.Option(help="Send nothing more about this authority.")] = None,
    opportunity: Annotated[str | None, typer.Option(help="Send nothing more about this opportunity.")] = None,
) -> None:
    """Mute a partner or one opportunity for an authority. To undo it, import the authority's line without the mute."""
    if (partner is None) == (opportunity is None):
        fail("Give either --partner CODE or --opportunity ID.", USAGE)

    code = canonical_authority(authority)

    async def write(sessions: Sessions) -> bool:
        async with transaction(sessions) as session:
            if not await register.by_codes(session, [code]):
                return False
            if opportunity and not await opportunities.get_many(session, [opportunity]):
                fail(f"There is no opportunity {plain(opportunity)}; see `jointly opportunities`.", REJECTED)
            await require_known(session, canonical_authority(partner) if partner else None)
            kind: register.Subject = "partner" if partner else "opportunity"
            await register.mute(session, code, kind, canonical_authority(partner) if partner else opportunity or "")
            return True

    if not with_database(write):
        fail(f"{authority} is not in the register; import it first.", REJECTED)
    typer.echo("muted")
