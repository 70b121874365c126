"""The acts of authorities in a coalition: answer, invite, accept, leave, commit and lead. Pure.

`coalition_undo` takes them back.
Each function returns the next state, or raises `AnswerRefusedError` with a reason for programs and a sentence for
people.
"""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from events.coalitions import CoalitionStatus, MemberState, ProposalKind
from events.responses import AnswerKind
from services.domain.coalition import MAX_MEMBERS, MIN_MEMBERS, Coalition, Invitation, Member, replace_member, settle
from services.domain.coalition_bars import Bars
from services.domain.deadlines import DEFAULT_REPLY_DAYS, DeadlineError, check_new_reply_by, reply_by

NO_BARS: Final = Bars()


REFUSALS: Final = frozenset({AnswerKind.NOT_THE_SAME, AnswerKind.NOT_THIS_TIME})


class ResponseOutcome(StrEnum):
    """The outcome of a response: it counts, or it broke a rule and counts for nothing."""

    RECORDED = "recorded"
    REFUSED = "refused"


class RefusalReason(StrEnum):
    """Why an answer is refused."""

    STALE = "stale"
    UNKNOWN_SUBJECT = "unknown-subject"
    NOT_A_MEMBER = "not-a-member"
    CLOSED = "closed"
    TOO_LATE = "too-late"
    NOT_ALLOWED = "not-allowed"


class AnswerRefusedError(ValueError):
    """A refused answer: `reason` is for programs, the message for people."""

    def __init__(self, reason: RefusalReason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class InvitationRequest:
    """The inviting authority's request: the plans to invite, the working days to reply, the scope and the route."""

    plan_ids: tuple[str, ...] = ()
    reply_days: int = DEFAULT_REPLY_DAYS
    scope: str = ""
    route: str = ""


def require_current(coalition: Coalition, terms_revision: int) -> None:
    """Raise AnswerRefusedError if an answer is to other terms than the current ones."""
    if terms_revision < coalition.terms_revision:
        raise AnswerRefusedError(
            RefusalReason.STALE,
            f"the answer is to version {terms_revision} of the coalition, and its members, dates or lead have changed "
            f"since (version {coalition.terms_revision}): look at it again, then answer",
        )
    if terms_revision > coalition.terms_revision:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT,
            f"the coalition has no version {terms_revision} yet; it stands at {coalition.terms_revision}",
        )


def require_open(coalition: Coalition) -> None:
    """Raise AnswerRefusedError once the tender notice is out, or the coalition has ended."""
    if coalition.status is CoalitionStatus.FROZEN:
        raise AnswerRefusedError(
            RefusalReason.CLOSED, "the tender notice is out and names every member: nobody joins any more"
        )
    if not coalition.is_living:
        raise _ended(coalition)


def require_free(bars: Bars, plan_id: str, *, guest: bool = False) -> None:
    """Raise AnswerRefusedError if something bars the plan. `guest`: it is only asked, and comes in by its own yes."""
    barred = bars.of_guest(plan_id) if guest else bars.of_plan(plan_id)
    if barred is not None:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, barred)


def answer(coalition: Coalition, plan_id: str, kind: AnswerKind) -> Coalition:
    """Record a member's answer to the suggestion. A no takes the member out."""
    member = _current_member(coalition, plan_id)
    require_open(coalition)
    if kind in REFUSALS:
        return decline(coalition, plan_id, kind)
    touched = coalition.touched or kind is not AnswerKind.LATER
    return replace(replace_member(coalition, replace(member, answer=kind.value)), touched=touched)


def invite(
    coalition: Coalition, plan_id: str, request: InvitationRequest, today: date, bars: Bars = NO_BARS
) -> Coalition:
    """Invite the named plans, or all suggested ones, on behalf of a member. The first to invite leads."""
    member = _current_member(coalition, plan_id)
    require_open(coalition)
    if member.state is MemberState.INVITED:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "accept the invitation before you invite others")
    suggested = (one.plan_id for one in coalition.in_state(MemberState.SUGGESTED))
    named = request.plan_ids or tuple(one for one in suggested if bars.of_guest(one) is None)
    require_free(bars, plan_id)
    guests = [_guest(coalition, one, bars) for one in named if one != plan_id]
    if not guests:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "there is nobody left to invite")
    invitation = _invitation(coalition, plan_id, request, today)
    for one in (replace(member, state=MemberState.ACCEPTED), *(_invited(guest, today) for guest in guests)):
        coalition = replace_member(coalition, one)
    if len(coalition.in_state(MemberState.ACCEPTED, MemberState.INVITED)) > MAX_MEMBERS:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, f"a coalition has at most {MAX_MEMBERS} members")
    invited = {guest.plan_id for guest in guests}
    first = coalition.status is CoalitionStatus.SUGGESTED
    return replace(
        coalition,
        status=CoalitionStatus.INVITING if first else coalition.status,
        lead=plan_id if first or coalition.lead is None else coalition.lead,
        invitation=invitation,
        touched=True,
        terms_revision=coalition.terms_revision + 1,
        proposals=tuple(one for one in coalition.proposals if one.plan_id not in invited),
    )


