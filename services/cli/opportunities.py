"""`jointly opportunities` and `jointly explain`: lists and explains opportunities, for users and programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_authority, canonical_plan_id
from events.opportunities import Band
from services.application import explain as explaining
from services.application.explain import ExplainError
from services.cli.database import with_snapshot
from services.cli.days import DAY, read_day
from services.cli.errors import fail
from services.cli.terminal import plain, print_count, print_rows
from services.domain.disclosure import is_private
from services.domain.opportunity_status import OpportunityStatus
from services.platform.clock import today
from services.platform.settings import settings
from services.store import introductions, plans
from services.store import opportunities as store

NOT_FOUND = 1

_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Said = Mapping[str, Any]


def opportunities(
    authority: Annotated[str | None, typer.Option(help="Only opportunities of this authority (code).")] = None,
    band: Annotated[Band | None, typer.Option(help="Only this band.")] = None,
    status: Annotated[
        OpportunityStatus, typer.Option(help="Active or withdrawn opportunities.")
    ] = OpportunityStatus.ACTIVE,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number of opportunities shown.")] = 50,
    as_json: _Json = False,
) -> None:
    """List the opportunities, the best first. Facts that an authority does not share are left out."""

    code = canonical_authority(authority) if authority else None

    async def read(session: AsyncSession) -> list[Said]:
        rows = await store.find(session, authority=code, band=band, status=status, limit=limit)
        stored = await plans.by_id(session, {plan_id for row in rows for plan_id in (row.plan_a, row.plan_b)})
        introduced = await introductions.agreed(session, [row.opportunity_id for row in rows]) if code else ()
        return [explaining.redact_for_now(row, stored, code, introduced) for row in rows]

    found = with_snapshot(read, authority=code)
    if as_json:
        for payload in found:
            typer.echo(json.dumps(payload))
        return
    ids = [payload["opportunity_id"] for payload in found]
    print_rows(("band", "score", "plans", "both can tender", "decide by"), [_row(payload) for payload in found], ids)
    print_count(len(found), "opportunity", "opportunities", limit)


def _row(payload: Said) -> Sequence[str]:
    score, window = payload["score"], payload["common_window"]
    return (
        payload["band"],
        "" if score is None else f"{score:.0f}",
        "\n".join(_side(side) for side in payload["plans"]),
        f"{window['earliest']} to {window['latest']}" if window else "",
        payload["decide_by"] or "",
    )


def explain(
    plan: Annotated[str, typer.Argument(help="A plan's id, for example E09000015:ICT-0042.")],
    partner: Annotated[
        str | None, typer.Argument(help="Another plan's id; without it, the plan's best partners.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=read_day, metavar=DAY, help="Day to assess on (YYYY-MM-DD); default: today."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100, help="Without a partner: maximum number of partners shown.")
    ] = 5,
    as_json: _Json = False,
) -> None:
    """Explain two plans: each component's score, the gates, and changes that would help; or a plan and its best
    partners."""
    using = settings()
    plan = canonical_plan_id(plan)
    partner = canonical_plan_id(partner) if partner else None

    async def read(session: AsyncSession) -> tuple[str | None, Said]:
        view = await explaining.open_context(session, using, today(as_of.date() if as_of else using.as_of))
        if partner is None:
            return view.warning, await explaining.explain_plan(view, plan, limit)
        return view.warning, await explaining.explain_pair(view, plan, partner)

    try:
        warning, said = with_snapshot(read)
    except ExplainError as error:
        fail(str(error), NOT_FOUND)
    if warning:
        print(warning, file=sys.stderr)  # noqa: T201
    if as_json:
        typer.echo(json.dumps(said))
    elif partner is None:
        _print_standing(said)
    else:
        _print_pair(said)
        if said.get("opportunity"):
            typer.echo(f"\nIn the database: {said['opportunity']['status']}, {said['opportunity']['opportunity_id']}")


def _print_standing(said: Said) -> None:
    plan = said["plan"]
    typer.echo(_side(plan))
    state = "quarantined: its assessment failed" if plan["set_aside"] else "assessed" if plan["assessed"] else "pending"
    typer.echo(f"{plan['status']}, revision {plan['revision']}, {plan['stage']}, shared as {plan['sharing']}, {state}")
    typer.echo(f"tenders {_span(plan['tender_window'])}, as of {said['as_of']}")
    if is_private(plan):
        typer.echo("A private plan is never matched.")
        return
    typer.echo(f"\n{len(said['partners']) or 'No'} partners" + (", best first:" if said["partners"] else "."))
    for partner in said["partners"]:
        _print_partner(partner)
    if said["closest_gated"]:
        typer.echo("\nAlike, but no opportunity:")
    for partner in said["closest_gated"]:
        _print_partner(partner)


def _print_partner(said: Said) -> None:
    score = f" {said['score']:.1f}" if "score" in said else ""
    typer.echo(f"\n  {said['band']}{score}  {_side(said['sides'][1])}")
    for gate in said.get("gates", ()):
        typer.echo(f"    {gate['code']}: {plain(gate['sentence'])}")
    for sentence in (*said["reasons"], *said.get("would_change", ())):
        typer.echo(f"    {plain(sentence)}")


def _print_pair(said: Said) -> None:
    for side in said.get("sides", ()):
        typer.echo(
            f"{_side(side)}\n  tenders {_span(side['tender_window'])}, {', '.join(side['regions']) or 'own area'}"
        )
    score = f", {said['score']:.1f} of 100" if "score" in said else ""
    typer.echo(f"\n{said['band']}{score}, as of {said['as_of']}")
    if "components" in said:
        typer.echo(f"\n(of two values, the first is of {said['order'][0]})")
        for name, component in said["components"].items():
            typer.echo(f"{name} {component['value']:.3f}")
            for what, seen in component["saw"].items():
                typer.echo(f"    {what.replace('_', ' ')}: {_seen(seen)}")
    for heading, sentences in (
        ("Gates", [f"{gate['code']}: {gate['sentence']}" for gate in said.get("gates", ())]),
        ("Reasons", said["reasons"]),
        ("What would change it", said.get("would_change", ())),
    ):
        if sentences:
            typer.echo(f"\n{heading}")
            for sentence in sentences:
                typer.echo(f"    {plain(sentence)}")


def _side(side: Said) -> str:
    title = f": {plain(side['title'], 120)}" if side.get("title") else ""
    return f"{plain(side['authority_name'], 80)} ({side['plan_id'] or side['authority']}){title}"


def _span(window: Sequence[str]) -> str:
    return f"{window[0]} to {window[1]}"


def _seen(value: Any) -> str:
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            # Nested lists belong to one plan each.
            between = " | " if any(isinstance(one, list) for one in value) else ", "
            return between.join(_seen(one) for one in value) or "none"
        case _:
            return plain(str(value))
