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
    r"\b(?:call[- ]?offs?|called[- ]off (?:of|from|under|via)|"
    r"mini[- ]?comp(?:etition)?s?|further competitions?)\b(?! (?:contracts? )?may\b)",
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
# A framework that opens its list to more suppliers is no new one.
_REOPENING: Final = re.compile(
    r"\b(?:list|framework) re-?open\w*|\bre-?open\w* (?:of )?(?:the )?(?:list|framework)", re.I
)

# In descriptions "framework" alone says nothing: it may be one of policy, or an earlier contract. The verb does.
_ADJECTIVES: Final = (
    r"(?:policy|legal|regulatory|statutory|democratic|strategic|outcomes?|competency|quality|planning|governance|"
    r"performance|assurance|formal|inspection|commissioning|\.net|react|angular|django|laravel"
    # A framework "of skills training" is bought, one of skills is not.
    r"|(?:skills|evaluation|employability|care act|early help|plan)(?= framework))"
)
_KIND: Final = r"(?:(?:open |flexible |pseudo )?framework\w*|dps|dynamic purchasing system)"
_USED: Final = re.compile(
    r"\b(?:via|through|under|using|utilis\w+|(?:off|from|registered on|listed on))"
    r" (?:(?:the|an existing|its|our|their|existing) )?"
    r"(?!(?:a|an|new|proposed|this|these|resulting)\b)"
    rf"(?P<name>(?:(?!(?:to|of|for|and|or|is|are|will|that|in|a|new|{_ADJECTIVES})\b)[\w&'()/.-]+,? ){{0,7}}?)"
    rf"(?P<kind>{_KIND})\b",
    re.I,
)
# What tells an agreement from a framework of thought: a name or number before it, or one of these after it.
_NAMED: Final = re.compile(r"(?!(?:The|Its|Our|Their|An?)\b)(?<![\w'.-])(?:[A-Z]|\w*\d)")
_NAMED_AFTER: Final = re.compile(r" (?i:agreements?\b|\(?(?:ref|lot)\b)| \(?[A-Z]*\d")
_SET_UP: Final = re.compile(
    r"^(?:an? |the |this |open |national )?(?:framework|dps|dynamic purchasing system)(?: agreement| \(dps\))?"
    r" (?:award )?(?:for|is for|will|relates to)\b"
    r"|\b(?:establish\w*|set(?:ting)? up|creat(?:e|es|ed|ing|ion of)|form|put(?:ting)? in place|procur(?:e|ed|ing)|"
    r"enter(?:ing)? into|award(?:ed)?|secure|join|require|"
    r"(?:appoint\w*|admission|suppliers) (?:[\w-]+ ){0,4}?(?:on)?to)"
    rf" (?:the |a |an |its |this |our )?(?:(?!(?:to|in|that|is|are|will|via|under|through|using|off|from|on|against"
    rf"|by|following|listed|as|current|present|existing|{_ADJECTIVES})\b)[\w&'()/-]+,? ){{0,6}}?{_KIND}\b",
    re.I,
)


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
        return None if _REOPENING.search(title) else Route.FRAMEWORK
    return _described(squeeze(plan.description[:_OPENING]))


def _described(text: str) -> Route | None:
    """The route that a description tells by its verb: "via the X framework", "to establish a framework"."""
    if _calls_off(text):
        return Route.CALL_OFF
    set_up = _SET_UP.search(text)
    if set_up:
        return Route.DYNAMIC_PURCHASING if _DYNAMIC_PURCHASING.search(set_up.group()) else Route.FRAMEWORK
    return Route.CALL_OFF if any(_is_agreement(used) for used in _USED.finditer(text)) else None


def _is_agreement(used: re.Match[str]) -> bool:
    """Whether what a purchase goes through is an agreement: "under the framework" may be one of law or software."""
    if _DYNAMIC_PURCHASING.search(used["kind"]) or "agreement" in used["name"].lower():
        return True
    return bool(_NAMED.search(used["name"]) or _NAMED_AFTER.match(used.string, used.end()))


def _calls_off(text: str) -> bool:
    return bool(_CALL_OFF.search(text) or _DIRECT_FROM_AGREEMENT.search(text))