def convene(
    coalition: Coalition, party: str, request: InvitationRequest, today: date, bars: Bars = NO_BARS
) -> Coalition:
    """The coalition after a party invited members of it. Nobody is in, and nobody leads, before they say so."""
    require_open(coalition)
    if coalition.status is not CoalitionStatus.SUGGESTED:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "its members have been invited already; ask those")
    guests = [_guest(coalition, plan_id, bars) for plan_id in sorted(set(request.plan_ids))]
    if len(guests) < MIN_MEMBERS:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, f"invite at least {MIN_MEMBERS} plans")
    invitation = replace(_invitation(coalition, None, request, today), convened_by=party)
    for guest in guests:
        coalition = replace_member(coalition, _invited(guest, today))
    return replace(
        coalition,
        status=CoalitionStatus.INVITING,
        lead=None,
        invitation=invitation,
        touched=True,
        terms_revision=coalition.terms_revision + 1,
    )


def accept(coalition: Coalition, plan_id: str, today: date, bars: Bars = NO_BARS) -> Coalition:
    """Accept for an invited member."""
    member = _current_member(coalition, plan_id)
    require_open(coalition)
    if member.state is MemberState.ACCEPTED:
        return coalition
    if member.state is not MemberState.INVITED or coalition.invitation is None:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "nobody has invited this plan yet; invite the others")
    if today > coalition.invitation.reply_by:
        raise AnswerRefusedError(
            RefusalReason.TOO_LATE,
            f"answers were due by {coalition.invitation.reply_by}; join instead, while the coalition is open",
        )
    require_free(bars, plan_id)
    return settle(replace_member(coalition, replace(member, state=MemberState.ACCEPTED)))


def join(coalition: Coalition, plan_id: str, authority: str, today: date, bars: Bars = NO_BARS) -> Coalition:
    """Add a plan late. The member is named, and not committed until its authority says so."""
    require_open(coalition)
    if coalition.status is CoalitionStatus.SUGGESTED:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "nobody has invited yet; say that you are interested")
    known = coalition.member(plan_id)
    if known is not None and known.state is MemberState.ACCEPTED:
        return coalition
    proposed = any(one.plan_id == plan_id and one.kind is ProposalKind.FITS_TOO for one in coalition.proposals)
    if known is None and not proposed:
        raise AnswerRefusedError(
            RefusalReason.NOT_A_MEMBER, "the plan does not fit all members; ask the lead to look at it"
        )
    if today > coalition.dates.decide_by:
        raise AnswerRefusedError(RefusalReason.TOO_LATE, f"the members decided by {coalition.dates.decide_by}")
    if len(coalition.in_state(MemberState.ACCEPTED, MemberState.INVITED)) >= MAX_MEMBERS:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, f"the coalition has its {MAX_MEMBERS} members")
    require_free(bars, plan_id)
    joined = replace_member(coalition, Member(plan_id, authority, MemberState.ACCEPTED))
    rest = tuple(one for one in coalition.proposals if one.plan_id != plan_id)
    return settle(replace(joined, proposals=rest, touched=True))


def decline(coalition: Coalition, plan_id: str, kind: AnswerKind | None = None) -> Coalition:
    """Decline for a member. No reason is asked for."""
    member = _current_member(coalition, plan_id)
    require_open(coalition)
    if member.state is MemberState.ACCEPTED:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "the plan is in; leave the coalition instead")
    said_no = replace(member, state=MemberState.DECLINED, answer=kind.value if kind else member.answer)
    lead = None if coalition.lead == plan_id else coalition.lead
    return settle(replace(replace_member(coalition, said_no), touched=True, lead=lead))


