"""Undoes an act in a coalition: restores its changes, and keeps the later changes of others. Pure."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from events.coalitions import CoalitionStatus, MemberState
from events.responses import AnswerKind
from services.domain.coalition import (
    CURRENT,
    HOLDING,
    MAX_MEMBERS,
    MIN_MEMBERS,
    Coalition,
    Member,
    drop_members,
    pass_day,
    replace_member,
    settle,
)
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason, require_free, require_open
from services.domain.coalition_bars import Bars

UNDO_DAYS: Final = 7
FINAL_ACTS: Final = frozenset({"invited", "dates"})
"""Acts that others rely on immediately. Nobody can undo them."""
_RESTORED: Final = ("state", "committed", "answer")


@dataclass(frozen=True, slots=True)
class ActChange:
    """The change made by one act.

    `before` and `after` are its member; `before` is None if the member joined by the act. `led` and `leads` say
    whether its plan led before and afterwards. `ended_from` is the former status of a coalition that the act ended.
    """

    plan_id: str
    before: Member | None
    after: Member | None
    led: bool
    leads: bool
    ended_from: CoalitionStatus | None = None


@dataclass(frozen=True, slots=True)
class ActRecord:
    """An act that counted: its kind, its day and its change."""

    kind: str
    on: date
    change: ActChange


def act_change(before: Coalition, after: Coalition, plan_id: str) -> ActChange:
    """What an act on behalf of this plan changed."""
    return ActChange(
        plan_id=plan_id,
        before=before.member(plan_id),
        after=after.member(plan_id),
        led=before.lead == plan_id,
        leads=after.lead == plan_id,
        ended_from=before.status if before.is_living and not after.is_living else None,
    )


def undo(coalition: Coalition, act: ActRecord, today: date, bars: Bars) -> Coalition:
    """Take back a member's last act. A coalition that this act ended goes on. Raises AnswerRefusedError."""
    require_undoable(act.on, today)
    if act.kind in FINAL_ACTS:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "others rely on this already, so it can't be taken back")
    revived = _revive(coalition, act.change)
    _require_before_notice(revived, act.change.plan_id)
    require_open(revived)
    undone = _restore_lead(_restore_member(revived, act.change, bars), act.change)
    if undone.status is CoalitionStatus.FORMED and len(undone.accepted) < MIN_MEMBERS:
        undone = replace(undone, status=CoalitionStatus.INVITING)
    undone = settle(undone)
    if not coalition.is_living:
        undone = pass_day(undone, today)
        # An end by the calendar has come since.
        require_open(undone)
        _require_apart(undone, bars)
    _require_partners(coalition, undone, bars)
    return undone


def can_undo(coalition: Coalition, act: ActRecord, today: date, bars: Bars) -> bool:
    """Whether the act can be taken back, or at least the mute that came with it."""
    if act.kind == AnswerKind.NOT_THE_SAME:
        return today <= undo_by(act.on)
    try:
        undo(coalition, act, today, bars)
    except AnswerRefusedError:
        return False
    return True


def undo_by(answered_on: date) -> date:
    """The last day to take back an answer of a day."""
    return answered_on + timedelta(days=UNDO_DAYS)


def require_undoable(answered_on: date, today: date) -> None:
    """Raise AnswerRefusedError if an answer is too old to be taken back."""
    if today > undo_by(answered_on):
        raise AnswerRefusedError(RefusalReason.TOO_LATE, f"an answer can be taken back for {UNDO_DAYS} days")


def _require_before_notice(coalition: Coalition, plan_id: str) -> None:
    if coalition.status is not CoalitionStatus.FROZEN:
        return
    is_named = plan_id in {member.plan_id for member in coalition.accepted}
    because = "the tender notice is out and names your council" if is_named else "the tender notice is out"
    remedy = "contact the lead, or leave the group" if is_named else "contact the lead"
    raise AnswerRefusedError(RefusalReason.CLOSED, f"{because}, so this answer can no longer be taken back: {remedy}")


def _require_apart(revived: Coalition, bars: Bars) -> None:
    """Raise AnswerRefusedError if another coalition has all these plans by now."""
    together = {member.plan_id for member in revived.current}
    for coalition_id, plan_ids in bars.groups.items():
        if together <= plan_ids:
            raise AnswerRefusedError(
                RefusalReason.NOT_ALLOWED, f"its plans are in coalition {coalition_id} by now; answer there"
            )


def _require_partners(before: Coalition, after: Coalition, bars: Bars) -> None:
    """Raise AnswerRefusedError if the coalition would form again without those that another one has by now."""
    forms = after.status in HOLDING and before.status not in HOLDING
    taken = bars.elsewhere & {member.plan_id for member in after.accepted}
    if forms and taken and not drop_members(after, taken).is_living:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "the others are in another coalition that has formed")


def _revive(coalition: Coalition, change: ActChange) -> Coalition:
    """The coalition as it was when this act ended it. Nothing changes a coalition after its end."""
    if coalition.is_living or change.ended_from is None:
        return coalition
    return replace(
        coalition,
        status=change.ended_from,
        ended_because=None,
        terms_revision=coalition.terms_revision + 1,
        revivals=coalition.revivals + 1,
    )


def _restore_member(coalition: Coalition, change: ActChange, bars: Bars) -> Coalition:
    """Restore the act's member. Raises AnswerRefusedError if the member's state has changed again since."""
    now, after = coalition.member(change.plan_id), change.after
    if now is None or after is None:
        raise AnswerRefusedError(RefusalReason.NOT_A_MEMBER, f"plan {change.plan_id} is not in this coalition any more")
    # A member that joined by the act leaves with its undo.
    before = change.before or replace(after, state=MemberState.LEFT, committed=False)
    if before.state is not after.state and now.state is not after.state:
        raise AnswerRefusedError(
            RefusalReason.NOT_ALLOWED, f"the plan is {now.state.value} by now, and that is no act of yours to take back"
        )
    taken_back: dict[str, Any] = {
        name: getattr(before, name)
        for name in _RESTORED
        if getattr(before, name) != getattr(after, name) and getattr(now, name) == getattr(after, name)
    }
    restored = replace(now, **taken_back)
    if restored.state is not now.state and restored.state in CURRENT:
        require_free(bars, change.plan_id, guest=restored.state is not MemberState.ACCEPTED)
    undone = replace_member(coalition, restored)
    if len(undone.in_state(MemberState.ACCEPTED, MemberState.INVITED)) > MAX_MEMBERS:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, f"the coalition has its {MAX_MEMBERS} members")
    return undone


def _restore_lead(coalition: Coalition, change: ActChange) -> Coalition:
    """Give the lead up that the act took, or back that it gave up. Only a member that is in leads others."""
    member = coalition.member(change.plan_id)
    may_lead = coalition.status is CoalitionStatus.SUGGESTED or member in coalition.accepted
    leads = coalition.lead == change.plan_id
    if change.leads and not change.led:
        if not leads:
            raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "the plan does not lead any more")
        lead = None
    elif leads and not may_lead:
        lead = None
    elif change.led and not change.leads and coalition.lead is None and may_lead:
        lead = change.plan_id
    else:
        return coalition
    return replace(coalition, lead=lead, terms_revision=coalition.terms_revision + 1)
