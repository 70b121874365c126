"""The timing of two plans: their common window, the day to decide by, and the time left.

Days are proleptic ordinals (`date.toordinal`), so the same arithmetic serves one pair and a whole corpus, and leap
days need no special case. Nothing here depends on a time zone: plans have calendar days.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.calendar import add_months
from matching.lead_time import LeadTime
from matching.plan import Kind, Plan
from matching.policy import TimingRules

Days = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TenderSpan:
    """The days on which one plan can go to market, as ordinals.

    `flexible` is the end of the stated window after using the running contract's extension; never before `latest`.
    """

    earliest: int
    latest: int
    flexible: int


def tender_span(plan: Plan, rules: TimingRules) -> TenderSpan:
    """The plan's window, and its later end if the running contract has an unused extension."""
    window = plan.tender_window
    latest = window.latest.toordinal()
    flexible = latest
    needed = needed_by(plan)
    if needed is not None and plan.extension_months > 0 and plan.kind is not Kind.EXTENSION:
        months = min(plan.extension_months, rules.max_extension_months)
        delayed = add_months(window.latest, months).toordinal()
        # The extended contract ends too, and the next one takes time to start.
        last = add_months(needed, months).toordinal() - rules.mobilisation_days
        flexible = max(latest, min(delayed, last))
    return TenderSpan(window.earliest.toordinal(), latest, flexible)


def needed_by(plan: Plan) -> date | None:
    """The day on which the new contract is needed: the running contract's end, or the new one's stated start."""
    if _runs_now(plan):
        return plan.contract_end
    return plan.contract_start


def _runs_now(plan: Plan) -> bool:
    """Whether the contract dates belong to the contract to be replaced, which begins before the tender."""
    if plan.contract_end is None:
        return False
    begins = plan.contract_start or (date.min if plan.kind in (Kind.RENEWAL, Kind.EXTENSION) else date.max)
    return begins <= plan.tender_window.earliest


def shift_span(moved: TenderSpan, months: int) -> TenderSpan | None:
    """Move a span by months, to an earlier day if negative; None if the result is no valid date."""
    try:
        earliest = add_months(date.fromordinal(moved.earliest), months).toordinal()
    except ValueError:
        return None
    days = earliest - moved.earliest
    latest = moved.latest + days
    if latest > date.max.toordinal():
        return None
    return TenderSpan(earliest, latest, min(moved.flexible + days, date.max.toordinal()))


def overlap_days(earliest: Any, latest: Any, other_earliest: Any, other_latest: Any) -> Any:
    """Count the days that two windows share; 0 or less if they share none. Works on numbers and on arrays."""
    return np.minimum(latest, other_latest) - np.maximum(earliest, other_earliest) + 1


def within_reach(common: Any, rules: TimingRules) -> Any:
    """Whether windows with `common` shared days, extensions used, overlap or nearly do. Works on numbers and on arrays.

    `common` is below 1 if they share no day.
    """
    return common > -rules.near_miss_days


def common_end(stated: Any, common: Any, latest: tuple[Any, Any], flexible: tuple[Any, Any]) -> Any:
    """The end of the common window. Works on numbers and on arrays.

    Extensions count only if the stated windows do not overlap. If no extension helps, the earlier plan has to wait, so
    the later one's end counts.
    """
    extended = np.where(common >= 1, np.minimum(*flexible), np.maximum(*latest))
    return np.where(stated >= 1, np.minimum(*latest), extended)


def overlap_factor(stated: Any, flexible: Any, rules: TimingRules) -> Any:
    """How well two windows fit (0 to 1), from the days that they share as stated and with extensions used.

    Numbers below 1 are the days between them.
    """
    full = rules.full_overlap_days
    share = np.minimum(np.maximum(stated, 0), full) / full
    close = rules.one_day + (1.0 - rules.one_day) * share
    stretched = np.minimum(np.maximum(flexible, 0), full) / full
    late = rules.with_extension * (0.8 + 0.2 * stretched)
    return np.where(
        stated >= 1, np.maximum(close, late), np.where(flexible >= 1, late, _near_overlap_factor(flexible, rules))
    )


