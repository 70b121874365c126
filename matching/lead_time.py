"""Computes the day to decide by: a joint tender needs preparation and approval before its window opens. Pure.

Days are proleptic ordinals. Pairs and groups share this rule, so every email and page shows the same day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import isnan

from matching.calendar import Nation, nations_of, working_day_on_or_before
from matching.policy import Category, TimingRules


@dataclass(frozen=True, slots=True)
class LeadTime:
    """The time before a joint tender: days of preparation and governance, and the nations whose working days count."""

    preparation_days: int = 0
    governance_days: int = 0
    nations: frozenset[Nation] = frozenset()

    @property
    def days(self) -> int:
        """Preparation and governance together."""
        return self.preparation_days + self.governance_days

    def decide_by(self, together_from: int, last_day: int) -> int:
        """The last day to decide to tender together from `together_from`: see the function `decide_by`."""
        return decide_by(together_from, self.days, last_day, self.nations)


def lead_time(
    authorities: Iterable[str], categories: Iterable[Category], values: Iterable[float], rules: TimingRules
) -> LeadTime:
    """The lead time of several plans: the longest preparation of their categories, and governance by the largest value.

    A plan above `large_value` pounds goes to a committee, which takes longer than an officer's decision. An unknown
    value (NaN) counts as below.
    """
    large = any(not isnan(value) and value > rules.large_value for value in values)
    return LeadTime(
        max(category.preparation_days for category in categories),
        rules.large_governance_days if large else rules.governance_days,
        nations_of(authorities),
    )


@lru_cache(maxsize=100_000)
def decide_by(together_from: int, lead_days: int, last_day: int, nations: frozenset[Nation]) -> int:
    """The last working day to decide to tender together: `lead_days` before the first common day, or earlier.

    Never after `last_day`, the end of a stated window: after it, that plan can no longer wait for the others.
    """
    day = max(1, min(together_from - lead_days, last_day))
    try:
        return working_day_on_or_before(date.fromordinal(day), nations).toordinal()
    except OverflowError:
        return day
