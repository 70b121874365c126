"""`jointly publish`: what a council's system calls. What `jointly withdraw` shares with it stands here as well."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from events.fields import AUTHORITY_PATTERN, canonical_authority
from events.jwk import KeyFileError, SigningKey, signing_key
from events.plans import PlanPayload, PlanWithdrawn
from services.ingest import formats, publication_state
from services.ingest.entries import Accepted, Options, Read, Rejected, Skipped, Unchanged, check_limits
from services.ingest.event_publisher import PublishingError, own_topic, publish_events, shared_topic, structured
from services.ingest.register.column_mapping import BUILT_IN, MappingError, load_mapping
from services.platform.settings import Settings, SettingsError, settings

REJECTED = 1
USAGE = 2
KAFKA = 3

OWN_TOPIC = typer.Option("--own-topic", help="Write to the authority's own topic instead of the shared one.")
SIGNING_KEY = typer.Option(
    "--signing-key", help="Sign with this private key (`jointly keys make`); default: JOINTLY_SIGNING_KEY_FILE."
)
DRY_RUN = typer.Option("--dry-run", help="Print the events as CloudEvents, one JSON a line, and send nothing.")
JSON = typer.Option("--json", help="End with one JSON line instead of the summary for people.")


@dataclass
class Tally:
    """What became of a file's entries."""

    published: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: bool = False
    inferred: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> str:
        return json.dumps(
            {
                "published": self.published,
                "unchanged": self.unchanged,
                "withdrawn": self.withdrawn,
                "skipped": self.skipped.total(),
                "rejected": self.rejected.total(),
                "reasons": dict(self.rejected.most_common()),
            }
        )