def leave(coalition: Coalition, plan_id: str) -> Coalition:
    """Take out a member that had accepted. It may leave at any time, also after the tender notice."""
    member = _current_member(coalition, plan_id)
    if not coalition.is_living:
        raise _ended(coalition)
    if member.state is not MemberState.ACCEPTED:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "the plan is not in; decline instead")
    gone = replace_member(coalition, replace(member, state=MemberState.LEFT, committed=False))
    return settle(replace(gone, lead=None if coalition.lead == plan_id else coalition.lead))


def commit(coalition: Coalition, plan_id: str) -> Coalition:
    """Mark a member as committed, after its authority has taken the decision."""
    member = _current_member(coalition, plan_id)
    if not coalition.is_living:
        raise _ended(coalition)
    if member.state is not MemberState.ACCEPTED:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "only a member that has accepted can commit")
    return replace_member(coalition, replace(member, committed=True))


def take_lead(coalition: Coalition, plan_id: str, bars: Bars = NO_BARS) -> Coalition:
    """Make a member the lead. A lead that has accepted stays the lead until it leaves."""
    member = _current_member(coalition, plan_id)
    require_open(coalition)
    if coalition.lead == plan_id:
        return coalition
    leader = coalition.member(coalition.lead) if coalition.lead else None
    if leader is not None and leader.state is MemberState.ACCEPTED:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, f"{leader.authority} leads; it has to leave first")
    if coalition.status is not CoalitionStatus.SUGGESTED and member.state is not MemberState.ACCEPTED:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "only a member that has accepted can lead")
    require_free(bars, plan_id)
    return replace(coalition, lead=plan_id, touched=True, terms_revision=coalition.terms_revision + 1)


def move_reply_by(coalition: Coalition, plan_id: str, due: date) -> Coalition:
    """Move the reply-by to a later day, on behalf of the lead."""
    _current_member(coalition, plan_id)
    require_open(coalition)
    if coalition.invitation is None or coalition.lead != plan_id:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "only the lead of an invitation can move its reply-by")
    try:
        check_new_reply_by(coalition.invitation.reply_by, due, coalition.dates, coalition.nations)
    except DeadlineError as error:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, str(error)) from None
    return replace(coalition, invitation=replace(coalition.invitation, reply_by=due))


def _current_member(coalition: Coalition, plan_id: str) -> Member:
    member = coalition.member(plan_id)
    if member is None:
        raise AnswerRefusedError(RefusalReason.NOT_A_MEMBER, f"plan {plan_id} is not in this coalition")
    if member not in coalition.current:
        if not coalition.is_living:
            raise _ended(coalition)
        raise AnswerRefusedError(
            RefusalReason.NOT_A_MEMBER, f"plan {plan_id} is no longer in this coalition ({member.state.value})"
        )
    return member


def _ended(coalition: Coalition) -> AnswerRefusedError:
    return AnswerRefusedError(RefusalReason.CLOSED, f"the coalition has ended. {coalition.ended_because or ''}".strip())


def _guest(coalition: Coalition, plan_id: str, bars: Bars) -> Member:
    """The member to invite. A member that said no is invited again only if the engine proposed its plan anew.

    What bars a plan is looked at last: a refusal must not tell of a plan that this coalition does not name.
    """
    known = coalition.member(plan_id)
    if known is not None and known.state in (MemberState.SUGGESTED, MemberState.LAPSED):
        require_free(bars, plan_id, guest=True)
        return known
    if known is not None:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, f"plan {plan_id} can't be invited: {known.state.value}")
    proposed = next((one for one in coalition.proposals if one.plan_id == plan_id), None)
    if proposed is None:
        raise AnswerRefusedError(RefusalReason.NOT_A_MEMBER, f"plan {plan_id} does not fit this coalition's members")
    require_free(bars, plan_id, guest=True)
    return Member(plan_id, proposed.authority)


def _invited(guest: Member, today: date) -> Member:
    return replace(guest, state=MemberState.INVITED, invited_on=today)


def _invitation(coalition: Coalition, plan_id: str | None, request: InvitationRequest, today: date) -> Invitation:
    try:
        due = reply_by(today, coalition.dates, coalition.nations, request.reply_days)
    except DeadlineError as error:
        raise AnswerRefusedError(RefusalReason.TOO_LATE, str(error)) from None
    asked = Invitation(plan_id, today, due, request.scope, request.route)
    earlier = coalition.invitation
    if earlier is None:
        return asked
    # Members asked before rely on their reply-by: it never moves earlier.
    due = max(due, earlier.reply_by)
    if not (asked.scope or asked.route) and (earlier.scope or earlier.route):
        return replace(earlier, reply_by=due)  # without words of its own, the question is the earlier one
    return replace(asked, reply_by=due)
