"""`jointly rebuild`, `jointly reassess`, `jointly state-hash`: recompute everything, from the log or under other
rules."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final

import typer

from services.cli.database import with_database
from services.cli.days import DAY, read_day
from services.cli.errors import fail
from services.cli.lazy_encoder import embed_missing
from services.cli.terminal import plain
from services.domain.materiality import HYSTERESIS_POINTS
from services.domain.opportunity_status import OpportunityStatus
from services.domain.reorganisation import full_name_on
from services.maintenance.apply_rebuild import RebuildApplied, apply_rebuild
from services.maintenance.notification_forecast import NotificationForecast, forecast
from services.maintenance.reassess import ChangeKind, OpportunityChange, ReassessError
from services.maintenance.reassess import preview_reassessment as preview_changes
from services.maintenance.reassess import reassess as move_generation
from services.maintenance.rebuild import RebuildError, RebuildReport, compare
from services.matcher.app import make_context
from services.matcher.context import MatcherContext
from services.matcher.stored_context import load_stored_context
from services.platform import logs, retry
from services.platform.clock import today
from services.platform.settings import settings
from services.store import generation, shadow_tables
from services.store.database import Sessions, transaction
from services.store.state_hash import state_hash as hash_of

DIFFERENT: Final = 1
FAULT: Final = 2
_SHOWN: Final = 20

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON line.")]


def state_hash(as_json: _Json = False) -> None:
    """Print one hash of all plans and active pairs. Two databases in the same state have the same hash."""

    async def read(sessions: Sessions) -> Any:
        async with transaction(sessions, isolation="REPEATABLE READ") as session:
            return await hash_of(session)

    found = with_database(read, limited=False)
    typer.echo(
        json.dumps(found.as_json()) if as_json else f"{found.sha256}  {found.plans} plans, {found.pairs} active pairs"
    )


def rebuild(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 if anything differs.")] = False,
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=read_day, metavar=DAY, help="Day to assess new pairs on (YYYY-MM-DD); default: today."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Recompute all plans and pairs from the plan log, compare, and repair differences. Nobody is notified."""
    using = settings()
    # A matcher's log line for each plan would bury this command's output.
    logs.setup("rebuild", "WARNING")
    day = today(as_of.date() if as_of else using.as_of)

    found, done = with_database(lambda sessions: compare_with_log(sessions, day, mend=not check), limited=False)
    if as_json:
        typer.echo(json.dumps(_comparison(found, done), default=str))
    else:
        _print_comparison(found, done)
    if check and not found.equal:
        raise typer.Exit(DIFFERENT)


