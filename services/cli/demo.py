"""`jointly demo` and `jointly up`: everything on one machine, without any setup."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from events.opportunities import OpportunityState
from events.plans import PlanPayload
from services.application.page_links import PageLink
from services.cli.days import DAY, read_day
from services.ingest import formats
from services.ingest.entries import AcceptedEntry, Options, RejectedEntry
from services.local_stack import demo as pipeline
from services.local_stack.child_process import ComponentError
from services.local_stack.demo import DemoResult
from services.local_stack.demo_office import OFFICE_NAME
from services.local_stack.demo_progress import STALLED_SECONDS, Show, StalledError, Watch
from services.local_stack.sample import sample_plans
from services.local_stack.sample.notices import sample_notices
from services.local_stack.stack import DEFAULT_FOLDER, Stack
from services.platform.clock import today
from services.store.database import now

FAILED = 1
USAGE = 2
SHOWN_REJECTIONS = 20
SHOWN_STATUSES = ("suggested", "inviting", "formed", "frozen")


def demo(
    plans: Annotated[
        Path | None, typer.Option(help="Plans in a format of `jointly publish`; default: the sample.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=read_day, metavar=DAY, help="Day to assess on (YYYY-MM-DD); default: today."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON line.")] = False,
    give_up_after: Annotated[
        float, typer.Option(min=1, help="Seconds without any progress after which the demo fails.")
    ] = STALLED_SECONDS,
    stay: Annotated[bool, typer.Option("--stay", help="Keep the pages open afterwards, until Ctrl-C.")] = False,
) -> None:
    """Run everything once on an embedded stack: publish plans, match them, notify the authorities, show the result."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def linger(outcome: DemoResult, stack: Stack) -> None:
        typer.echo(_told(outcome, rejected))
        _print_links(outcome.pages, outcome.links)
        typer.echo(f"  {OFFICE_NAME}: sign in by this name; the code comes to {outcome.mails_in}")
        console.print("Running; Ctrl-C stops it.", style="dim")
        _wait(stack)

    day = today(as_of.date() if as_of else None)
    try:
        events, rejected = _read(plans, console) if plans else (sample_plans(day), 0)
        with _shown(console) as show:
            outcome = pipeline.run(
                _waves(events),
                day,
                notices=() if plans else sample_notices(day, now()),
                say=lambda text: console.print(text, style="dim"),
                watch=Watch(show, give_up_after),
                stay=linger if stay else None,
            )
    except formats.FormatError as error:
        console.print(str(error), style="bold red", markup=False)
        raise typer.Exit(USAGE) from error
    except (ComponentError, StalledError) as error:
        console.print(str(error), style="bold red", markup=False)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt:
        console.print("Stopped; everything has been cleaned up.")
        raise typer.Exit(128 + signal.SIGINT) from None
    typer.echo(json.dumps(_summary(outcome, rejected)) if as_json else _told(outcome, rejected))


def up() -> None:
    """Run Kafka, PostgreSQL, a mail sink and all processes of Jointly until Ctrl-C, and print their addresses."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(text: str) -> None:
        console.print(text, style="dim")

    try:
        with Stack(DEFAULT_FOLDER, environment=pipeline.pages_environment(), progress=say) as stack:
            settings = pipeline.settings_of(stack)
            pipeline.prepare(settings, say)
            processes = pipeline.start_services(stack, say)
            for name, value in stack.environment.items():
                typer.echo(f"export {name}='{value}'")
            for name, process in processes.items():
                typer.echo(f"# {name}: http://127.0.0.1:{process.http_port}/metrics, log in {process.log}")
            typer.echo(f"# emails: {stack.parts.mailbox.folder}")
            _print_links(settings.public_url, asyncio.run(pipeline.load_links(settings, pipeline.MAX_LINKS)), "# ")
            say("Running; Ctrl-C stops it.")
            _wait(stack)
    except ComponentError as error:
        console.print(str(error), style="bold red", markup=False)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt:
        say("Stopped.")


def _print_links(pages: str, links: Sequence[PageLink], prefix: str = "") -> None:
    """The pages' address, and a link for each of some authorities: what an email would hold."""
    typer.echo(f"{prefix}pages: {pages}")
    for link in links:
        typer.echo(f"{prefix}  {link.name}: {link.url}")


