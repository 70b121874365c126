"""Decides whether an authority's own plan is the same purchase as a notice. If so, only its own plan counts."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from rapidfuzz import fuzz

from events.plans import PlanState
from matching.reference import normalise_name

SAME_TITLE = 90
"""The minimum likeness of titles (0 to 100) for one purchase."""
SAME_WORD = 70
"""The minimum likeness (0 to 100) of two words that are one, differently written. Numbers are the same or differ."""
SAYS_NOTHING = frozenset(["a", "and", "at", "for", "in", "of", "on", "the", "to", "with"])
SAME_VALUE = 0.05
"""The maximum relative difference of values."""
SAME_DAYS = timedelta(days=31)
"""The maximum difference of contract starts if the tender windows don't overlap."""


def own_plan_for(plan: PlanState, own: Iterable[PlanState]) -> PlanState | None:
    """Return the authority's own plan of the same purchase. It names the contracting process, or agrees in title, value
    and dates; a value on one side only is no disagreement."""
    mine = [other for other in own if other.authority == plan.authority and other.plan_id != plan.plan_id]
    named = (other for other in mine if other.procurement and other.procurement == plan.procurement)
    return next(named, None) or next((other for other in mine if _agree(plan, other)), None)


def _agree(plan: PlanState, other: PlanState) -> bool:
    return _same_title(plan.title, other.title) and _same_value(plan, other) and _same_dates(plan, other)


def _same_title(one: str, two: str) -> bool:
    """Whether titles are alike and at most one of them has words of its own. "Lot 1" and "Lot 2", this year's show and
    next year's, the cost consultant and the engineer of one scheme are purchases of their own."""
    titles = normalise_name(one), normalise_name(two)
    if fuzz.token_sort_ratio(*titles) < SAME_TITLE:
        return False
    words = [[word for word in title.split() if word not in SAYS_NOTHING] for title in titles]
    return not (_has_own_word(*words) and _has_own_word(*reversed(words)))


def _has_own_word(words: Sequence[str], others: Sequence[str]) -> bool:
    return any(not any(_same_word(word, other) for other in others) for word in words)


def _same_word(one: str, two: str) -> bool:
    return one == two or (one.isalpha() and two.isalpha() and fuzz.ratio(one, two) >= SAME_WORD)


def _same_value(plan: PlanState, other: PlanState) -> bool:
    if plan.value is None or other.value is None:
        return True
    one, two = plan.value, other.value
    return one.currency == two.currency and abs(one.amount - two.amount) <= SAME_VALUE * max(one.amount, two.amount)


def _same_dates(plan: PlanState, other: PlanState) -> bool:
    one, two = plan.tender_window, other.tender_window
    if one.earliest <= two.latest and two.earliest <= one.latest:
        return True
    starts = plan.contract.start, other.contract.start
    return bool(starts[0] and starts[1] and abs(starts[0] - starts[1]) <= SAME_DAYS)
