"""`jointly publish`: the command for a council's own system."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from events.plans import PlanPayload
from services.cli.producing import (
    DRY_RUN,
    JSON,
    KAFKA,
    OWN_TOPIC,
    SIGNING_KEY,
    check_authority,
    end_usage,
    finish,
    load_key,
    load_settings,
    say,
    stderr_console,
)
from services.ingest import formats, report_page
from services.ingest.entries import Entry, RejectedEntry, UnknownBuyers
from services.ingest.event_publisher import PublishingError, structured
from services.ingest.publishing import PublishOptions, UsageError
from services.ingest.publishing import publish as publish_file
from services.ingest.report import Report
from services.platform.clock import today
from services.platform.files import check_writable
from services.platform.settings import Settings


def publish(
    file: Annotated[Path, typer.Argument(help="Plans as JSONL, OCDS JSON, or a contract register as CSV or xlsx.")],
    named_format: Annotated[
        formats.Format | None, typer.Option("--format", help="Format of the file; detected by default.")
    ] = None,
    authority: Annotated[
        str | None,
        typer.Option(help="Publish only this authority's plans (code); also the owner of plans without one."),
    ] = None,
    unknown_buyers: Annotated[
        UnknownBuyers,
        typer.Option(help="Unknown OCDS buyers: refuse them, or publish under the notice's identifier (org-id)."),
    ] = "refuse",
    mapping: Annotated[Path | None, typer.Option(help="TOML file that maps CSV columns to fields.")] = None,
    state_file: Annotated[
        Path | None, typer.Option("--state", help="State file of earlier runs; default for CSV: next to the file.")
    ] = None,
    complete: Annotated[
        bool, typer.Option(help="Withdraw plans published from this file before and now missing from it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm withdrawing more than half of the plans.")] = False,
    own: Annotated[bool, OWN_TOPIC] = False,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the report as one HTML page, for the maintainer of the file.")
    ] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Publish an authority's plans to Kafka. Repeatable: the same file again makes no duplicates.

    Exit code 0: everything was published. 1: some entries were rejected. 2: wrong usage. 3: Kafka did not take it.
    """
    if html is not None:
        _check_writable(html)
    console, chosen = stderr_console(), load_settings(dry_run=dry_run)
    options = PublishOptions(
        format=named_format,
        authority=check_authority(authority),
        unknown_buyers=unknown_buyers,
        mapping=mapping,
        state=state_file,
        complete=complete,
        sure=yes,
        own_topic=own,
        signing_key=load_key(signing_key_file or chosen.signing_key_file),
        dry_run=dry_run,
        listed=html is not None,
    )
    report = _publish_or_end(file, options, chosen, console, quiet=as_json)
    if html:
        _write_page(report, html)
    finish(report, console, as_json=as_json)


def _publish_or_end(
    file: Path, options: PublishOptions, settings: Settings, console: Console, *, quiet: bool
) -> Report:
    try:
        with _shown(console, file, options, quiet=quiet) as show:
            return publish_file(
                file,
                options,
                settings=settings,
                on_entry=lambda entry: _name_rejected(entry, console),
                on_published=show,
            )
    except UsageError as error:
        end_usage(str(error))
    except PublishingError as error:
        say(console, f"{error}. {error.published} events were published; run the same again, it is safe.", "red")
        raise typer.Exit(KAFKA) from None


def _name_rejected(entry: Entry, console: Console) -> None:
    if isinstance(entry, RejectedEntry):
        place = ", ".join(part for part in (entry.file, entry.where, entry.field) if part)
        say(console, f"{place}: {entry.reason}", "red")


@contextmanager
def _shown(
    console: Console, file: Path, options: PublishOptions, *, quiet: bool
) -> Iterator[Callable[[PlanPayload], None]]:
    """Choose the output for each event: printed in a dry run, else a progress bar if the output is a terminal."""
    if options.dry_run:
        yield lambda payload: typer.echo(structured(payload))
        return
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("Publishing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("plans", total=formats.count_lines(file, options.format))
        yield lambda _: bar.advance(task)


def _check_writable(html: Path) -> None:
    """Before anything is published: a report that can't be written must not look like nothing done."""
    try:
        check_writable(html)
    except OSError as error:
        end_usage(f"--html: {html} can't be written: {error.strerror}")


def _write_page(report: Report, html: Path) -> None:
    try:
        report_page.write_page(report, html, today(None))
    except OSError as error:
        end_usage(f"--html: {html} can't be written: {error.strerror}. What was published stays published")
