"""Explains a pair in plain English: the need, the value, the days, the place."""

import re
from datetime import date
from math import isnan
from typing import Final

from matching import reference
from matching.assessment import Band, LimitCode
from matching.explanation.words import FILLERS, is_evidence, is_told, telling_phrases
from matching.features import Features
from matching.pair_scoring import ScoredPair, specification_band_of
from matching.plan import Window
from matching.policy import Policy
from matching.successions import merger_of
from matching.text.formatting import (
    authority_short_name,
    format_date,
    format_date_range,
    format_pounds,
    join_words,
    sanitise_line,
)
from matching.text.route import Route, route_of
from matching.text.tokens import tokens

_MAX_PHRASES: Final = 4
# A reason names a need if the texts contain at least this share of the words of its name.
_LEAST_SAID: Final = 0.5
_ANYWHERE: Final = 0.2
_ROUTES: Final = {
    Route.CALL_OFF: "{who} is calling off a framework, which {other} may be able to use as well.",
    Route.DYNAMIC_PURCHASING: (
        "{who} uses a dynamic purchasing system. {other} can use its suppliers if it is entitled to: ask {who}."
    ),
    Route.DYNAMIC_MARKET: "{who} uses a dynamic market. {other} can use its suppliers if it is entitled to: ask {who}.",
    Route.FRAMEWORK: "{who} plans a framework. {other} could use it if {who}'s tender notice covers {other}.",
}

_COMMON_ROUTES: Final = {
    Route.CALL_OFF: "Both are calling off a framework: one of them may be open to the other.",
    Route.DYNAMIC_PURCHASING: "Both use a dynamic purchasing system: one of them may be open to the other.",
    Route.DYNAMIC_MARKET: "Both use a dynamic market: one of them may be open to the other.",
    Route.FRAMEWORK: "Both plan a framework: one that names both would do.",
}


def reasons_of(found: ScoredPair, policy: Policy, move: str) -> tuple[str, ...]:
    """The sentences, the most important first; none is empty. `move` is the sentence on windows that nearly overlap."""
    every = [
        _what(found, policy),
        _merger(found),
        _worth(found),
        *_when(found),
        *(limit.sentence for limit in found.limits if limit.code is LimitCode.NEAR_MISS),
        move,
        _where(found),
        _words(found, policy),
        _codes(found, policy),
        *_routes(found),
        _law(found),
        *(limit.sentence for limit in found.limits if limit.code is not LimitCode.NEAR_MISS),
    ]
    return tuple(sentence for sentence in every if sentence)


def _what(found: ScoredPair, policy: Policy) -> str:
    a, b = found.a, found.b
    titles = f"\u201c{sanitise_line(a.plan.title)}\u201d and \u201c{sanitise_line(b.plan.title)}\u201d"
    # Gates close a band, but leave the two requirements as alike as they are.
    if specification_band_of(found.specification, policy) is Band.NONE:
        return f"The two plans have little in common: {titles}."
    need = shared_need(a, b)
    if not need:
        return f"The two plans ask for similar things: {titles}."
    if found.specification_band is Band.NOTIFY:
        return f"Both plans have the same need, {need}: {titles}."
    return f"Both plans concern {field_name(need)}: {titles}."


def field_name(need: str) -> str:
    """The name of a need as that of a field: "finance systems", "building maintenance"."""
    plain = re.sub(r"(?: term)? (?:contract|framework)$", "", need)
    return f"{plain}s" if plain.endswith(("system", "website", "app", "platform")) else plain


def _merger(found: ScoredPair) -> str:
    merger = merger_of(found.a.plan.authority, found.b.plan.authority)
    if merger is None or found.as_of >= merger.starts.toordinal():
        return ""
    if not merger.certain:
        return f"Both may be one authority on {format_date(merger.starts)}: {merger.successor_name}."
    day = format_date(merger.starts)
    return f"Both will be one authority on {day}: {merger.successor_name}. This will be one purchase of its own."


def shared_need(a: Features, b: Features) -> str:
    """The main need of both texts, by a name whose words are in the texts; empty if there is none."""
    said = {*a.all_terms, *b.all_terms}
    worth = {
        need: a.concepts[need] * b.concepts[need] * share
        for need in sorted(a.concepts.keys() & b.concepts.keys())
        if (share := _share_said(need, said)) >= _LEAST_SAID
    }
    return max(worth, key=worth.__getitem__) if worth else ""


