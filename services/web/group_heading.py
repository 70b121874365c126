"""The first heading of a group's page: the group's state, and the reader's place in it."""

from typing import Final

from events.coalitions import CoalitionStatus, MemberState
from matching.text.formatting import join_words
from services.application.group_view import GroupView

_ENDED: Final = {
    "dissolved": "This group has ended",
    "lapsed": "This group has ended",
    "withdrawn": "This match no longer holds",
}
_NOBODY: Final = "No other council is left in this group"


def group_heading(group: GroupView) -> str:
    """The heading of a group or of a pair."""
    if group.agreed_group:
        others = join_words(group.agreed_group.others)
        return f"You are already in an agreed group{' with ' if others else ''}{others}"
    if group.status in _ENDED:
        return _ENDED[group.status]
    if group.is_out:
        return "Your council is not in this group"
    if group.status in ("formed", "frozen", "awarded"):
        return _agreed(group)
    if not group.current:
        return _NOBODY
    return f"{_councils(len(group.current)).capitalize()} could join you"


def _agreed(group: GroupView) -> str:
    count = sum(line.state == MemberState.ACCEPTED for line in group.current)
    is_in = group.own.state == MemberState.ACCEPTED
    if not count:
        return _NOBODY
    if group.status == CoalitionStatus.FORMED:
        if is_in:
            return f"You and {_councils(count)} plan to go to market together"
        return f"{_councils(count).capitalize()} {'plans' if count == 1 else 'plan'} to go to market together"
    kind = "Joint contract" if group.status == CoalitionStatus.AWARDED else "Joint tender"
    return f"{kind} {'with' if is_in else 'of'} {_councils(count)}"


def _councils(count: int) -> str:
    return "one council" if count == 1 else f"{count} councils"
