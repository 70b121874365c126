"""The state machine: what an undo restores, and what it leaves as others made it. One line, one case."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from events.coalitions import CoalitionStatus, MemberState
from events.responses import AnswerKind
from services.domain.coalition import MAX_MEMBERS, Coalition, PlanChange, apply_plan_change, revise
from services.domain.coalition_answers import (
    NO_BARS,
    AnswerRefusedError,
    InvitationRequest,
    RefusalReason,
    accept,
    answer,
    commit,
    decline,
    invite,
    join,
    leave,
    take_lead,
)
from services.domain.coalition_bars import Bars
from services.domain.coalition_undo import ActRecord, act_change, can_undo, undo
from tests.unit.domain.coalitions import (
    BRADFORD,
    HULL,
    INVITED_ON,
    KIRKLEES,
    LEEDS,
    REPLY_BY,
    formed,
    formed_without_kirklees,
    inviting,
    suggested,
    suggestion,
)

Make = Callable[[], Coalition]
Act = Callable[[Coalition], Coalition]
S, M, R = CoalitionStatus, MemberState, RefusalReason
WEEK = timedelta(days=7)


def _pair() -> Coalition:
    """Leeds has invited Bradford alone."""
    return invite(revise(suggested(), suggestion(LEEDS, BRADFORD)), LEEDS, InvitationRequest(), INVITED_ON)


def _with_hull_proposed() -> Coalition:
    return revise(formed(), suggestion(LEEDS, BRADFORD, KIRKLEES, HULL))


def _without_lead() -> Coalition:
    return leave(formed(), LEEDS)


def _same(coalition: Coalition) -> Coalition:
    return coalition


def _interested(plan_id: str) -> Act:
    return lambda coalition: answer(coalition, plan_id, AnswerKind.INTERESTED)


def _no(plan_id: str, kind: AnswerKind = AnswerKind.NOT_THIS_TIME) -> Act:
    return lambda coalition: answer(coalition, plan_id, kind)


def _invited(coalition: Coalition) -> Coalition:
    return invite(coalition, LEEDS, InvitationRequest(), INVITED_ON)


def _accepted(plan_id: str) -> Act:
    return lambda coalition: accept(coalition, plan_id, INVITED_ON)


def _withdrawn(coalition: Coalition) -> Coalition:
    return apply_plan_change(coalition, BRADFORD, PlanChange.WITHDRAWN)


def _tendering(coalition: Coalition) -> Coalition:
    return apply_plan_change(coalition, LEEDS, PlanChange.TENDERING)


def _taken_back(
    make: Make, act: Act, since: Act, plan_id: str, kind: str = "accept", day: date = INVITED_ON, bars: Bars = NO_BARS
) -> Coalition:
    """The coalition after an act, what followed, and the undo of the act."""
    before = make()
    after = act(before)
    record = ActRecord(kind, INVITED_ON, act_change(before, after, plan_id))
    return undo(since(after), record, day, bars)


@pytest.mark.parametrize(
    ("make", "act", "since", "plan_id", "status", "state"),
    [
        (inviting, _accepted(BRADFORD), _same, BRADFORD, S.INVITING, M.INVITED),
        (inviting, lambda c: decline(c, BRADFORD), _same, BRADFORD, S.INVITING, M.INVITED),
        (inviting, _no(BRADFORD), _same, BRADFORD, S.INVITING, M.INVITED),
        (inviting, _interested(BRADFORD), _same, BRADFORD, S.INVITING, M.INVITED),
        (suggested, _no(BRADFORD), _same, BRADFORD, S.SUGGESTED, M.SUGGESTED),
        # Others have invited, or joined, since.
        (suggested, _interested(BRADFORD), _invited, BRADFORD, S.INVITING, M.INVITED),
        (suggested, _no(BRADFORD), _invited, BRADFORD, S.INVITING, M.SUGGESTED),
        (inviting, _accepted(BRADFORD), _accepted(KIRKLEES), BRADFORD, S.FORMED, M.INVITED),
        (formed, lambda c: commit(c, BRADFORD), _same, BRADFORD, S.FORMED, M.ACCEPTED),
        (formed, lambda c: leave(c, BRADFORD), _same, BRADFORD, S.FORMED, M.ACCEPTED),
        (formed_without_kirklees, lambda c: join(c, KIRKLEES, "", INVITED_ON), _same, KIRKLEES, S.FORMED, M.DECLINED),
        # Whoever came in with the act leaves with its undo.
        (_with_hull_proposed, lambda c: join(c, HULL, "E06000010", INVITED_ON), _same, HULL, S.FORMED, M.LEFT),
        # The yes that formed it, the no that ended it.
        (_pair, _accepted(BRADFORD), _same, BRADFORD, S.INVITING, M.INVITED),
        (_pair, _no(BRADFORD), _same, BRADFORD, S.INVITING, M.INVITED),
        (_pair, _no(BRADFORD, AnswerKind.NOT_THE_SAME), _same, BRADFORD, S.INVITING, M.INVITED),
        (_pair, lambda c: decline(c, BRADFORD), _same, BRADFORD, S.INVITING, M.INVITED),
        (formed_without_kirklees, lambda c: leave(c, BRADFORD), _same, BRADFORD, S.FORMED, M.ACCEPTED),
        (lambda: decline(suggested(), LEEDS), _no(BRADFORD), _same, BRADFORD, S.SUGGESTED, M.SUGGESTED),
    ],
)
def test_what_an_undo_restores(
    make: Make, act: Act, since: Act, plan_id: str, status: CoalitionStatus, state: MemberState
) -> None:
    undone = _taken_back(make, act, since, plan_id, day=INVITED_ON + WEEK)
    member = undone.member(plan_id)
    assert member is not None
    assert (undone.status, member.state, member.answer, member.committed) == (status, state, None, False)
    assert undone.ended_because is None


@pytest.mark.parametrize(
    ("make", "act", "since", "plan_id", "bars", "reason", "sentence"),
    [
        (_pair, lambda c: leave(c, LEEDS), _no(BRADFORD), LEEDS, NO_BARS, R.CLOSED, "has ended"),
        (inviting, _accepted(BRADFORD), _withdrawn, BRADFORD, NO_BARS, R.NOT_ALLOWED, "is withdrawn by now"),
        (
            inviting,
            lambda c: decline(c, BRADFORD),
            _same,
            BRADFORD,
            Bars(changed={BRADFORD: PlanChange.WITHDRAWN}),
            R.NOT_ALLOWED,
            "no longer shared openly",
        ),
        (
            formed,
            lambda c: leave(c, BRADFORD),
            _same,
            BRADFORD,
            Bars(elsewhere=frozenset({BRADFORD})),
            R.NOT_ALLOWED,
            "leave that one first",
        ),
        (
            suggested,
            lambda c: answer(c, BRADFORD, AnswerKind.LATER),
            lambda c: revise(c, suggestion(LEEDS, KIRKLEES, HULL)),
            BRADFORD,
            NO_BARS,
            R.NOT_A_MEMBER,
            "not in this coalition any more",
        ),
        (
            _without_lead,
            lambda c: take_lead(c, BRADFORD),
            lambda c: replace(c, lead=KIRKLEES),
            BRADFORD,
            NO_BARS,
            R.NOT_ALLOWED,
            "does not lead any more",
        ),
        (
            formed,
            lambda c: commit(c, BRADFORD),
            lambda c: replace(c, status=S.FROZEN),
            BRADFORD,
            NO_BARS,
            R.CLOSED,
            "out",
        ),
        (
            lambda: replace(formed_without_kirklees(), status=S.FROZEN),
            lambda c: leave(c, BRADFORD),
            _same,
            BRADFORD,
            NO_BARS,
            R.CLOSED,
            "taken back: contact the lead$",
        ),
    ],
)
def test_what_stays_as_others_made_it(
    make: Make, act: Act, since: Act, plan_id: str, bars: Bars, reason: RefusalReason, sentence: str
) -> None:
    with pytest.raises(AnswerRefusedError, match=sentence) as refused:
        _taken_back(make, act, since, plan_id, bars=bars)
    assert refused.value.reason is reason


@pytest.mark.parametrize("kind", ["invited", "dates"])
def test_what_others_rely_on_is_not_taken_back(kind: str) -> None:
    with pytest.raises(AnswerRefusedError, match="rely on this"):
        _taken_back(formed, _same, _same, LEEDS, kind)


def test_an_act_can_be_taken_back_for_a_week() -> None:
    assert _taken_back(inviting, _accepted(BRADFORD), _same, BRADFORD, day=INVITED_ON + WEEK) == inviting()
    with pytest.raises(AnswerRefusedError, match="for 7 days"):
        _taken_back(inviting, _accepted(BRADFORD), _same, BRADFORD, day=INVITED_ON + timedelta(days=8))


def test_a_coalition_whose_day_has_passed_does_not_come_back() -> None:
    invitation = _pair().invitation
    assert invitation is not None
    late = replace(_pair(), invitation=replace(invitation, reply_by=INVITED_ON + timedelta(days=2)))
    with pytest.raises(AnswerRefusedError, match="Nobody else answered"):
        _taken_back(lambda: late, _no(BRADFORD), _same, BRADFORD, day=INVITED_ON + timedelta(days=3))


def test_taking_the_lead_back_leaves_it_free_under_new_terms() -> None:
    before = _without_lead()
    undone = _taken_back(_without_lead, lambda c: take_lead(c, BRADFORD), _same, BRADFORD, "lead")
    assert (undone.lead, undone.members) == (None, before.members)
    assert undone.terms_revision == before.terms_revision + 2


def test_a_lead_that_comes_back_leads_again() -> None:
    assert _taken_back(formed, lambda c: leave(c, LEEDS), _same, LEEDS, "leave").lead == LEEDS
    taken = _taken_back(formed, lambda c: leave(c, LEEDS), lambda c: take_lead(c, BRADFORD), LEEDS, "leave")
    assert taken.lead == BRADFORD


def test_a_lead_that_is_in_no_longer_does_not_lead() -> None:
    def led_by_bradford() -> Coalition:
        return replace(inviting(), lead=None)

    undone = _taken_back(led_by_bradford, _accepted(BRADFORD), lambda c: take_lead(c, BRADFORD), BRADFORD)
    assert undone.lead is None


def test_coming_back_makes_no_ninth_member() -> None:
    plans = [f"E0700020{n}:1" for n in range(9)]
    nine = revise(replace(suggested(), members=()), suggestion(*plans, lead=plans[0]))
    full = invite(nine, plans[0], InvitationRequest(tuple(plans[1:MAX_MEMBERS])), INVITED_ON)
    others = InvitationRequest((plans[8],))
    with pytest.raises(AnswerRefusedError, match="has its 8 members"):
        _taken_back(
            lambda: full,
            lambda c: decline(c, plans[1]),
            lambda c: invite(c, plans[0], others, INVITED_ON),
            plans[1],
        )


def test_a_mute_can_always_be_taken_back() -> None:
    before = replace(formed_without_kirklees(), status=S.FROZEN)
    change = act_change(before, before, BRADFORD)
    assert not can_undo(before, ActRecord("commit", INVITED_ON, change), INVITED_ON, NO_BARS)
    mute = ActRecord(AnswerKind.NOT_THE_SAME, INVITED_ON, change)
    assert can_undo(before, mute, INVITED_ON + WEEK, NO_BARS)
    assert not can_undo(before, mute, REPLY_BY, NO_BARS)
