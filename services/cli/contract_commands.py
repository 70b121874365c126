"""`jointly contracts`: what authorities share of their running contracts."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from events.contracts import ContractPublished
from events.signing import SignatureError
from services.application.contracts import CONTRACT_EVENTS
from services.cli.database import with_snapshot
from services.cli.days import DAY, read_day
from services.cli.producing import (
    DRY_RUN,
    JSON,
    OWN_TOPIC,
    REJECTED,
    SIGNING_KEY,
    check_authority,
    end_usage,
    load_key,
    load_settings,
    say,
    stderr_console,
)
from services.cli.terminal import plain, print_rows
from services.domain.disclosure import Tier
from services.ingest import formats
from services.ingest.contracts import (
    ContractEntry,
    ReadContract,
    day_of,
    read_contracts,
    read_notice_contracts,
    read_register_contracts,
)
from services.ingest.entries import Options, RejectedEntry, SkippedEntry
from services.ingest.formats import FormatError
from services.ingest.register.column_mapping import BUILT_IN, MappingError, load_mapping
from services.platform.clock import today
from services.platform.settings import settings
from services.store import contracts as store

app = typer.Typer(no_args_is_help=True, help="Publish and list what authorities share of running contracts.")


@app.command("publish")
def publish(
    file: Annotated[Path, typer.Argument(help="Contracts as JSONL, a register as CSV or xlsx, or OCDS notices.")],
    authority: Annotated[
        str | None, typer.Option(help="Publish only this authority's contracts (code); required for a register.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="TOML file that maps a register's columns to fields.")] = None,
    open_to: Annotated[Tier, typer.Option(help="Who may see a register's contracts.")] = Tier.PUBLIC,
    open_from: Annotated[
        datetime | None,
        typer.Option(
            parser=read_day, metavar=DAY, help="The day from which they may see them; default: the day in the file."
        ),
    ] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Publish what an authority shares of its contracts. Repeatable: the same file again changes nothing.

    Exit code 0: everything was published. 1: some lines were rejected. 2: wrong usage. 3: Kafka did not take it.
    """
    chosen, console = load_settings(dry_run=dry_run), stderr_console()
    key = load_key(signing_key_file or chosen.signing_key_file)
    day = open_from.date() if open_from else None
    entries = list(_read(file, _Source(check_authority(authority), mapping, open_to, day)))
    rejected = [entry for entry in entries if isinstance(entry, RejectedEntry)]
    payloads = [entry.payload for entry in entries if isinstance(entry, ContractEntry)]
    for entry in rejected:
        say(console, ", ".join(part for part in (entry.file, entry.where, entry.field) if part) + f": {entry.reason}")
    if not as_json:
        for reason, count in Counter(entry.reason for entry in entries if isinstance(entry, SkippedEntry)).items():
            say(console, f"{count} skipped: {reason}")
    if dry_run:
        for payload in payloads:
            typer.echo(payload.model_dump_json())
    elif payloads:
        try:
            asyncio.run(CONTRACT_EVENTS.send(chosen, payloads, key=key, own_topic=own_topic))
        except SignatureError as error:
            end_usage(f"{error}. Nothing was published")
    counts = {"published": len(payloads), "rejected": len(rejected)}
    counts["skipped"] = len(entries) - sum(counts.values())
    _report(counts, console, dry_run=dry_run, as_json=as_json)
    if rejected:
        raise typer.Exit(REJECTED)


@dataclass(frozen=True, slots=True)
class _Source:
    """How a file is read: whose it is, and what a register does not say itself."""

    authority: str | None
    mapping: Path | None
    open_to: Tier
    open_from: date | None


def _read(file: Path, source: _Source) -> Iterator[ReadContract]:
    try:
        kind = formats.detect_format(file, None)
        mapping = load_mapping(source.mapping) if source.mapping else BUILT_IN
    except (MappingError, FormatError) as error:
        end_usage(str(error))
    options = Options(source.authority, as_of=today(settings().as_of))
    if kind == "ocds":
        return read_notice_contracts(file, options)
    if kind == "jsonl":
        return read_contracts(file, source.authority)
    sharing = {source.open_to.value: source.open_from or day_of(file)}
    return read_register_contracts(file, options, mapping, sharing)


@app.command("list")
def list_(
    authority: Annotated[str | None, typer.Option(help="Only contracts of this authority (code).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """List the contracts that are shared, with the day on which each tier may see them: for operators."""
    code = check_authority(authority)
    rows = with_snapshot(lambda session: store.published(session, code), authority=code)
    found = [ContractPublished.model_validate(row.payload) for row in rows]
    if as_json:
        for contract in found:
            typer.echo(contract.model_dump_json())
        return
    names = ("contract", "supplier", "product", "ends", "prices", "coalition", "signatories", "public")
    print_rows(names, [_row(contract) for contract in found])


def _row(contract: ContractPublished) -> tuple[str, ...]:
    sharing = contract.sharing
    days = (contract.end, sharing.coalition, sharing.signatories, sharing.public)
    end, *opens = (day.isoformat() if day else "" for day in days)
    prices = contract.withheld or str(len(contract.prices))
    return (contract.contract_id, plain(contract.supplier, 60), plain(contract.product, 40), end, prices, *opens)


def _report(counts: dict[str, int], console: Console, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**counts, "dry_run": dry_run}))
        return
    done = "would be published" if dry_run else "published"
    skipped, rejected = counts["skipped"], counts["rejected"]
    say(console, f"{counts['published']} contract events {done}, {skipped} skipped, {rejected} rejected.")
