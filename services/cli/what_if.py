"""`jointly what-if`: what other dates of a plan would gain and lose. Nothing is written."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_plan_id
from matching.plan import Window
from matching.text.formatting import format_date_range, join_words
from services.application import explain as explaining
from services.application.explain import ExplainError
from services.application.what_if import Change, GroupChange, PartnerChange, WhatIf
from services.application.what_if import what_if as try_change
from services.cli.database import with_snapshot
from services.cli.days import DAY, read_day
from services.cli.errors import ExitCode
from services.cli.terminal import plain
from services.domain.entered_days import YearError, entered_iso_day
from services.platform.clock import today
from services.platform.settings import settings


def what_if(
    plan: Annotated[str, typer.Argument(help="A plan's id, for example E09000015:ICT-0042.")],
    window: Annotated[
        str | None, typer.Option(help="Another tender window: first and last day, YYYY-MM-DD/YYYY-MM-DD.")
    ] = None,
    months: Annotated[
        int | None,
        typer.Option(min=-120, max=120, help="Months to move the whole window by; negative: earlier."),
    ] = None,
    extension: Annotated[
        int | None, typer.Option(min=0, max=240, help="Months by which the present contract may be extended.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=read_day, metavar=DAY, help="Day to assess on (YYYY-MM-DD); default: today."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Try other dates of a plan and show who would be gained and lost, groups included. Nothing is written.

    It counts only matches at notify or digest, and only plans that are shared openly.
    """
    using, change = settings(), _change(window, months, extension)
    plan = canonical_plan_id(plan)

    async def read(session: AsyncSession) -> tuple[str | None, WhatIf]:
        view = await explaining.open_context(session, using, today(as_of.date() if as_of else using.as_of))
        return view.warning, await try_change(view, plan, change)

    try:
        warning, found = with_snapshot(read)
    except ExplainError as error:
        print(plain(str(error)), file=sys.stderr)  # noqa: T201
        raise typer.Exit(ExitCode.REFUSED) from None
    if warning:
        print(warning, file=sys.stderr)  # noqa: T201
    if as_json:
        typer.echo(json.dumps(asdict(found), default=date.isoformat))
    else:
        _print(found)


def _change(window: str | None, months: int | None, extension: int | None) -> Change:
    if sum(one is not None for one in (window, months, extension)) != 1:
        raise typer.BadParameter("give one of --window, --months and --extension")
    return Change(_window(window) if window is not None else None, months, extension)


def _window(text: str) -> Window:
    first, slash, last = text.partition("/")
    try:
        days = entered_iso_day(first), entered_iso_day(last)
    except YearError as error:
        raise typer.BadParameter(str(error), param_hint="--window") from None
    except ValueError:
        days = None
    if not slash or days is None or days[0] > days[1]:
        raise typer.BadParameter(
            "a window is its first and last day, such as 2027-09-01/2027-12-31", param_hint="--window"
        )
    return Window(*days)


def _print(found: WhatIf) -> None:
    extended = f", extension up to {found.extension_months} months" if found.extension_months else ""
    typer.echo(f"{found.plan_id}: tender {format_date_range(*found.window)}{extended}, as of {found.as_of}")
    typer.echo(f"{len(found.gained)} gained, {len(found.lost)} lost, {found.kept} kept")
    for sign, partners in (("+", found.gained), ("-", found.lost)):
        for one in partners:
            _print_partner(sign, one)
    for sign, groups in (("+", found.groups_gained), ("-", found.groups_lost)):
        _print_groups(sign, groups)
    typer.echo("Nothing was changed.")


def _print_partner(sign: str, one: PartnerChange) -> None:
    score = f" {one.score:.1f}" if one.score is not None else ""
    name = f"{plain(one.authority_name, 80)} ({one.plan_id}): {plain(one.title, 120)}"
    typer.echo(f"{sign} {one.band}{score}  {name}")
    for sentence in one.because:
        typer.echo(f"    {plain(sentence, 300)}")


def _print_groups(sign: str, groups: Sequence[GroupChange]) -> None:
    for one in groups:
        councils = join_words([plain(name, 80) for name in one.councils])
        typer.echo(f"{sign} group of {len(one.plans)}: {councils}, together {format_date_range(*one.window)}")
        if one.because:
            typer.echo(f"    {plain(one.because, 300)}")
