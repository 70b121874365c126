"""Whether an authority's own plan is the purchase that a notice announces: then its own plan counts, and only that."""

from collections.abc import Iterable
from datetime import timedelta

from rapidfuzz import fuzz

from events.plans import PlanState
from matching.reference import normalise_name

SAME_TITLE = 90
"""From which likeness of titles (0 to 100) two plans may be one purchase."""
SAME_VALUE = 0.05
"""By how much their values may differ."""
SAME_DAYS = timedelta(days=31)
"""By how much their contracts' starts may differ, where their tender windows don't meet."""


def own_plan_for(plan: PlanState, own: Iterable[PlanState]) -> PlanState | None:
    """The authority's own plan of the same purchase. It names the contracting process, or agrees in title, value and
    dates; a value that only one gives is no disagreement."""
    mine = [other for other in own if other.authority == plan.authority and other.plan_id != plan.plan_id]
    named = (other for other in mine if other.procurement and other.procurement == plan.procurement)
    return next(named, None) or next((other for other in mine if _agree(plan, other)), None)


def _agree(plan: PlanState, other: PlanState) -> bool:
    titles = normalise_name(plan.title), normalise_name(other.title)
    return fuzz.token_sort_ratio(*titles) >= SAME_TITLE and _same_value(plan, other) and _same_dates(plan, other)


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
