"""Decides which changes of an opportunity are worth a notification, compared with the last one sent."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from matching.assessment import Assessment
from matching.plan import Window
from services.domain.opportunity_status import OpportunityStatus

HYSTERESIS_POINTS: Final = 5.0
"""A change of band counts only if the score moved at least this much; a pair at the edge would email weekly."""
MATERIAL_SHIFT_DAYS: Final = 31
"""A common window that moved by at most a month in total is not worth a notification."""

LastNotified = Mapping[str, Any]


def to_last_notified(assessment: Assessment, status: OpportunityStatus) -> LastNotified:
    """The part of a state that is remembered once a notification of it went out."""
    window = assessment.common_window
    return {
        "status": status,
        "band": assessment.band.value,
        "score": assessment.score,
        "window": [window.earliest.isoformat(), window.latest.isoformat()] if window else None,
    }


def is_material(last_notified: LastNotified, assessment: Assessment, status: OpportunityStatus) -> bool:
    """Whether `status` and `assessment` differ enough from the last notification."""
    if status != last_notified["status"]:
        return True
    if status != OpportunityStatus.ACTIVE:
        return False
    moved = abs(assessment.score - float(last_notified["score"]))
    if assessment.band.value != last_notified["band"] and moved >= HYSTERESIS_POINTS:
        return True
    return _window_shifted(last_notified["window"], assessment.common_window)


def _window_shifted(last_notified: list[str] | None, window: Window | None) -> bool:
    if last_notified is None or window is None:
        return (last_notified is None) != (window is None)
    before = [date.fromisoformat(day) for day in last_notified]
    return abs((before[0] - window.earliest).days) + abs((before[1] - window.latest).days) > MATERIAL_SHIFT_DAYS
