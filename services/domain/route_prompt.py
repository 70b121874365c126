"""The lines about routes beside a coalition: those that members have checked, and those that nobody has. Pure."""

from collections.abc import Mapping
from typing import Final

from events.responses import RouteOutcome, RouteStep
from services.domain.route import CoalitionRoutes, RouteEntry

STEP_NAMES: Final = {
    RouteStep.FRAMEWORK: "Framework",
    RouteStep.FRAMEWORK_COALITION: "Joint further competition under a framework",
    RouteStep.COALITION: "Coalition of its own",
    RouteStep.NEW: "New contract",
}
OUTCOME_NAMES: Final = {
    RouteOutcome.CHOSEN: "chosen",
    RouteOutcome.UNSUITABLE: "looked at, does not suit",
    RouteOutcome.NONE_FOUND: "looked for, none found",
    RouteOutcome.NOT_CHECKED: "not looked at",
}


def route_prompts(
    routes: CoalitionRoutes, names: Mapping[str, str], *, inviter_checked: bool = False
) -> tuple[str, ...]:
    """The lines of a page or an email: the recorded routes, then those that nobody has checked."""
    consider = consider_line(routes, inviter_checked=inviter_checked)
    return (*route_lines(routes, names), *([consider] if consider else []))


def route_lines(routes: CoalitionRoutes, names: Mapping[str, str]) -> tuple[str, ...]:
    """One line for each route that somebody recorded. `names`: of the members' authorities, by code."""
    return tuple(
        f"{STEP_NAMES[step]}: {'; '.join(_said(one, names) for one in entries)}."
        for step, entries in routes.by_step.items()
        if entries
    )


def consider_line(routes: CoalitionRoutes, *, inviter_checked: bool = False) -> str | None:
    """The line about routes that nobody has looked at; None if there is none. It is a prompt, and locks nothing.

    `inviter_checked`: the invitation names the frameworks that were checked, so that step is left out.
    """
    steps = [
        f"a {STEP_NAMES[step].lower()}"
        for step in routes.to_consider
        if not (inviter_checked and step is RouteStep.FRAMEWORK)
    ]
    return f"No member has yet recorded whether they checked: {'; '.join(steps)}." if steps else None


def _said(entry: RouteEntry, names: Mapping[str, str]) -> str:
    reason = f" ({entry.reason.replace('-', ' ')})" if entry.reason else ""
    return f"{names.get(entry.authority, entry.authority)}, {OUTCOME_NAMES[entry.outcome]}{reason}"