def publish(
    file: Annotated[Path, typer.Argument(help="Plans as JSONL, OCDS JSON, or a contract register as CSV.")],
    named_format: Annotated[
        formats.Format | None, typer.Option("--format", help="By default, what the file looks like.")
    ] = None,
    authority: Annotated[
        str | None, typer.Option(help="Publish this authority's plans only; whose code it is where the file is silent.")
    ] = None,
    unknown_buyers: Annotated[
        Literal["refuse", "org-id"],
        typer.Option(help="OCDS buyers nobody knows: refuse them, or use the identifier the notice gives (org-id)."),
    ] = "refuse",
    mapping: Annotated[Path | None, typer.Option(help="TOML that says which CSV column is what.")] = None,
    state_file: Annotated[
        Path | None, typer.Option("--state", help="What was published before; default for CSV: beside the file.")
    ] = None,
    complete: Annotated[bool, typer.Option(help="Withdraw what was published from this file and is gone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Withdraw even more than half.")] = False,
    own: Annotated[bool, OWN_TOPIC] = False,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Publish an authority's plans to Kafka. Repeatable: the same file again makes no duplicates.

    Exit code 0: everything was published. 1: some entries were rejected. 2: wrong usage. 3: Kafka did not take it.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    chosen = load_settings(dry_run=dry_run)
    options = Options(_authority(authority), unknown_buyers, chosen.as_of or datetime.now(UTC).date())
    key = load_key(signing_key_file or chosen.signing_key_file)
    try:
        kind = formats.chosen(file, named_format)
        columns = load_mapping(mapping) if mapping else BUILT_IN
        kept = state_file or (publication_state.beside(file) if complete or kind == "csv" else None)
        known = publication_state.load(kept) if kept else publication_state.State()
    except (formats.FormatError, MappingError, publication_state.StateError) as error:
        end_usage(str(error))
    now = now_ms(chosen)
    found = formats.once(formats.read(file, kind, options, columns))
    # Against what was published before this run: which of it Kafka has acknowledged meanwhile is chance.
    before = known.model_copy(deep=True)
    reads = (publication_state.revised(read, before, now) for read in found) if kept else found
    if complete:
        reads = iter(_with_withdrawals(list(reads), known, sure=yes))
    reads = (check_limits(read, datetime.now(UTC)) for read in reads)
    tally = Tally()
    payloads = _payloads(reads, tally, console)
    try:
        send(chosen, payloads, tally, known, Output(console, own, key, dry_run, as_json, formats.entries(file, kind)))
    finally:
        if kept and not dry_run:
            keep(known, kept)
    finish(tally, console, as_json=as_json, dry_run=dry_run)


@dataclass(frozen=True)
class Output:
    """How a command publishes, and where it reports."""

    console: Console
    own: bool
    key: SigningKey | None
    dry_run: bool
    as_json: bool
    total: int | None = None


def _payloads(reads: Iterator[Read], tally: Tally, console: Console) -> Iterator[PlanPayload]:
    """What is to be published; everything else is counted and, where it needs somebody, reported as it comes."""
    for read in reads:
        match read:
            case Accepted():
                for note in read.notes:
                    tally.inferred[note] += 1
                yield read.payload
            case Unchanged():
                tally.unchanged += 1
            case Skipped():
                tally.skipped[read.reason] += 1
            case Rejected():
                tally.unreadable |= read.where == "file"
                tally.rejected[f"{read.field}: {read.reason}" if read.field else read.reason] += 1
                place = ", ".join(part for part in (read.file, read.where, read.field) if part)
                say(console, f"{place}: {read.reason}", "red")


def _with_withdrawals(reads: list[Read], known: publication_state.State, *, sure: bool) -> list[Read]:
    """The entries and, after them, withdrawals of what has vanished; ends the command where that looks wrong."""
    present = {
        read.payload.plan_id if isinstance(read, Accepted) else read.plan_id for read in reads if _identity(read)
    }
    gone = publication_state.vanished(known, {plan_id for plan_id in present if plan_id})
    lost = [read for read in reads if not _identity(read) and not isinstance(read, Skipped)]
    if gone and lost:
        end_usage(
            f"--complete: {len(lost)} entries can't be told apart from vanished ones (first: {lost[0].file}, "
            f"{lost[0].where}). Correct them first; nothing was published"
        )
    if len(gone) * 2 > publication_state.standing(known) and not sure:
        end_usage(
            f"--complete would withdraw {len(gone)} of {publication_state.standing(known)} plans. "
            "If the file is really complete, say --yes; nothing was published"
        )
    return [*reads, *(Accepted(reads[0].file if reads else "", "gone from the file", payload) for payload in gone)]


def _identity(read: Read) -> str | None:
    return read.payload.plan_id if isinstance(read, Accepted) else read.plan_id


def keep(known: publication_state.State, file: Path) -> None:
    """Writes the state; ends the command with a sentence where it can't be written."""
    try:
        publication_state.save(known, file)
    except publication_state.StateError as error:
        end_usage(str(error))


def send(
    chosen: Settings, payloads: Iterator[PlanPayload], tally: Tally, known: publication_state.State, output: Output
) -> None:
    """Publishes the payloads, or prints them in a dry run; counts and notes each that was acknowledged."""

    def acknowledged(payload: PlanPayload) -> None:
        tally.published += 1
        tally.withdrawn += isinstance(payload, PlanWithdrawn)
        known.note(payload)

    if output.dry_run:
        for payload in payloads:
            typer.echo(structured(payload))
            acknowledged(payload)
        return
    topic = own_topic if output.own else shared_topic
    try:
        with _progress(output, acknowledged) as advance:
            asyncio.run(publish_events(chosen, payloads, topic=topic, progress=advance, key=output.key))
    except PublishingError as error:
        say(output.console, f"{error}. {tally.published} events were published; run the same again, it is safe.", "red")
        raise typer.Exit(KAFKA) from None


@contextmanager
def _progress(output: Output, acknowledged: Callable[[PlanPayload], None]) -> Iterator[Callable[[PlanPayload], None]]:
    """`acknowledged`, shown as a bar where somebody looks."""
    if output.as_json or not output.console.is_terminal:
        yield acknowledged
        return
    columns = (TextColumn("Publishing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.console, transient=True) as bar:
        task = bar.add_task("plans", total=output.total)

        def shown(payload: PlanPayload) -> None:
            acknowledged(payload)
            bar.advance(task)

        yield shown


def finish(tally: Tally, console: Console, *, as_json: bool, dry_run: bool) -> NoReturn:
    """Reports what became of the entries, and ends the command."""
    if as_json:
        typer.echo(tally.as_json())
    else:
        done = "would be published" if dry_run else "published"
        say(
            console,
            f"{tally.published} {done} ({tally.withdrawn} of them withdrawals), {tally.unchanged} unchanged, "
            f"{tally.rejected.total()} rejected.",
        )
        for reason, count in tally.skipped.most_common():
            say(console, f"{count} x skipped: {reason}", "dim")
        for note, count in tally.inferred.most_common():
            say(console, f"{count} x inferred: {note}", "dim")
    if tally.unreadable:
        raise typer.Exit(USAGE)
    raise typer.Exit(REJECTED if tally.rejected else 0)


def say(console: Console, line: str, style: str = "") -> None:
    """One line. File content may stand in it: no markup is read, and no control character reaches the terminal."""
    console.print(Text("".join(c if c.isprintable() else " " for c in line), style))


def end_usage(sentence: str) -> NoReturn:
    """Ends the command for wrong usage, with a sentence."""
    typer.echo(sentence, err=True)
    raise typer.Exit(USAGE)


def load_settings(*, dry_run: bool) -> Settings:
    """The settings, with a broker where something is to be sent; ends the command where they are wrong."""
    try:
        chosen = settings()
        if not dry_run:
            chosen.need_kafka()
        return chosen
    except SettingsError as error:
        end_usage(str(error))


def load_key(file: Path | None) -> SigningKey | None:
    """The key to sign with, None where no file is named; ends the command where it is none."""
    try:
        return signing_key(file.read_bytes()) if file else None
    except OSError as error:
        end_usage(f"{file}: can't be read: {error.strerror}")
    except KeyFileError as error:
        end_usage(f"{file}: {error}")


def _authority(code: str | None) -> str | None:
    if code is not None and not re.fullmatch(AUTHORITY_PATTERN, code):
        end_usage(f"--authority: '{code}' is not a code; give an ONS code such as E09000015, or another org-id")
    return canonical_authority(code) if code else None


def now_ms(chosen: Settings) -> int:
    """The present time, or the fixed day, in milliseconds since 1970."""
    if chosen.as_of:
        return int(datetime.combine(chosen.as_of, datetime.min.time(), UTC).timestamp() * 1000)
    return time.time_ns() // 1_000_000