def _share_said(need: str, said: set[str]) -> float:
    """The share of the words of a need's name that the texts contain, 0 to 1.

    Half a name counts only with a word that says something: "management" does not name case management.
    """
    words = tokens(need)
    found = [word for word in words if word in said]
    share = len(found) / len(words) if words else 0.0
    return share if share > _LEAST_SAID or not FILLERS.issuperset(found) else 0.0


def _worth(found: ScoredPair) -> str:
    a, b = found.a.value, found.b.value
    if isnan(a) and isnan(b):
        return ""
    if isnan(a) or isnan(b):
        known, silent = (found.b, found.a) if isnan(a) else (found.a, found.b)
        return f"{_name(known)} expects to spend {format_pounds(known.value)}; {_name(silent)} gives no value."
    return f"Together they are worth {format_pounds(a + b)} ({format_pounds(a)} and {format_pounds(b)})."


def common_window(found: ScoredPair) -> Window | None:
    """The days on which both can tender; None if there are none."""
    m = found.meeting
    return Window(date.fromordinal(m.earliest), date.fromordinal(m.latest)) if m.common_days >= 1 else None


def decide_by(found: ScoredPair) -> date | None:
    """The last day to decide to tender together from the first common day; None if there is no common day."""
    return date.fromordinal(found.meeting.decide_by) if found.meeting.common_days >= 1 else None


def _when(found: ScoredPair) -> list[str]:
    window, decide = common_window(found), decide_by(found)
    if window is None or decide is None:
        return []
    when = format_date_range(window.earliest, window.latest)
    if found.meeting.stated_days < 1:
        early = min((found.a, found.b), key=lambda f: f.span.latest)
        when += f" if {_name(early)} extends its present contract"
    said = [f"Both can go to tender {when}."]
    # If the day has passed, the limit says so.
    if found.meeting.decide_by >= found.as_of:
        said.append(f"Decide by {format_date(decide)} to tender together from {format_date(window.earliest)}.")
    return said


def _where(found: ScoredPair) -> str:
    if not all(_placed(f) for f in (found.a, found.b)):
        return ""
    anywhere = "; distance matters little here" if found.locality < _ANYWHERE else ""
    return f"{found.nearness}{anywhere}."


def _placed(f: Features) -> bool:
    """Whether the place is known: a body without a known area that names no region may be anywhere."""
    return f.delivery_area.stated or f.delivery_area.codes != ("UK",)


def _words(found: ScoredPair, policy: Policy) -> str:
    need = shared_need(found.a, found.b)
    phrases = telling_phrases(found.a, found.b, policy.synonyms)
    said = [phrase for phrase in phrases if not is_told(phrase, need)][:_MAX_PHRASES]
    # One word or a list of single words says little: "disposal and young".
    enough = any(map(is_evidence, said)) and len(re.split("[ -]", " ".join(said))) > 1
    return f"Both texts speak of {join_words(said)}." if enough else ""


def _codes(found: ScoredPair, policy: Policy) -> str:
    a, b = found.a, found.b
    same = sorted(set(a.cpv_codes) & set(b.cpv_codes), key=lambda code: (-len(code.rstrip("0")), code))
    # A code is no evidence if the text of either plan contradicts it.
    told = [code for code in same if policy.category_of((code,)) in (a.category, b.category) and code.rstrip("0")[2:]]
    if told:
        return f"Both name CPV {told[0]} ({reference.cpv_label(told[0])})."
    return ""


def _routes(found: ScoredPair) -> list[str]:
    here, there = route_of(found.a.plan), route_of(found.b.plan)
    if here is not None and here is there:
        return [_COMMON_ROUTES[here]]
    said = []
    for f, other in ((found.a, found.b), (found.b, found.a)):
        route = route_of(f.plan)
        if route is not None:
            said.append(_ROUTES[route].format(who=_name(f), other=_name(other)))
    return said


def _law(found: ScoredPair) -> str:
    """The sentence for a pair where one side buys under Scottish law: a joint procedure follows one law only."""
    known = [reference.authority(f.plan.authority) for f in (found.a, found.b)]
    scottish = [one.short_name for one in known if one and one.nation == "Scotland"]
    others = [one.short_name for one in known if one and one.nation != "Scotland"]
    if not scottish or not others:
        return ""
    return f"{scottish[0]} buys under Scottish procurement law, {others[0]} does not: one would have to buy for both."


def _name(f: Features) -> str:
    return authority_short_name(f.plan.authority)