def _wait(stack: Stack) -> None:
    sys.stdout.flush()
    while True:
        stack.check()
        time.sleep(2)


def _read(path: Path, console: Console) -> tuple[list[PlanPayload], int]:
    kind = formats.detect_format(path, None)
    accepted: list[PlanPayload] = []
    rejected = 0
    for entry in formats.deduplicate(formats.read(path, kind, Options(unknown_buyers="org-id"))):
        if isinstance(entry, AcceptedEntry):
            accepted.append(entry.payload)
        elif isinstance(entry, RejectedEntry):
            rejected += 1
            if rejected <= SHOWN_REJECTIONS:
                console.print(f"{entry.file}, {entry.where}, {entry.field}: {entry.reason}", markup=False)
    return accepted, rejected


def _waves(events: Sequence[PlanPayload]) -> list[list[PlanPayload]]:
    """Split the events into each plan's first event and the later ones, so that the demo shows corrections."""
    first: dict[str, PlanPayload] = {}
    later = [event for event in events if first.setdefault(event.plan_id, event) is not event]
    return [list(first.values()), later] if later else [list(first.values())]


@contextmanager
def _shown(console: Console) -> Iterator[Show]:
    """Return a progress bar for each step, if the output is a terminal."""
    bars = Progress(
        TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    known: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in known:
            known[what] = bars.add_task(what, total=total)
        bars.update(known[what], completed=done, total=total)

    with bars:
        yield show


def _summary(outcome: DemoResult, rejected: int) -> dict[str, object]:
    counts = outcome.counts
    return {
        "plans": counts.plans,
        "rejected": rejected,
        "opportunities": counts.opportunities,
        "collected": outcome.collected,
        "coalitions": {status: counts.coalitions.get(status, 0) for status in SHOWN_STATUSES},
        "answers": outcome.answers,
        "mails": outcome.mails,
        "dead_letters": outcome.dead_letters,
        "pending": counts.pending,
        "seconds": outcome.seconds,
    }


def _told(outcome: DemoResult, rejected: int) -> str:
    counts, bands = outcome.counts, outcome.counts.opportunities
    lines = [
        "",
        f"{counts.plans} plans were matched, {rejected} were rejected, {outcome.dead_letters} are dead letters.",
        *([f"{outcome.collected} of them came from public notices."] if outcome.collected else []),
        (
            f"{sum(bands.values())} opportunities: {bands['notify']} for an immediate email, {bands['digest']} for "
            f"the weekly digest, {bands['feed']} to look up."
        ),
        "",
        "The strongest five:",
    ]
    for number, row in enumerate(outcome.best, 1):
        lines += _explained(number, OpportunityState.model_validate(row.payload))
    groups = ", ".join(f"{counts.coalitions.get(status, 0)} {status}" for status in SHOWN_STATUSES)
    lines += ["", f"Coalitions: {groups}; {outcome.answers} signed answers of authorities arrived over Kafka."]
    lines += ["", f"{outcome.mails} emails were sent; they are in {outcome.mails_in}", f"It took {outcome.seconds} s."]
    return "\n".join(lines)


def _explained(number: int, state: OpportunityState) -> list[str]:
    names = " and ".join(side.authority_name for side in state.plans)
    score = f", score {state.score:.0f}" if state.score is not None else ""
    decide_by = f"  Decide by {state.decide_by:%-d %B %Y}." if state.decide_by else ""
    return [f"{number}. {names} ({state.band}{score}){decide_by}", *(f"     {reason}" for reason in state.reasons)]
