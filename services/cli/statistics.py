"""`jointly statistics build`: counts word frequencies in a set of plans, for an installation's own statistics."""

from pathlib import Path
from typing import Annotated

import typer

from matching.corpus_statistics import build_statistics
from matching.plan import Plan
from matching.policy import Policy
from services.cli.database import with_database
from services.cli.offline import read_plans, say
from services.platform.files import SHARED, write_atomically
from services.store.database import Sessions, transaction
from services.store.mapping import plan_from_store
from services.store.plans import by_id, matchable

app = typer.Typer(no_args_is_help=True, help="Corpus statistics: how rare a word is.")


@app.callback()
def _statistics() -> None:
    """Corpus statistics: how rare a word is among plans. They are pinned: a change makes a new generation."""


@app.command()
def build(
    output: Annotated[Path, typer.Option(help="The file to write.")],
    plans: Annotated[Path | None, typer.Option(help="Plan payloads, one JSON object a line.")] = None,
    database: Annotated[
        bool, typer.Option("--database", help="Count the plans in JOINTLY_DATABASE_URL that could be partners now.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the statistics, such as the source and the date.")] = "own",
    policy: Annotated[
        Path | None, typer.Option(help="Policy file whose needs are counted; default: the shipped one.")
    ] = None,
) -> None:
    """Count words, word pairs and named needs over the plans of a file or of the database. The result holds counts, no
    text."""
    if (plans is None) is not database:
        say("give the plans: either --plans FILE or --database")
        raise typer.Exit(2)
    every = read_plans(plans) if plans else with_database(_stored, limited=False)
    found = build_statistics(every, name, Policy.load(policy))
    write_atomically(output, found.dumps(), SHARED)
    say(f"counted {len(found.words)} words over {found.documents} plans: {found.version} in {output}")
    if found.documents < _FEW:
        say(f"fewer than {_FEW} plans say little about rarity: the shipped statistics may serve you better")


async def _stored(sessions: Sessions) -> list[Plan]:
    """Return the newest state of every plan in the database that could be a partner: active and not private."""
    # One snapshot, so that each plan is counted once even if it changes meanwhile.
    async with transaction(sessions, isolation="REPEATABLE READ") as session:
        ids = sorted(await matchable(session))
        found: list[Plan] = []
        for start in range(0, len(ids), _BLOCK):
            held = await by_id(session, ids[start : start + _BLOCK])
            found += [plan for stored in held.values() if (plan := plan_from_store(stored)) is not None]
        return found


_FEW = 500
_BLOCK = 1000

if __name__ == "__main__":
    app()
