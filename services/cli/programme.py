"""`jointly programme`: the numbers of the programme office as of any day, each with its definition."""

import json
import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_authority
from services.application import programme as use
from services.cli.database import with_snapshot
from services.cli.days import DAY, read_day
from services.cli.errors import fail
from services.cli.responses import USAGE
from services.domain.programme.report import Measure
from services.platform.clock import today
from services.platform.settings import settings


class Format(StrEnum):
    """How the report is written."""

    PAGE = "page"
    JSON = "json"
    CSV = "csv"


def programme(
    as_of: Annotated[
        datetime | None, typer.Option(parser=read_day, metavar=DAY, help="The day of the report; today if left out.")
    ] = None,
    authority: Annotated[
        str | None, typer.Option(help="Only the numbers about this authority, for itself (code).")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(help="Assumed saving of a joint purchase in per cent, such as 2-5.")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="Output format: one page, JSON, or CSV for a spreadsheet.")
    ] = Format.PAGE,
) -> None:
    """Print the programme's measures: sharing, coverage, funnel, precision, worth, routes, invitations."""
    day = as_of.date() if as_of else today(settings().as_of)
    code = canonical_authority(authority) if authority else None
    try:
        parts = use.read_rate(rate or "")
    except ValueError as error:
        fail(f"--rate: {error}", USAGE)

    async def read(session: AsyncSession) -> list[Measure]:
        return await use.measures(session, day, authority=code, rate=parts)

    found = with_snapshot(read, authority=code)
    if form is Format.JSON:
        typer.echo(json.dumps(use.report_json(found, day)))
    elif form is Format.CSV:
        sys.stdout.write(use.report_csv(found, day))
    else:
        for line in use.report_page(found, day, code):
            typer.echo(line)
