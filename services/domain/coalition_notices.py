"""The notices to a coalition's members: their content, their day, and whether they are still true when sent. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from events.coalitions import CoalitionStatus, MemberState
from services.domain.coalition import Coalition, Member
from services.domain.deadlines import reminder_days


class NoticeKind(StrEnum):
    """The emails about a coalition."""

    INVITATION = "invitation"
    REMINDER = "reminder"
    FORMED = "formed"
    FROZEN = "frozen"
    ENDED = "ended"


_ASKING: Final = frozenset({NoticeKind.INVITATION, NoticeKind.REMINDER})
ENDED: Final = frozenset({CoalitionStatus.AWARDED, CoalitionStatus.DISSOLVED, CoalitionStatus.LAPSED})


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice to one member. `occasion` makes it unique; `due_on` None means immediately."""

    authority: str
    plan_id: str
    kind: NoticeKind
    occasion: str
    due_on: date | None = None


def plan_notices(coalition: Coalition, actor: str | None, today: date) -> list[Notice]:
    """Plans the notices about a coalition in its present state. `actor`: the authority whose act led to it.

    An authority gets no notice of its own act. An invitation is another's act: it comes whatever the invited authority
    did before. A suggestion that ends without an invitation notifies nobody.
    """
    return [one for one in _notices(coalition, today) if one.authority != actor or one.kind in _ASKING]


def is_current(coalition: Coalition, plan_id: str, kind: NoticeKind, today: date) -> bool:
    """Whether a notice is still true."""
    member = coalition.member(plan_id)
    if member is None:
        return False
    if kind in (NoticeKind.INVITATION, NoticeKind.REMINDER):
        due = coalition.invitation.reply_by if coalition.invitation else None
        return coalition.is_living and member.state is MemberState.INVITED and due is not None and today <= due
    if kind is NoticeKind.ENDED:
        return coalition.status in ENDED
    wanted = CoalitionStatus.FORMED if kind is NoticeKind.FORMED else CoalitionStatus.FROZEN
    return coalition.status is wanted and member.state is MemberState.ACCEPTED


def _notices(coalition: Coalition, today: date) -> Iterator[Notice]:
    if coalition.is_living and coalition.invitation is not None:
        for member in coalition.in_state(MemberState.INVITED):
            yield _invitation(coalition, member)
            yield from _reminders(coalition, member, today)
    yield from _endings(coalition)
    if coalition.status is CoalitionStatus.FORMED:
        for member in coalition.accepted:
            yield _notice(coalition, member, NoticeKind.FORMED)
    if coalition.status is CoalitionStatus.FROZEN:
        for member in coalition.accepted:
            if member.plan_id != coalition.lead:
                yield _notice(coalition, member, NoticeKind.FROZEN)


def _endings(coalition: Coalition) -> Iterator[Notice]:
    """Notices of an end. A lead that awarded the contract needs no email about it."""
    if coalition.status not in ENDED or coalition.invitation is None:
        return
    for member in coalition.in_state(MemberState.ACCEPTED, MemberState.INVITED):
        if coalition.status is not CoalitionStatus.AWARDED or member.plan_id != coalition.lead:
            yield _notice(coalition, member, NoticeKind.ENDED)


def _reminders(coalition: Coalition, member: Member, today: date) -> Iterator[Notice]:
    assert coalition.invitation is not None
    invited_on = member.invited_on or coalition.invitation.invited_on
    for day in reminder_days(invited_on, coalition.invitation.reply_by, coalition.nations):
        if day > today:
            yield Notice(member.authority, member.plan_id, NoticeKind.REMINDER, day.isoformat(), day)


def _invitation(coalition: Coalition, member: Member) -> Notice:
    """Create the invitation of one day: a member that let one lapse can be invited again."""
    day = member.invited_on
    occasion = f"{NoticeKind.INVITATION.value} {day}" if day is not None else NoticeKind.INVITATION.value
    return Notice(member.authority, member.plan_id, NoticeKind.INVITATION, occasion + _again(coalition))


def _notice(coalition: Coalition, member: Member, kind: NoticeKind) -> Notice:
    """Create a notice that a member gets once, and once more each time that an undo brings the coalition back."""
    return Notice(member.authority, member.plan_id, kind, kind.value + _again(coalition))


def _again(coalition: Coalition) -> str:
    """Return the mark of a notice that is sent again: an undo brought the coalition back, and it goes on or ends."""
    return f" again {coalition.revivals}" if coalition.revivals else ""
