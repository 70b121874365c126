"""Shared by the commands that publish plans: options, settings, keys, and reports."""

import json
import re
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

from events.fields import AUTHORITY_PATTERN, canonical_authority
from events.jwk import KeyFileError, SigningKey, signing_key
from services.cli.errors import fail
from services.ingest.report import Report, by_count
from services.platform.settings import Settings, SettingsError, settings

REJECTED = 1
USAGE = 2
KAFKA = 3

OWN_TOPIC = typer.Option("--own-topic", help="Write to the authority's own topic instead of the shared one.")
SIGNING_KEY = typer.Option(
    "--signing-key", help="Private key to sign with (`jointly keys make`); default: JOINTLY_SIGNING_KEY_FILE."
)
DRY_RUN = typer.Option("--dry-run", help="Print the events as CloudEvents, one JSON object a line, and send nothing.")
JSON = typer.Option("--json", help="Print the summary as one JSON line.")


def stderr_console() -> Console:
    """Console output for users; text from a file is never read as markup."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def say(console: Console, line: str, style: str = "") -> None:
    """Print one line. It may hold text from a file: markup is not read, and control characters never reach the
    terminal."""
    console.print(Text("".join(c if c.isprintable() else " " for c in line), style))


def end_usage(sentence: str) -> NoReturn:
    """Exit for wrong usage, with a sentence."""
    fail(sentence, USAGE)


def load_settings(*, dry_run: bool) -> Settings:
    """Return the settings, with a broker if something is to be sent; exit if they are invalid."""
    try:
        chosen = settings()
        if not dry_run:
            chosen.need_kafka()
        return chosen
    except SettingsError as error:
        end_usage(str(error))


def load_key(file: Path | None) -> SigningKey | None:
    """Return the signing key, None if no file is named; exit if the file holds none."""
    try:
        return signing_key(file.read_bytes()) if file else None
    except OSError as error:
        end_usage(f"{file}: can't be read: {error.strerror}")
    except KeyFileError as error:
        end_usage(f"{file}: {error}")


def check_authority(code: str | None) -> str | None:
    """Return an authority's code in its official spelling; exit if it is no code."""
    if code is not None and not re.fullmatch(AUTHORITY_PATTERN, code):
        end_usage(f"--authority: '{code}' is not a code; give an ONS code such as E09000015, or another org-id")
    return canonical_authority(code) if code else None


def finish(report: Report, console: Console, *, as_json: bool) -> NoReturn:
    """Report the outcome of the entries, and exit."""
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        _summarise(report, console)
    if report.unreadable:
        raise typer.Exit(USAGE)
    raise typer.Exit(REJECTED if report.rejected else 0)


def _summarise(report: Report, console: Console) -> None:
    done = "would be published" if report.dry_run else "published"
    say(
        console,
        f"{report.read} read, {report.published} {done} ({report.withdrawn} of them withdrawals), "
        f"{report.unchanged} unchanged, {report.rejected_count} rejected.",
    )
    for name, findings in (("rejected", report.rejected), ("skipped", report.skipped), ("inferred", report.inferred)):
        for finding in by_count(findings):
            places = ", ".join(example.where for example in finding.examples)
            say(console, f"{finding.count} x {name}: {finding.sentence} ({places})", "dim")
