"""`jointly plans`: plans to confirm, the revisions of one plan, and setting back one that takes no lower ones."""

import json
from typing import Annotated, Final

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_authority, canonical_plan_id
from services.application import programme
from services.cli.database import with_database, with_snapshot
from services.cli.terminal import plain
from services.domain.programme.shares import PlanHistory
from services.maintenance.plan_reset import ResetError
from services.maintenance.plan_reset import reset as set_back
from services.platform.clock import today
from services.platform.settings import settings
from services.store import plan_resets
from services.store.database import Sessions
from services.store.plan_resets import LoggedRevision, PlanReset

app = typer.Typer(no_args_is_help=True, help="Plans to confirm, the revisions of a plan, and setting one back.")

REFUSED: Final = 1
USAGE: Final = 2

_Plan = Annotated[str, typer.Argument(help="The plan's id, for example E09000015:ICT-0042.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@app.command("stale")
def stale(
    authority: Annotated[str | None, typer.Option(help="Only this authority's, by its code.")] = None,
    as_json: _Json = False,
) -> None:
    """List shared plans that their authorities have not confirmed for six months; `jointly confirm PLAN` does."""
    code = canonical_authority(authority) if authority else None
    day = today(settings().as_of)

    async def read(session: AsyncSession) -> list[PlanHistory]:
        return await programme.stale_plans(session, day, code)

    found = with_snapshot(read)
    for one in found:
        if as_json:
            typer.echo(json.dumps({"plan_id": one.plan_id, "last_sent": str(one.last_own)}))
        else:
            typer.echo(f"{one.plan_id}  last sent {one.last_own}: still true? jointly confirm {one.plan_id}")
    if not as_json:
        typer.echo(f"{len(found)} not confirmed for six months" if found else "every shared plan is confirmed")


@app.command("revisions")
def revisions(plan: _Plan, as_json: _Json = False) -> None:
    """List the revisions of a plan in the log, the highest first, and its resets. Exit code 1: there is none."""
    plan_id = canonical_plan_id(plan)

    async def look(sessions: Sessions) -> tuple[list[LoggedRevision], list[PlanReset]]:
        async with sessions() as session:
            logged = await plan_resets.revisions_of(session, plan_id)
            return list(logged), list(await plan_resets.resets_of(session, plan_id))

    logged, resets = with_database(look)
    if not logged:
        typer.echo(f"the plan log has no plan {plain(plan_id, 200)}", err=True)
        raise typer.Exit(REFUSED)
    for one in logged:
        if as_json:
            typer.echo(json.dumps(_as_json(one)))
            continue
        note = f"  annulled by reset {one.annulled_by}" if one.annulled_by else ""
        kind = one.event_type.split(".")[2]
        typer.echo(f"{one.revision}  {kind}  received {one.received_at:%Y-%m-%d %H:%M:%S}{note}")
    for done in () if as_json else resets:
        what = f"reset {done.id}, {done.at:%Y-%m-%d %H:%M:%S}: from {done.from_revision} to {done.to_revision}"
        typer.echo(f"{what}, by {plain(done.operator, 80)}: {plain(done.reason, 300)}")


@app.command("reset")
def reset(
    plan: _Plan,
    to: Annotated[int, typer.Option(help="The revision of the log that the plan is to stand at.")],
    operator: Annotated[str, typer.Option("--by", help="Who decided it; it is kept.")],
    reason: Annotated[str, typer.Option("--why", help="Why; it is kept.")],
    as_json: _Json = False,
) -> None:
    """Set a plan back: revisions above --to no longer count, and any that is higher than it is taken again.

    For a plan that was published once under far too high a revision. Who did it, when and why is kept. Matchers
    assess the plan anew within a minute, and tell of what changes. Exit code 0: done. 1: refused. 2: wrong usage.
    """
    if not operator.strip() or not reason.strip():
        typer.echo("--by and --why must say who decided it, and why; nothing was changed", err=True)
        raise typer.Exit(USAGE)
    plan_id = canonical_plan_id(plan)
    try:
        done = with_database(lambda sessions: set_back(sessions, plan_id, to, operator.strip(), reason.strip()))
    except ResetError as error:
        typer.echo(plain(str(error)), err=True)
        raise typer.Exit(REFUSED) from None
    if as_json:
        typer.echo(json.dumps({"reset": done.id, "plan_id": plan_id, "from": done.from_revision, "to": to}))
    else:
        typer.echo(f"reset {done.id}: {plan_id} was set back from revision {done.from_revision} to {to}")


def _as_json(one: LoggedRevision) -> dict[str, object]:
    return {
        "revision": one.revision,
        "type": one.event_type,
        "received_at": one.received_at.isoformat(),
        "annulled_by": one.annulled_by,
    }
