"""Detects from a plan's words whether it goes through a framework or a dynamic purchasing system."""

import re
from enum import StrEnum
from typing import Final

from matching.plan import Plan
from matching.text.cleaning import squeeze


class Route(StrEnum):
    """A route to market other than a contract of the authority's own."""

    CALL_OFF = "call-off"
    DYNAMIC_PURCHASING = "dynamic-purchasing"
    FRAMEWORK = "framework"


_OPENING: Final = 400
"""The number of characters of a description that are read: later mentions of frameworks have other reasons."""

_CALL_OFF: Final = re.compile(
    r"\b(?:call[- ]?offs?|mini[- ]?comp(?:etition)?s?|further competitions?|direct award)\b(?! (?:contracts? )?may\b)",
    re.I,
)
_DYNAMIC: Final = re.compile(r"\bdps\b|\bdynamic (?:purchasing|market)", re.I)
_FRAMEWORK: Final = re.compile(r"\bframeworks?\b(?! for (?:change|action))", re.I)


def route_of(plan: Plan) -> Route | None:
    """Return the route of a plan, None if its words name none. A call-off is a call-off, whatever its agreement."""
    title = squeeze(plan.title)
    if _CALL_OFF.search(title):
        return Route.CALL_OFF
    if _DYNAMIC.search(title):
        return Route.DYNAMIC_PURCHASING
    if _FRAMEWORK.search(title):
        return Route.FRAMEWORK
    return Route.CALL_OFF if _CALL_OFF.search(squeeze(plan.description[:_OPENING])) else None
