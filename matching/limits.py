"""The limits that keep an opportunity in a lower band than its score allows, each with a stable code and a sentence."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from matching.assessment import Band, Limit, LimitCode
from matching.components.timing import WindowOverlap
from matching.features import Features
from matching.natures import nature_of, say_natures
from matching.policy import Policy
from matching.text.formatting import authority_short_name, format_date, format_pounds
from matching.text.scope import Scope

_WHOLE: Final = {Scope.ESTATE: "its whole estate", Scope.AREA: "its whole area"}


def of_pair(a: Features, b: Features, policy: Policy) -> list[Limit]:
    """The limits that apply on any day; the same in either order."""
    found = []
    roles = [f for f in (a, b) if nature_of(f) == "role"]
    natures = say_natures(a, b)
    if natures:
        found.append(Limit(LimitCode.OTHER_NATURE, Band.DIGEST, natures))
    elif roles:
        who = authority_short_name(roles[0].plan.authority)
        found.append(
            Limit(LimitCode.ROLE, Band.DIGEST, f"{who} seeks a post or a team, which two authorities seldom share.")
        )
    less, more = sorted((a.value, b.value))
    if more >= policy.value.apart * less:
        found.append(
            Limit(
                LimitCode.VALUES_APART,
                Band.DIGEST,
                f"One is worth {round(more / max(less, 1.0)):,} times the other "
                f"({format_pounds(less)} and {format_pounds(more)}).",
            )
        )
    scopes = _say_scopes(a, b)
    if scopes:
        found.append(Limit(LimitCode.SCOPES_APART, Band.DIGEST, scopes))
    return found


def _say_scopes(a: Features, b: Features) -> str:
    """A sentence about both scopes if one plan is for one site, the other for everything; or only one for others than
    the authority itself. Otherwise empty.

    Several sites are no difference: readers signed 10 of 21 such pairs, as many as of all others.
    """
    for one, other in ((a, b), (b, a)):
        if one.scope is Scope.SITE and other.scope in _WHOLE:
            site, whole = authority_short_name(one.plan.authority), authority_short_name(other.plan.authority)
            return f"{site} buys for one site, {whole} for {_WHOLE[other.scope]}."
        if one.scope is Scope.OTHERS is not other.scope:
            scheme, itself = authority_short_name(one.plan.authority), authority_short_name(other.plan.authority)
            return f"{scheme} buys for others, such as academies or leaseholders, {itself} for itself."
    return ""


def of_meeting(a: Features, b: Features, meeting: WindowOverlap, as_of: int, policy: Policy) -> list[Limit]:
    """The limits of timing: a common window too short to agree in, a missed day to decide by, windows that only nearly
    overlap."""
    if meeting.near_miss:
        early, late = by_window(a, b)
        return [
            Limit(
                LimitCode.NEAR_MISS,
                Band.DIGEST,
                f"The windows do not meet: {authority_short_name(early.plan.authority)} goes to tender by "
                f"{format_date(date.fromordinal(early.span.flexible))}, "
                f"{authority_short_name(late.plan.authority)} from "
                f"{format_date(date.fromordinal(late.span.earliest))}.",
            )
        ]
    found = []
    days = meeting.common_days if meeting.stated_days < 1 else meeting.stated_days
    if 1 <= days < policy.timing.short_window_days:
        counted = "one day" if days == 1 else f"{days} days"
        found.append(Limit(LimitCode.SHORT_WINDOW, Band.DIGEST, f"The two windows share only {counted}."))
    if days >= 1 and meeting.decide_by < as_of:
        decide, begins = (format_date(date.fromordinal(day)) for day in (meeting.decide_by, meeting.earliest))
        sentence = f"To tender together from {begins}, both had to decide by {decide}."
        found.append(Limit(LimitCode.LATE_DECISION, Band.DIGEST, sentence))
    return found


def by_window(a: Features, b: Features) -> tuple[Features, Features]:
    """Orders two plans whose windows do not overlap, the earlier one first."""
    return (a, b) if a.span.flexible < b.span.earliest else (b, a)


def lowest(band: Band, limits: Iterable[Limit]) -> Band:
    """The band after applying the limits."""
    for limit in limits:
        band = band.at_most(limit.band)
    return band
