"""An authority's deadlines: the dates of its coalitions, and the ends of its contracts. Pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from events.coalitions import CoalitionStatus, MemberState
from services.domain.coalition import Coalition


class DeadlineKind(StrEnum):
    """The kind of deadline."""

    REPLY_BY = "reply-by"
    DECIDE_BY = "decide-by"
    TOGETHER_FROM = "together-from"
    CONTRACT_END = "contract-end"


class DeadlineStatus(StrEnum):
    """Whether the date holds: a suggestion's dates are tentative, and those of an ended coalition or plan cancelled."""

    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Deadline:
    """One date of a coalition or of a plan (`subject_id`). `plan_id` is the authority's own plan."""

    kind: DeadlineKind
    day: date
    subject_id: str
    plan_id: str
    status: DeadlineStatus


_GIVEN_UP: Final = frozenset({CoalitionStatus.DISSOLVED, CoalitionStatus.LAPSED})


def coalition_deadlines(coalition: Coalition, authority: str) -> list[Deadline]:
    """The dates that a coalition sets for an authority that is or was a member."""
    found: list[Deadline] = []
    for member in coalition.members:
        if member.authority != authority:
            continue
        given_up = member not in coalition.current or coalition.status in _GIVEN_UP
        suggested = coalition.status is CoalitionStatus.SUGGESTED
        status = DeadlineStatus.TENTATIVE if suggested else DeadlineStatus.CONFIRMED
        if given_up:
            status = DeadlineStatus.CANCELLED
        days = [(DeadlineKind.DECIDE_BY, coalition.dates.decide_by, status)]
        days.append((DeadlineKind.TOGETHER_FROM, coalition.dates.together_from, status))
        if coalition.invitation is not None:
            waits = member.state is MemberState.INVITED or member.plan_id == coalition.invitation.by
            open_ = waits and coalition.status is CoalitionStatus.INVITING
            reply = DeadlineStatus.CONFIRMED if open_ else DeadlineStatus.CANCELLED
            days.append((DeadlineKind.REPLY_BY, coalition.invitation.reply_by, reply))
        found += [Deadline(kind, day, coalition.coalition_id, member.plan_id, state) for kind, day, state in days]
    return found


def contract_deadline(plan_id: str, ends: date, *, active: bool) -> Deadline:
    """The last day of the contract that a plan will replace; cancelled if the plan is no longer active."""
    status = DeadlineStatus.CONFIRMED if active else DeadlineStatus.CANCELLED
    return Deadline(DeadlineKind.CONTRACT_END, ends, plan_id, plan_id, status)
