"""`jointly benchmark`: what others pay, as far as it may be shown."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated, Final

import typer

from services.application.benchmarks import (
    SUPPRESSED,
    Benchmark,
    BenchmarkError,
    NamedPrice,
    cell_as_json,
    read_benchmark,
)
from services.application.known_authorities import require_known
from services.cli.database import with_database
from services.cli.errors import fail
from services.cli.producing import check_authority
from services.cli.responses import REFUSED, USAGE
from services.cli.terminal import plain, print_rows
from services.domain.audit import Channel
from services.domain.benchmark_cells import BenchmarkCell, PriceStep, Quarter
from services.domain.reorganisation import full_name_on
from services.platform.clock import today
from services.platform.settings import settings
from services.store.database import Sessions, transaction

_COLUMNS: Final = ("unit", "units bought", "lower quartile", "median", "upper quartile", "authorities", "suppliers")
_PRICE_COLUMNS: Final = ("council", "supplier", "item", "unit", "units bought", "price of a unit")


def benchmark(
    about: Annotated[str, typer.Argument(help="A CPV code such as 48450000, or a plan's id.")],
    authority: Annotated[str | None, typer.Option(help="The authority that reads (code). The read is logged.")] = None,
    quarter: Annotated[
        str | None, typer.Option(help="A quarter, such as 2026-Q3; default: the newest published one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Show what authorities pay for a unit, in steps of 5 per cent: median and quartiles of at least 5 authorities.

    Prices are without VAT, as they were agreed. Exit code 1: there is no such plan or category.
    """
    code, wanted, day = check_authority(authority), _quarter(quarter), today(settings().as_of)

    async def work(sessions: Sessions) -> Benchmark:
        async with transaction(sessions) as session:
            await require_known(session, code)
            return await read_benchmark(
                session, about, reader=code, channel=Channel.COMMAND_LINE, today=day, quarter=wanted
            )

    try:
        found = with_database(work)
    except BenchmarkError as error:
        fail(str(error), REFUSED)
    if as_json:
        for cell in found.cells:
            typer.echo(json.dumps(cell_as_json(cell)))
        for price in found.members:
            typer.echo(json.dumps({"coalition_member": asdict(price)}))
        for price in found.supplied:
            typer.echo(json.dumps({"supplied": asdict(price)}))
        return
    _print_cells(found)
    _print_named("What members of your coalition pay", found.members, day)
    _print_named("What the councils that we asked for you pay", found.supplied, day)


def _print_named(heading: str, prices: Sequence[NamedPrice], day: date) -> None:
    if prices:
        typer.echo(f"{heading}, in pounds without VAT; for you alone:", err=not sys.stdout.isatty())
        print_rows(_PRICE_COLUMNS, [_price_row(price, day) for price in prices])


def _print_cells(found: Benchmark) -> None:
    if not found.cells:
        typer.echo(f"No prices are shared for category {found.category}; `jointly contracts publish` shares yours.")
        return
    in_pipe = not sys.stdout.isatty()
    typer.echo(f"Category {found.category}, {found.cells[0].quarter}, pounds without VAT", err=in_pipe)
    print_rows(_COLUMNS, [_row(cell, found) for cell in found.cells])
    typer.echo(_withheld(found.cells[0]), err=in_pipe)


def _quarter(text: str | None) -> Quarter | None:
    try:
        return Quarter.parse(text) if text else None
    except ValueError as error:
        fail(f"--quarter: {error}", USAGE)


def _row(cell: BenchmarkCell, found: Benchmark) -> tuple[str, ...]:
    key = cell.key
    own = (key.unit, key.size_class) == (found.unit, found.size_class)
    size = f"{key.size_class.value}{' (yours)' if own else ''}"
    if cell.suppression is not None:
        return (key.unit, size, f"not shown: {SUPPRESSED[cell.suppression]}", "", "", "", "")
    lower, upper = cell.quartiles or (None, None)
    prices = (_step(lower), _step(cell.median), _step(upper))
    return (key.unit, size, *prices, str(cell.authorities), str(cell.suppliers))


def _price_row(price: NamedPrice, day: date) -> tuple[str, ...]:
    names = (plain(text, 60) for text in (full_name_on(price.authority, day), price.supplier, price.item))
    return (*names, price.unit, f"{price.quantity:,.0f}", f"{price.unit_price:,.2f}")


def _step(step: PriceStep | None) -> str:
    return f"{step.low:,.2f} to {step.high:,.2f}" if step else "from 8 authorities"


def _withheld(cell: BenchmarkCell) -> str:
    counts = ", ".join(f"{count} {reason.value}" for reason, count in sorted(cell.withheld.items()))
    return f"Prices withheld in this category: {counts or 'none'}."
