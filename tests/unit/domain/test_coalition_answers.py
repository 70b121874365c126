"""The state machine: what authorities do. One line, one case; a refusal has a reason and a sentence."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from events.coalitions import CoalitionStatus, MemberState
from events.responses import AnswerKind
from services.domain.coalition import Coalition, PlanChange, pass_day, revise
from services.domain.coalition_answers import (
    AnswerRefusedError,
    InvitationRequest,
    RefusalReason,
    accept,
    answer,
    commit,
    convene,
    decline,
    invite,
    join,
    leave,
    move_reply_by,
    require_current,
    take_lead,
)
from services.domain.coalition_bars import Bars
from tests.unit.domain.coalitions import (
    BRADFORD,
    DECIDE_BY,
    HULL,
    INVITED_ON,
    KIRKLEES,
    LEEDS,
    REPLY_BY,
    ended,
    formed,
    formed_without_kirklees,
    frozen,
    inviting,
    suggested,
    suggestion,
)

Make = Callable[[], Coalition]
Act = Callable[[Coalition], Coalition]
S, M, R = CoalitionStatus, MemberState, RefusalReason
AFTER = REPLY_BY + timedelta(days=1)


ELSEWHERE = Bars(elsewhere=frozenset({LEEDS, BRADFORD, KIRKLEES, HULL}))
"""All plans are in another coalition that has formed."""


def _changed(plan_id: str, change: PlanChange = PlanChange.WITHDRAWN) -> Bars:
    return Bars(changed={plan_id: change})


def _lapsed() -> Coalition:
    """Formed by Leeds and Bradford; Kirklees let the day pass."""
    return pass_day(accept(inviting(), BRADFORD, INVITED_ON), AFTER)


def _with_hull_proposed() -> Coalition:
    return revise(formed(), suggestion(LEEDS, BRADFORD, KIRKLEES, HULL))


@pytest.mark.parametrize(
    ("make", "act", "status", "plan_id", "state"),
    [
        (suggested, lambda c: answer(c, BRADFORD, AnswerKind.INTERESTED), S.SUGGESTED, BRADFORD, M.SUGGESTED),
        (suggested, lambda c: answer(c, BRADFORD, AnswerKind.OTHER_DATES), S.SUGGESTED, BRADFORD, M.SUGGESTED),
        (suggested, lambda c: answer(c, BRADFORD, AnswerKind.LATER), S.SUGGESTED, BRADFORD, M.SUGGESTED),
        (suggested, lambda c: answer(c, BRADFORD, AnswerKind.NOT_THIS_TIME), S.SUGGESTED, BRADFORD, M.DECLINED),
        (suggested, lambda c: answer(c, BRADFORD, AnswerKind.NOT_THE_SAME), S.SUGGESTED, BRADFORD, M.DECLINED),
        (suggested, lambda c: decline(decline(c, BRADFORD), LEEDS), S.DISSOLVED, BRADFORD, M.DECLINED),
        (suggested, lambda c: invite(c, LEEDS, InvitationRequest(), INVITED_ON), S.INVITING, LEEDS, M.ACCEPTED),
        (suggested, lambda c: invite(c, LEEDS, InvitationRequest(), INVITED_ON), S.INVITING, KIRKLEES, M.INVITED),
        (
            suggested,
            lambda c: invite(c, LEEDS, InvitationRequest((BRADFORD,)), INVITED_ON),
            S.INVITING,
            KIRKLEES,
            M.SUGGESTED,
        ),
        (
            suggested,
            lambda c: invite(c, LEEDS, InvitationRequest(), INVITED_ON, _changed(KIRKLEES)),
            S.INVITING,
            KIRKLEES,
            M.SUGGESTED,
        ),
        (inviting, lambda c: accept(c, BRADFORD, REPLY_BY), S.INVITING, BRADFORD, M.ACCEPTED),
        (inviting, lambda c: accept(accept(c, BRADFORD, REPLY_BY), KIRKLEES, REPLY_BY), S.FORMED, KIRKLEES, M.ACCEPTED),
        (inviting, lambda c: decline(accept(c, BRADFORD, REPLY_BY), KIRKLEES), S.FORMED, KIRKLEES, M.DECLINED),
        (inviting, lambda c: decline(decline(c, BRADFORD), KIRKLEES), S.DISSOLVED, KIRKLEES, M.DECLINED),
        (inviting, lambda c: answer(c, BRADFORD, AnswerKind.INTERESTED), S.INVITING, BRADFORD, M.INVITED),
        (inviting, lambda c: answer(c, BRADFORD, AnswerKind.NOT_THIS_TIME), S.INVITING, BRADFORD, M.DECLINED),
        (inviting, lambda c: leave(c, LEEDS), S.INVITING, LEEDS, M.LEFT),
        (formed, lambda c: accept(c, BRADFORD, REPLY_BY), S.FORMED, BRADFORD, M.ACCEPTED),
        (formed, lambda c: leave(c, BRADFORD), S.FORMED, BRADFORD, M.LEFT),
        (formed, lambda c: leave(leave(c, BRADFORD), KIRKLEES), S.DISSOLVED, KIRKLEES, M.LEFT),
        (formed, lambda c: commit(c, BRADFORD), S.FORMED, BRADFORD, M.ACCEPTED),
        (_with_hull_proposed, lambda c: join(c, HULL, "E06000010", DECIDE_BY), S.FORMED, HULL, M.ACCEPTED),
        (
            _with_hull_proposed,
            lambda c: invite(c, LEEDS, InvitationRequest((HULL,)), INVITED_ON),
            S.FORMED,
            HULL,
            M.INVITED,
        ),
        (_lapsed, lambda c: join(c, KIRKLEES, "E08000034", AFTER), S.FORMED, KIRKLEES, M.ACCEPTED),
        (formed_without_kirklees, lambda c: join(c, KIRKLEES, "E08000034", AFTER), S.FORMED, KIRKLEES, M.ACCEPTED),
        (frozen, lambda c: leave(c, BRADFORD), S.FROZEN, BRADFORD, M.LEFT),
        (frozen, lambda c: leave(c, LEEDS), S.DISSOLVED, LEEDS, M.LEFT),
        (frozen, lambda c: commit(c, BRADFORD), S.FROZEN, BRADFORD, M.ACCEPTED),
    ],
)
def test_what_an_authority_does(
    make: Make, act: Act, status: CoalitionStatus, plan_id: str, state: MemberState
) -> None:
    after = act(make())
    assert after.status is status
    member = after.member(plan_id)
    assert member is not None
    assert member.state is state


@pytest.mark.parametrize(
    ("make", "act", "reason", "sentence"),
    [
        (suggested, lambda c: accept(c, BRADFORD, INVITED_ON), R.NOT_ALLOWED, "nobody has invited"),
        (suggested, lambda c: answer(c, HULL, AnswerKind.INTERESTED), R.NOT_A_MEMBER, "is not in this coalition"),
        (suggested, lambda c: join(c, HULL, "E06000010", INVITED_ON), R.NOT_ALLOWED, "say that you are interested"),
        (suggested, lambda c: commit(c, LEEDS), R.NOT_ALLOWED, "has accepted"),
        (suggested, lambda c: leave(c, LEEDS), R.NOT_ALLOWED, "decline instead"),
        (suggested, lambda c: move_reply_by(c, LEEDS, REPLY_BY), R.NOT_ALLOWED, "only the lead"),
        (suggested, lambda c: invite(c, LEEDS, InvitationRequest(), DECIDE_BY), R.TOO_LATE, "too late to invite"),
        (suggested, lambda c: invite(c, LEEDS, InvitationRequest(reply_days=5), INVITED_ON), R.TOO_LATE, "10 to 40"),
        (suggested, lambda c: invite(c, LEEDS, InvitationRequest((HULL,)), INVITED_ON), R.NOT_A_MEMBER, "not fit"),
        (suggested, lambda c: invite(c, LEEDS, InvitationRequest((LEEDS,)), INVITED_ON), R.NOT_ALLOWED, "nobody left"),
        (
            lambda: decline(suggested(), BRADFORD),
            lambda c: invite(c, LEEDS, InvitationRequest((BRADFORD,)), INVITED_ON),
            R.NOT_ALLOWED,
            "declined",
        ),
        (inviting, lambda c: accept(c, BRADFORD, AFTER), R.TOO_LATE, "answers were due by 2027-01-08"),
        (inviting, lambda c: accept(c, BRADFORD, INVITED_ON, ELSEWHERE), R.NOT_ALLOWED, "leave that one first"),
        (inviting, lambda c: invite(c, BRADFORD, InvitationRequest(), INVITED_ON), R.NOT_ALLOWED, "accept the"),
        (inviting, lambda c: decline(c, LEEDS), R.NOT_ALLOWED, "leave the coalition instead"),
        (inviting, lambda c: take_lead(c, BRADFORD), R.NOT_ALLOWED, "leads; it has to leave first"),
        (inviting, lambda c: move_reply_by(c, BRADFORD, AFTER), R.NOT_ALLOWED, "only the lead"),
        (inviting, lambda c: move_reply_by(c, LEEDS, REPLY_BY - timedelta(days=1)), R.NOT_ALLOWED, "only move later"),
        (formed, lambda c: join(c, HULL, "E06000010", INVITED_ON), R.NOT_A_MEMBER, "does not fit all"),
        (formed, lambda c: invite(c, LEEDS, InvitationRequest(), INVITED_ON), R.NOT_ALLOWED, "nobody left"),
        (
            _with_hull_proposed,
            lambda c: join(c, HULL, "E06000010", DECIDE_BY + timedelta(days=1)),
            R.TOO_LATE,
            "the members decided by",
        ),
        (
            _with_hull_proposed,
            lambda c: join(c, HULL, "E06000010", INVITED_ON, ELSEWHERE),
            R.NOT_ALLOWED,
            "leave that one first",
        ),
        (suggested, lambda c: invite(c, LEEDS, InvitationRequest(), INVITED_ON, ELSEWHERE), R.NOT_ALLOWED, "that one"),
        (suggested, lambda c: invite(c, LEEDS, InvitationRequest(), INVITED_ON, _changed(LEEDS)), R.NOT_ALLOWED, "wi"),
        (
            _with_hull_proposed,
            lambda c: invite(c, LEEDS, InvitationRequest((HULL,)), INVITED_ON, _changed(HULL)),
            R.NOT_ALLOWED,
            "no longer shared openly",
        ),
        (
            suggested,
            lambda c: convene(c, "GB-X-OFFICE", InvitationRequest((LEEDS, BRADFORD)), INVITED_ON, _changed(BRADFORD)),
            R.NOT_ALLOWED,
            "no longer shared openly",
        ),
        (
            inviting,
            lambda c: accept(c, BRADFORD, INVITED_ON, _changed(BRADFORD, PlanChange.TENDERING)),
            R.NOT_ALLOWED,
            "out to tender",
        ),
        (
            formed_without_kirklees,
            lambda c: join(c, KIRKLEES, "E08000034", INVITED_ON, _changed(KIRKLEES, PlanChange.AWARDED)),
            R.NOT_ALLOWED,
            "has been awarded",
        ),
        (lambda: leave(formed(), LEEDS), lambda c: take_lead(c, BRADFORD, _changed(BRADFORD)), R.NOT_ALLOWED, "withdr"),
        (formed_without_kirklees, lambda c: accept(c, KIRKLEES, INVITED_ON), R.NOT_A_MEMBER, "no longer in"),
        (frozen, lambda c: join(c, HULL, "E06000010", INVITED_ON), R.CLOSED, "tender notice is out"),
        (frozen, lambda c: answer(c, BRADFORD, AnswerKind.INTERESTED), R.CLOSED, "tender notice is out"),
        (frozen, lambda c: invite(c, LEEDS, InvitationRequest((HULL,)), INVITED_ON), R.CLOSED, "tender notice is out"),
        (lambda: ended(S.LAPSED), lambda c: accept(c, BRADFORD, INVITED_ON), R.CLOSED, "has ended. It is over."),
        (lambda: ended(S.AWARDED), lambda c: leave(c, BRADFORD), R.CLOSED, "has ended"),
        (lambda: ended(S.DISSOLVED), lambda c: commit(c, BRADFORD), R.CLOSED, "has ended"),
    ],
)
def test_what_is_refused(make: Make, act: Act, reason: RefusalReason, sentence: str) -> None:
    with pytest.raises(AnswerRefusedError, match=sentence) as refused:
        act(make())
    assert refused.value.reason is reason


def test_an_invitation_says_who_asked_and_until_when() -> None:
    invitation = inviting().invitation
    assert invitation is not None
    assert (invitation.by, invitation.invited_on, invitation.reply_by) == (LEEDS, INVITED_ON, REPLY_BY)
    assert inviting().lead == LEEDS
    assert inviting().terms_revision == suggested().terms_revision + 1


def test_inviting_one_more_never_shortens_the_others_time() -> None:
    first = invite(suggested(), LEEDS, InvitationRequest((BRADFORD,)), INVITED_ON)
    more = invite(first, LEEDS, InvitationRequest((KIRKLEES,), reply_days=10), INVITED_ON)
    assert more.invitation is not None
    assert more.invitation.reply_by == REPLY_BY


def test_who_invites_later_asks_in_its_own_words() -> None:
    first = invite(suggested(), LEEDS, InvitationRequest((BRADFORD,), scope="HR", route="No framework"), INVITED_ON)
    both = accept(first, BRADFORD, INVITED_ON)
    later = INVITED_ON + timedelta(days=1)
    silent = invite(both, BRADFORD, InvitationRequest((KIRKLEES,)), later).invitation
    assert silent is not None
    assert (silent.by, silent.invited_on, silent.scope, silent.route) == (LEEDS, INVITED_ON, "HR", "No framework")
    said = invite(both, BRADFORD, InvitationRequest((KIRKLEES,), scope="HR and payroll"), later).invitation
    assert said is not None
    assert (said.by, said.invited_on, said.scope, said.route) == (BRADFORD, later, "HR and payroll", "")


def test_the_lead_gives_more_time() -> None:
    moved = move_reply_by(inviting(), LEEDS, date(2027, 1, 29))
    assert moved.invitation is not None
    assert moved.invitation.reply_by == date(2027, 1, 29)
    assert accept(moved, BRADFORD, date(2027, 1, 29)).member(BRADFORD)


def test_an_answer_to_older_terms_is_stale() -> None:
    require_current(inviting(), inviting().terms_revision)
    with pytest.raises(AnswerRefusedError, match="look at it again") as stale:
        require_current(inviting(), inviting().terms_revision - 1)
    assert stale.value.reason is R.STALE
    with pytest.raises(AnswerRefusedError, match="no version 9 yet") as unknown:
        require_current(inviting(), 9)
    assert unknown.value.reason is R.UNKNOWN_SUBJECT


def test_a_late_joiner_is_named_and_not_committed() -> None:
    joined = join(_with_hull_proposed(), HULL, "E06000010", DECIDE_BY)
    member = joined.member(HULL)
    assert member is not None
    assert not member.committed
    assert joined.proposals == ()
    committed = commit(joined, HULL).member(HULL)
    assert committed is not None
    assert committed.committed


def test_the_lead_passes_on_only_when_it_is_free() -> None:
    gone = leave(formed(), LEEDS)
    assert gone.lead is None
    taken = take_lead(gone, BRADFORD)
    assert taken.lead == BRADFORD
    assert take_lead(taken, BRADFORD) == taken
    assert take_lead(suggested(), BRADFORD).lead == BRADFORD


def test_at_most_eight_are_in_or_asked() -> None:
    plans = [f"E0700020{n}:1" for n in range(9)]
    nine = replace(suggested(), members=())
    nine = revise(nine, suggestion(*plans, lead=plans[0]))
    with pytest.raises(AnswerRefusedError, match="at most 8"):
        invite(nine, plans[0], InvitationRequest(), INVITED_ON)
    eight = invite(nine, plans[0], InvitationRequest(tuple(plans[1:8])), INVITED_ON)
    assert len(eight.in_state(M.ACCEPTED, M.INVITED)) == 8
    ninth = revise(replace(eight, members=eight.members[:8]), suggestion(*plans, lead=plans[0]))
    with pytest.raises(AnswerRefusedError, match="has its 8 members"):
        join(ninth, plans[8], "E07000208", INVITED_ON)


@pytest.mark.parametrize("change", [None, *PlanChange])
def test_a_refusal_tells_nothing_of_an_unnamed_plan(change: PlanChange | None) -> None:
    bars = Bars(changed={HULL: change} if change else {})
    with pytest.raises(AnswerRefusedError, match="does not fit this coalition's members"):
        invite(suggested(), LEEDS, InvitationRequest((HULL,)), INVITED_ON, bars)
