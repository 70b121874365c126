"""The shortest move that would make two separate windows overlap, and its sentence."""

from datetime import date
from typing import Final

from matching import limits
from matching.assessment import NearestMove
from matching.components import timing
from matching.pair_scoring import ScoredPair
from matching.plan import Window
from matching.policy import Policy
from matching.text.formatting import authority_short_name, format_date_range

MAX_MONTHS: Final = 6
"""Windows are intentions: a tender may well move by half a year, but hardly by more."""


def nearest_move_of(found: ScoredPair, policy: Policy) -> NearestMove | None:
    """The shortest wait of the earlier plan, in months; None if the windows overlap, or are too far apart.

    It depends only on the two windows, never on the day.
    """
    if not found.meeting.near_miss:
        return None
    early, late = limits.by_window(found.a, found.b)
    for months in range(1, MAX_MONTHS + 1):
        moved = timing.shift_span(early.span, months)
        if moved is None:
            return None
        if moved.earliest > late.span.latest:
            # Whole months skip a short window: let both begin on the same day.
            days = late.span.earliest - early.span.earliest
            moved = timing.TenderSpan(late.span.earliest, early.span.latest + days, early.span.flexible + days)
        meeting = timing.overlap_of(moved, late.span, found.lead_time, found.as_of, policy.timing)
        if meeting.common_days >= 1:
            return NearestMove(
                plan_id=early.plan.plan_id,
                authority=early.plan.authority,
                months=months,
                tender_window=_window(moved.earliest, moved.latest),
                common_window=_window(meeting.earliest, meeting.latest),
            )
    return None


def say_move(move: NearestMove) -> str:
    """Format the move as a sentence."""
    when = format_date_range(move.common_window.earliest, move.common_window.latest)
    return f"If {authority_short_name(move.authority)} waited, both could go to tender {when}."


def _window(earliest: int, latest: int) -> Window:
    return Window(date.fromordinal(earliest), date.fromordinal(latest))
