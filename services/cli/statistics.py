"""`jointly statistics build`: counts how rare words are in a set of plans, for a matcher of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from matching.policy import Policy, PolicyError
from matching.statistics import build_statistics
from services.cli.offline import PlanFileError, read_plans, say

app = typer.Typer(no_args_is_help=True, help="Corpus statistics: how rare a word is.")


@app.callback()
def _statistics() -> None:
    """Corpus statistics: how rare a word is among plans. Pinned: changing them is a new generation."""


@app.command()
def build(
    plans: Annotated[Path, typer.Option(help="Plan payloads, one JSON object a line.")],
    output: Annotated[Path, typer.Option(help="The file to write.")],
    name: Annotated[str, typer.Option(help="A name that says what was counted and when.")] = "own",
    policy: Annotated[Path | None, typer.Option(help="Whose needs to count; the shipped policy if not given.")] = None,
) -> None:
    """Count words, pairs of words and named needs over the plans of a file. The file keeps counts, no text."""
    try:
        every = read_plans(plans)
        found = build_statistics(every, name, Policy.load(policy))
        output.write_text(found.dumps(), encoding="utf-8")
    except (PlanFileError, PolicyError, OSError) as error:
        say(str(error))
        raise typer.Exit(2) from error
    say(f"counted {len(found.words)} words over {found.documents} plans: {found.version} in {output}")
    if found.documents < _FEW:
        say(f"fewer than {_FEW} plans say little about rarity: the shipped statistics may serve you better")


_FEW = 500

if __name__ == "__main__":
    app()
