"""What people read of a coalition: its status, and a plan's place in it."""

from collections.abc import Mapping
from typing import Final

from events.coalitions import CoalitionStatus, MemberState

STATUS_WORDS: Final[Mapping[CoalitionStatus, str]] = {
    CoalitionStatus.SUGGESTED: "suggested",
    CoalitionStatus.INVITING: "forming",
    CoalitionStatus.FORMED: "agreed",
    CoalitionStatus.FROZEN: "in the market",
    CoalitionStatus.AWARDED: "awarded",
    CoalitionStatus.DISSOLVED: "ended",
    CoalitionStatus.LAPSED: "ended",
}
PLACES: Final[Mapping[MemberState, str]] = {
    MemberState.SUGGESTED: "A group is suggested with",
    MemberState.INVITED: "The plan is invited to a group with",
    MemberState.ACCEPTED: "The plan is in a group with",
}
"""Where a plan stands in a group that has not ended; the names of the other councils follow."""
