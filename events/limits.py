"""Limits on new plan events that the schema does not state. Replays skip them, since the plan log may hold older
events."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from events.dead_letters import DeadLetterReason
from events.fields import Window
from events.plans import PlanPayload, PlanState

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2100, 12, 31)
MAX_WINDOW_YEARS: Final = 10


@dataclass(frozen=True, slots=True)
class Excess:
    """The exceeded limit: the dead-letter reason, the field, and a sentence about it."""

    reason: DeadLetterReason
    field: str
    sentence: str


def max_revision(at: datetime) -> int:
    """Return the highest revision accepted at a moment: the next day's time in microseconds since 1970.

    Counters, and times in seconds, milliseconds or microseconds, stay below it. A revision far above would leave a plan
    no room for corrections.
    """
    return int((at + timedelta(days=1)).timestamp() * 1_000_000)


def find_excess(payload: PlanPayload, at: datetime) -> Excess | None:
    """Return the first limit that a new event exceeds at a moment, None if it keeps them all."""
    highest = max_revision(at)
    if payload.revision > highest:
        sentence = (
            f"{payload.revision} is above {highest}, tomorrow in microseconds since 1970; number revisions by a "
            "counter, or by the time of the change in milliseconds"
        )
        return Excess(DeadLetterReason.REVISION_TOO_HIGH, "revision", sentence)
    if isinstance(payload, PlanState) and (problem := window_problem(payload.tender_window)):
        return Excess(DeadLetterReason.INVALID_PAYLOAD, "tender_window", problem)
    return None


def window_problem(window: Window) -> str | None:
    """Describe why a window can't be planned for; None if it can."""
    if window.earliest < FIRST_DAY or window.latest > LAST_DAY:
        return f"is not between {FIRST_DAY} and {LAST_DAY}; give the days on which the tender may be published"
    first, last = window.earliest, window.latest
    if (last.year - MAX_WINDOW_YEARS, last.month, last.day) > (first.year, first.month, first.day):
        return f"spans more than {MAX_WINDOW_YEARS} years ({first} to {last}); give a window that can be planned for"
    return None
