"""The lines about frameworks that an authority sees before it goes to market: check first, use jointly. Pure."""

from collections.abc import Mapping
from typing import Final

from matching.text.formatting import join_words, sanitise_line

Usable = Mapping[str, str]
"""The titles of the frameworks that a plan can use on its day of need, by reference, the most likely first."""

MAX_NAMED: Final = 2
"""The most frameworks that a prompt names; the check lists all."""
_MAX_COUNCILS: Final = 4


def check_first(count: int) -> str | None:
    """The line for pages and emails; None if no framework covers the plan."""
    if not count:
        return None
    return f"Check first: {'1 framework covers' if count == 1 else f'{count} frameworks cover'} this."


def framework_prompts(own: Usable, others: Mapping[str, Usable]) -> tuple[str, ...]:
    """Build the lines about frameworks for a match or a group.

    `own` are the frameworks that the reader's plan can use, `others` those of each other council's plan, by the
    council's name. A framework that covers several of the plans is named as one to use jointly.
    """
    line = check_first(len(own))
    if line is None:
        return ()
    shared = {key: [name for name, theirs in others.items() if key in theirs] for key in own}
    # The sort is stable: among equal counts the most likely framework stays first.
    best = sorted((key for key in own if shared[key]), key=lambda key: -len(shared[key]))[:MAX_NAMED]
    return (
        line,
        *(_use_jointly(f"{sanitise_line(own[key], 100)} ({sanitise_line(key, 40)})", shared[key]) for key in best),
    )


def _use_jointly(framework: str, councils: list[str]) -> str:
    named = councils[:_MAX_COUNCILS]
    more = [f"{len(councils) - len(named)} more"] if len(councils) > len(named) else []
    return f"Use jointly: {framework} also covers what {join_words([*named, *more])} {_plan(councils)}."


def _plan(councils: list[str]) -> str:
    return "plans" if len(councils) == 1 else "plan"