def _near_overlap_factor(common: Any, rules: TimingRules) -> Any:
    """The fit of windows that do not overlap: falls in steps with the days between them, 0 beyond reach."""
    steps = np.asarray(rules.near_miss_steps, dtype=np.float64)
    step = np.clip(-np.asarray(common) // rules.near_miss_step_days, 0, len(steps) - 1)
    return np.where(within_reach(common, rules), steps[step], 0.0)


def prepare_by(common_latest: Any, preparation_days: Any) -> Any:
    """The last day on which a joint tender can still be prepared before the common window ends."""
    return common_latest - preparation_days


def latest_decision(earliest: Any, other_earliest: Any, preparation_days: Any, rules: TimingRules) -> Any:
    """An upper bound of the day to decide by, for any values and nations. Works on arrays."""
    return np.maximum(earliest, other_earliest) - preparation_days - rules.governance_days


def lead_factor(decide: Any, as_of: int, rules: TimingRules) -> Any:
    """The weight of the time left to decide (0 to 1), in steps, so that it changes only on known days."""
    steps = np.asarray(rules.lead_steps, dtype=np.float64)
    return steps[np.clip((np.asarray(decide) - as_of) // rules.lead_step_days, 0, len(steps) - 1)]


@dataclass(frozen=True, slots=True)
class WindowOverlap:
    """The overlap of two plans: days shared as stated and with extensions, and the two factors of the timing component.

    The common window's ends, the day to decide by and the last day to begin preparing are ordinals.

    If `common_days` is below 1, there is no common window, and it counts the days between the two. `latest` and
    `prepare_by` then assume that the earlier plan waits for the later one. `decide_by` is the last day for the earlier
    plan to decide to wait.
    """

    stated_days: int
    common_days: int
    earliest: int
    latest: int
    decide_by: int
    prepare_by: int
    fit: float
    lead: float

    @property
    def value(self) -> float:
        """The timing component: the windows' fit times the weight of the time left."""
        return self.fit * self.lead

    @property
    def near_miss(self) -> bool:
        """Whether the windows do not overlap, but nearly do."""
        return self.common_days < 1 and self.fit > 0


def overlap_of(a: TenderSpan, b: TenderSpan, lead_time: LeadTime, as_of: int, rules: TimingRules) -> WindowOverlap:
    """Compute the overlap of two spans, as of a day."""
    begin = max(a.earliest, b.earliest)
    stated = min(a.latest, b.latest) - begin + 1
    common = min(a.flexible, b.flexible) - begin + 1
    end = int(common_end(stated, common, (a.latest, b.latest), (a.flexible, b.flexible)))
    # If the windows do not overlap, the earlier plan decides whether to wait before its window ends.
    opens = min(begin, min(a.flexible, b.flexible) + 1)
    decide = lead_time.decide_by(opens, min(a.latest, b.latest))
    prepare = int(prepare_by(end, lead_time.preparation_days))
    reached = bool(within_reach(common, rules)) and as_of <= prepare
    return WindowOverlap(
        stated_days=stated,
        common_days=common,
        earliest=begin,
        latest=end,
        decide_by=decide,
        prepare_by=prepare,
        fit=_overlap_factor(stated, common, rules),
        lead=_lead_factor(decide - as_of, rules) if reached else 0.0,
    )


@lru_cache(maxsize=100_000)
def _overlap_factor(stated: int, flexible: int, rules: TimingRules) -> float:
    return float(overlap_factor(stated, flexible, rules))


@lru_cache(maxsize=10_000)
def _lead_factor(days_left: int, rules: TimingRules) -> float:
    return float(lead_factor(days_left, 0, rules))


def next_change_after(as_of: int, meeting: WindowOverlap, ends: tuple[int, int], rules: TimingRules) -> int | None:
    """The first day after `as_of` on which a step of the lead or the end of a window changes the assessment."""
    days = [end + 1 for end in ends]
    if meeting.fit > 0:
        steps = range(len(rules.lead_steps))
        days += [meeting.prepare_by + 1, *(meeting.decide_by - rules.lead_step_days * k + 1 for k in steps)]
    return min((day for day in days if day > as_of), default=None)
