"""`jointly suppliers`: who has contracts with which supplier, ending when."""

import json
import sys
from datetime import date
from typing import Annotated

import typer

from services.application import suppliers as use
from services.application.suppliers import SuppliersView
from services.cli.database import with_snapshot
from services.cli.terminal import plain, print_rows
from services.domain.reorganisation import full_name_on
from services.domain.supplier_view import SUPPLIER_NOT_NEED, SupplierContract, SupplierGroup
from services.platform.clock import today
from services.platform.settings import settings
from services.store.supplier_contracts import supplier_groups

_APART = f"{SUPPLIER_NOT_NEED} `jointly coalition list` shows groups that plan to buy the same thing."


def suppliers(
    name: Annotated[str, typer.Argument(help="Words of the supplier's name.")] = "",
    product: Annotated[str, typer.Option(help="Words of the product's name.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Show which councils have contracts with a supplier or for a product, and when they end.

    Without a name or product: suppliers whose contracts with three or more councils end within a year.
    """
    day = today(settings().as_of)
    if not name and not product:
        _print_groups(with_snapshot(lambda session: supplier_groups(session, day)), day, as_json=as_json)
        return
    view = with_snapshot(lambda session: use.find_contracts(session, day, name=name, product=product))
    if as_json:
        for one in view.contracts:
            typer.echo(json.dumps(_as_json(one)))
        return
    _print_contracts(view, day)


def _print_contracts(view: SuppliersView, day: date) -> None:
    rows = [
        (
            one.end.isoformat() if one.end else "not said",
            *(plain(text, 60) for text in (full_name_on(one.authority, day), one.supplier, one.product)),
            one.reference,
        )
        for one in view.contracts
    ]
    print_rows(("ends", "council", "supplier", "product", "contract or plan"), rows)
    if view.ratings:
        counts = ", ".join(f"{count} {rating}" for rating, count in view.ratings.items())
        typer.echo(f"Rated by authorities, one vote each: {counts}.", err=not sys.stdout.isatty())


def _print_groups(groups: list[SupplierGroup], day: date, *, as_json: bool) -> None:
    for group in groups:
        if as_json:
            contracts = [_as_json(one) for one in group.contracts]
            typer.echo(json.dumps({"supplier": group.supplier, "councils": group.authorities, "contracts": contracts}))
            continue
        typer.echo(f"{group.authorities} councils' contracts with {plain(group.supplier, 80)} end within a year:")
        for one in group.contracts:
            typer.echo(f"  {one.end}  {plain(full_name_on(one.authority, day), 60)}  {plain(one.product, 60)}")
    if not as_json:
        typer.echo(_APART if groups else "No three councils' contracts with one supplier end within a year.")


def _as_json(one: SupplierContract) -> dict[str, str | None]:
    return {
        "authority": one.authority,
        "reference": one.reference,
        "supplier": one.supplier,
        "product": one.product,
        "end": one.end.isoformat() if one.end else None,
    }