def reassess(
    yes: Annotated[
        bool, typer.Option("--yes", help="Move the database and assess every plan; changes cause notifications.")
    ] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only print the changes and notifications; the default.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Assess every plan even if the database already has this generation.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Move the database to this policy, these statistics and this model. The preview shows the changes and
    notifications."""
    if yes and preview:
        fail("choose --preview or --yes", FAULT)
    logs.setup("reassess", "WARNING")
    if yes:
        left = with_database(
            lambda sessions: move_generation(_context(), sessions, _progress, again=again), limited=False
        )
        said = f"{left} plans are left to the matchers" if left else "every plan is assessed"
        typer.echo(json.dumps({"left": left}) if as_json else said)
        return

    async def look(sessions: Sessions) -> tuple[str, str, list[OpportunityChange], list[NotificationForecast]]:
        context = _context()
        async with transaction(sessions, isolation="REPEATABLE READ") as view:
            current = await generation.read(view)
            if current is None:
                raise ReassessError("the database has no plans yet; start a matcher and publish some")
            changes = await preview_changes(context, view, _progress)
            return current.generation, context.generation.generation, changes, await forecast(view, changes)

    before, after, changes, told = with_database(look, limited=False)
    day = today(settings().as_of)
    if as_json:
        typer.echo(json.dumps(_previewed(before, after, changes, told, day)))
    else:
        _print_preview(before, after, changes, told, day)


async def compare_with_log(
    sessions: Sessions, day: date, *, mend: bool = False
) -> tuple[RebuildReport, RebuildApplied | None]:
    """Return the differences between the plan log and the live tables, and repair them if `mend`. Drops its shadow
    tables."""
    async with transaction(sessions, isolation="REPEATABLE READ") as view:
        stored = await load_stored_context(view, settings(), embed_missing)
        if stored is None:
            raise RebuildError("the database has no plans yet; start a matcher and publish some")
        context, _ = stored
        found = await compare(context, sessions, view, day, _progress)
        done = await retry.retry_lost_races(lambda: apply_rebuild(sessions, found)) if mend else None
        async with transaction(sessions) as session:
            await shadow_tables.drop(session)
    return found, done


def _context() -> MatcherContext:
    return make_context(settings())


def _progress(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        print(f"\r{what}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)  # noqa: T201


def _comparison(found: RebuildReport, done: RebuildApplied | None) -> dict[str, Any]:
    assert found.live is not None
    assert found.rebuilt is not None
    return {
        "equal": found.equal,
        "generation": found.generation,
        "as_of": found.as_of.isoformat(),
        "live": found.live.as_json(),
        "rebuilt": found.rebuilt.as_json(),
        "plans": [{"plan_id": d.plan_id, "live": d.live and d.live[0], "rebuilt": d.rebuilt} for d in found.plans],
        "pairs": [
            {
                "opportunity_id": d.opportunity_id,
                "plans": d.plans,
                "live": d.live,
                "rebuilt": d.rebuilt,
                "untold": d.untold,
            }
            for d in found.pairs
        ],
        "waiting_plans": found.waiting_plans,
        "waiting_pairs": found.waiting_pairs,
        "replaced": None if done is None else {"plans": done.plans, "pairs": done.pairs, "moved_on": done.moved_on},
    }


def _print_comparison(found: RebuildReport, done: RebuildApplied | None) -> None:
    assert found.live is not None
    assert found.rebuilt is not None
    typer.echo(f"live     {found.live.sha256}  {found.live.plans} plans, {found.live.pairs} active pairs")
    typer.echo(f"rebuilt  {found.rebuilt.sha256}  {found.rebuilt.plans} plans, {found.rebuilt.pairs} active pairs")
    if found.waiting_plans:
        typer.echo(
            f"{found.waiting_plans} plans are still to be assessed; {found.waiting_pairs} pairs of theirs left out"
        )
    for plan in found.plans[:_SHOWN]:
        live = "missing" if plan.live is None else f"revision {plan.live[0]}"
        typer.echo(f"plan {plan.plan_id}: {live}, by the log {plan.rebuilt or 'none'}")
    for pair in found.pairs[:_SHOWN]:
        live = "missing" if pair.live is None else _said(pair.live)
        typer.echo(f"pair {' + '.join(pair.plans)}: {live}, by the log {_said(pair.rebuilt)}")
    if max(len(found.plans), len(found.pairs)) > _SHOWN:
        typer.echo("... and more: see --json")
    typer.echo("equal" if found.equal else f"{len(found.plans)} plans and {len(found.pairs)} pairs differ")
    if untold := sum(pair.untold for pair in found.pairs):
        typer.echo(f"the last notification of {untold} pairs is out of date")
    if untold and done is None:
        typer.echo("`jointly reassess --again --yes` repairs and notifies, `jointly rebuild` repairs without notifying")
    if done is not None:
        typer.echo(f"replaced {done.plans} plans and {done.pairs} pairs, told nobody")
        if done.moved_on:
            typer.echo(f"{done.moved_on} pairs were assessed again meanwhile and stay as they are")


def _said(state: tuple[str, float, str]) -> str:
    status, score, band = state
    return f"{band} {score:.2f}" if status == OpportunityStatus.ACTIVE else status


def _previewed(
    before: str, after: str, changes: Sequence[OpportunityChange], told: Sequence[NotificationForecast], day: date
) -> dict[str, Any]:
    return {
        "from": before,
        "to": after,
        "pairs": len(changes),
        "changes": dict(Counter(change.kind for change in changes)),
        "authorities": [
            {
                "authority": one.authority,
                "name": full_name_on(one.authority, day),
                "changes": one.changes,
                "tells": one.tells,
            }
            for one in told
        ],
    }


def _print_preview(
    before: str, after: str, changes: Sequence[OpportunityChange], told: Sequence[NotificationForecast], day: date
) -> None:
    typer.echo(f"from generation {before} to {after}" + (" (the same)" if before == after else ""))
    counts = Counter(change.kind for change in changes)
    typer.echo(f"{len(changes):6}  pairs change:")
    for kind, meaning in _KINDS.items():
        typer.echo(f"{counts[kind]:6}  {meaning}")
    for one in told:
        kinds = ", ".join(f"{count} {kind}" for kind, count in one.changes.items())
        mails = ", ".join(f"{count} {purpose}" for purpose, count in one.tells.items()) or "nothing"
        typer.echo(f"{plain(full_name_on(one.authority, day), 60)} ({one.authority}): {kinds}; notifications: {mails}")
    typer.echo("nothing was written; `jointly reassess --yes` does it")


_KINDS: Final = {
    ChangeKind.IDENTIFIED: "newly identified",
    ChangeKind.WITHDRAWN: "withdrawn",
    ChangeKind.BAND: "changed band",
    ChangeKind.WINDOW: "common window moved",
    ChangeKind.BAND_WITHIN_MARGIN: (
        f"changed band, but by less than {HYSTERESIS_POINTS:.0f} points since the last notification: no notification"
    ),
    ChangeKind.SCORE: "changed score only: no notification",
    ChangeKind.DETAIL: "changed in detail only (reasons, generation): no notification",
}
