"""What an authority is told of frameworks before it goes to market: "check first" and "use jointly". Pure."""

from collections.abc import Mapping
from typing import Final

from matching.text.formatting import listed, quote

Usable = Mapping[str, str]
"""The titles of the frameworks that a plan can use on its day of need, by reference, the likest first."""

MAX_NAMED: Final = 2
"""How many frameworks a prompt names; the check lists all."""
_MAX_COUNCILS: Final = 4


def check_first(count: int) -> str | None:
    """The line for pages and emails; None where no framework covers the plan."""
    if not count:
        return None
    return f"Check first: {'1 framework covers' if count == 1 else f'{count} frameworks cover'} this."


def framework_prompts(own: Usable, others: Mapping[str, Usable]) -> tuple[str, ...]:
    """What to say of a match or a group: `own` are the frameworks that the reader's plan can use, `others` those of
    each other council's plan by its name. A framework that covers several of the plans is named as one to use jointly.
    """
    line = check_first(len(own))
    if line is None:
        return ()
    shared = {key: [name for name, theirs in others.items() if key in theirs] for key in own}
    # Stable: of two that cover as many, the likest stays in front.
    best = sorted((key for key in own if shared[key]), key=lambda key: -len(shared[key]))[:MAX_NAMED]
    return (line, *(_use_jointly(f"{quote(own[key], 100)} ({quote(key, 40)})", shared[key]) for key in best))


def _use_jointly(framework: str, councils: list[str]) -> str:
    named = councils[:_MAX_COUNCILS]
    more = [f"{len(councils) - len(named)} more"] if len(councils) > len(named) else []
    return f"Use jointly: {framework} also covers what {listed([*named, *more])} {_plan(councils)}."


def _plan(councils: list[str]) -> str:
    return "plans" if len(councils) == 1 else "plan"
