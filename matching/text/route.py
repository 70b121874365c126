"""Detects from a plan's words whether it goes through a framework, a dynamic purchasing system or a dynamic market."""

import re
from enum import StrEnum
from typing import Final

from matching.plan import Plan
from matching.text.cleaning import squeeze


class Route(StrEnum):
    """A route to market other than a contract of the authority's own."""

    CALL_OFF = "call-off"
    DYNAMIC_PURCHASING = "dynamic-purchasing"
    DYNAMIC_MARKET = "dynamic-market"
    FRAMEWORK = "framework"


_OPENING: Final = 400
"""The number of characters of a description that are read: later mentions of frameworks have other reasons."""

_CALL_OFF: Final = re.compile(
    r"\b(?:call[- ]?offs?|mini[- ]?comp(?:etition)?s?|further competitions?)\b(?! (?:contracts? )?may\b)",
    re.I,
)
_AGREEMENT: Final = r"\b(?:frameworks?|lots?)\b"
_DIRECT: Final = r"\bdirect awards?\b(?! (?:contracts? )?may\b)"
# A direct award needs no framework: only in the sentence that names one, or a lot of one, it is a call-off.
_DIRECT_FROM_AGREEMENT: Final = re.compile(
    rf"{_DIRECT}[^.;]{{0,80}}{_AGREEMENT}|{_AGREEMENT}[^.;]{{0,80}}{_DIRECT}", re.I
)
_DYNAMIC_PURCHASING: Final = re.compile(r"\bdps\b|\bdynamic purchasing", re.I)
_DYNAMIC_MARKET: Final = re.compile(r"\bdynamic market", re.I)
_FRAMEWORK: Final = re.compile(r"\bframeworks?\b(?! for (?:change|action))", re.I)


def route_of(plan: Plan) -> Route | None:
    """Return the route of a plan, None if its words name none. A call-off is a call-off, whatever its agreement."""
    title = squeeze(plan.title)
    if _calls_off(title):
        return Route.CALL_OFF
    if _DYNAMIC_PURCHASING.search(title):
        return Route.DYNAMIC_PURCHASING
    if _DYNAMIC_MARKET.search(title):
        return Route.DYNAMIC_MARKET
    if _FRAMEWORK.search(title):
        return Route.FRAMEWORK
    return Route.CALL_OFF if _calls_off(squeeze(plan.description[:_OPENING])) else None


def _calls_off(text: str) -> bool:
    return bool(_CALL_OFF.search(text) or _DIRECT_FROM_AGREEMENT.search(text))
