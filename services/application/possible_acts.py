"""The acts open to an authority in a coalition today. It asks the rules themselves, so a page offers nothing else."""

from collections.abc import Callable
from datetime import date
from typing import Final

from events.coalitions import CoalitionStatus
from services.domain import coalition_answers as rules
from services.domain.coalition import Coalition
from services.domain.coalition_answers import AnswerRefusedError, InvitationRequest
from services.domain.coalition_bars import Bars

ACTS: Final = ("accept", "join", "invite", "dates", "lead", "commit", "document", "decline", "leave")


def possible_acts(coalition: Coalition, plan_id: str, authority: str, today: date, bars: Bars) -> tuple[str, ...]:
    """The acts that would be accepted and change something, in the order of `ACTS`."""
    asked: dict[str, Callable[[], Coalition]] = {
        "accept": lambda: rules.accept(coalition, plan_id, today, bars),
        "join": lambda: rules.join(coalition, plan_id, authority, today, bars),
        "decline": lambda: rules.decline(coalition, plan_id),
        "invite": lambda: rules.invite(coalition, plan_id, InvitationRequest(), today, bars),
        "lead": lambda: rules.take_lead(coalition, plan_id, bars),
        "commit": lambda: rules.commit(coalition, plan_id),
        "leave": lambda: rules.leave(coalition, plan_id),
    }
    found = {act for act, ask in asked.items() if _changes(coalition, ask)}
    if _may_move_reply_by(coalition, plan_id):
        found.add("dates")
    if _may_share_document(coalition, plan_id):
        found.add("document")
    # An invited plan accepts; joining is for latecomers.
    if "accept" in found:
        found.discard("join")
    return tuple(act for act in ACTS if act in found)


def _changes(coalition: Coalition, ask: Callable[[], Coalition]) -> bool:
    try:
        return ask() != coalition
    except AnswerRefusedError:
        return False


def _may_share_document(coalition: Coalition, plan_id: str) -> bool:
    is_in = plan_id in {member.plan_id for member in coalition.accepted}
    return is_in and coalition.status not in (CoalitionStatus.DISSOLVED, CoalitionStatus.LAPSED)


def _may_move_reply_by(coalition: Coalition, plan_id: str) -> bool:
    if coalition.invitation is None:
        return False
    try:
        rules.move_reply_by(coalition, plan_id, coalition.invitation.reply_by)
    except AnswerRefusedError:
        return False
    return True
