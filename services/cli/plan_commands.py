"""`jointly plans`: lists plans to confirm and the revisions of a plan, and resets a plan to an earlier one."""

import json
from typing import Annotated, Final

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_authority, canonical_plan_id
from services.application import programme
from services.cli.database import with_database, with_snapshot
from services.cli.errors import fail
from services.cli.terminal import plain, print_rows, print_total
from services.domain.programme.shares import PlanHistory
from services.maintenance.plan_reset import ResetError
from services.maintenance.plan_reset import reset as set_back
from services.platform.clock import today
from services.platform.settings import settings
from services.store import plan_resets
from services.store.database import Sessions
from services.store.plan_resets import LoggedRevision, PlanReset

app = typer.Typer(no_args_is_help=True, help="List plans to confirm and a plan's revisions; reset a plan.")

REFUSED: Final = 1
USAGE: Final = 2

_Plan = Annotated[str, typer.Argument(help="The plan's id, for example E09000015:ICT-0042.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@app.command("stale")
def stale(
    authority: Annotated[str | None, typer.Option(help="Only plans of this authority (code).")] = None,
    as_json: _Json = False,
) -> None:
    """List shared plans that their authorities have not confirmed for six months; `jointly confirm PLAN` does."""
    code = canonical_authority(authority) if authority else None
    day = today(settings().as_of)

    async def read(session: AsyncSession) -> list[PlanHistory]:
        return await programme.stale_plans(session, day, code)

    found = with_snapshot(read, authority=code)
    if as_json:
        for one in found:
            typer.echo(json.dumps({"plan_id": one.plan_id, "last_sent": str(one.last_own)}))
        return
    rows = [(one.plan_id, str(one.last_own), f"jointly confirm {one.plan_id}") for one in found]
    print_rows(("plan", "last sent", "still true?"), rows)
    print_total(f"{len(found)} not confirmed for six months" if found else "every shared plan is confirmed")


@app.command("revisions")
def revisions(plan: _Plan, as_json: _Json = False) -> None:
    """List a plan's revisions in the log, the highest first, and its resets. Exit code 1: there is no such plan."""
    plan_id = canonical_plan_id(plan)

    async def look(sessions: Sessions) -> tuple[list[LoggedRevision], list[PlanReset]]:
        async with sessions() as session:
            logged = await plan_resets.revisions_of(session, plan_id)
            return list(logged), list(await plan_resets.resets_of(session, plan_id))

    logged, resets = with_database(look)
    if not logged:
        fail(f"the plan log has no plan {plain(plan_id, 200)}", REFUSED)
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
    to: Annotated[int, typer.Option(help="The logged revision to reset the plan to.")],
    operator: Annotated[str, typer.Option("--by", help="The person who decided it; recorded.")],
    reason: Annotated[str, typer.Option("--why", help="The reason; recorded.")],
    as_json: _Json = False,
) -> None:
    """Reset a plan to a revision: later revisions are annulled, and the next one above --to is accepted again.

    For a plan that was once published under far too high a revision. The command records the person, the time and the
    reason. Matchers assess the plan again within a minute, and changes cause notifications. Exit code 0: done. 1:
    refused. 2: wrong usage.
    """
    if not operator.strip() or not reason.strip():
        fail("--by and --why must name the person and the reason; nothing was changed", USAGE)
    plan_id = canonical_plan_id(plan)
    try:
        done = with_database(lambda sessions: set_back(sessions, plan_id, to, operator.strip(), reason.strip()))
    except ResetError as error:
        fail(str(error), REFUSED)
    if as_json:
        typer.echo(json.dumps({"reset": done.id, "plan_id": plan_id, "from": done.from_revision, "to": to}))
    else:
        typer.echo(f"reset {done.id}: {plan_id} was reset from revision {done.from_revision} to {to}")


def _as_json(one: LoggedRevision) -> dict[str, object]:
    return {
        "revision": one.revision,
        "type": one.event_type,
        "received_at": one.received_at.isoformat(),
        "annulled_by": one.annulled_by,
    }
