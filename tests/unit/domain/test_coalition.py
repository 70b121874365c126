"""The state machine: what plans, the engine and the calendar do. One line, one case."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from events.coalitions import CoalitionStatus, MemberState, ProposalKind
from events.responses import AnswerKind
from services.domain.coalition import (
    Coalition,
    PlanChange,
    apply_plan_change,
    drop_members,
    pass_day,
    release,
    revise,
    suggest,
)
from services.domain.coalition_answers import accept, answer
from services.domain.group_identity import is_same_group, match_groups
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
S, M = CoalitionStatus, MemberState


def _states(coalition: Coalition) -> dict[str, str]:
    return {member.plan_id: member.state.value for member in coalition.members}


@pytest.mark.parametrize(
    ("make", "plan_id", "change", "status", "state"),
    [
        (suggested, BRADFORD, PlanChange.WITHDRAWN, S.SUGGESTED, M.WITHDRAWN),
        (suggested, BRADFORD, PlanChange.TENDERING, S.SUGGESTED, M.WITHDRAWN),
        (suggested, BRADFORD, PlanChange.AWARDED, S.SUGGESTED, M.WITHDRAWN),
        (suggested, LEEDS, PlanChange.TENDERING, S.SUGGESTED, M.WITHDRAWN),
        (inviting, BRADFORD, PlanChange.WITHDRAWN, S.INVITING, M.WITHDRAWN),
        (inviting, LEEDS, PlanChange.WITHDRAWN, S.INVITING, M.WITHDRAWN),
        (inviting, LEEDS, PlanChange.TENDERING, S.DISSOLVED, M.ACCEPTED),
        (formed, BRADFORD, PlanChange.WITHDRAWN, S.FORMED, M.WITHDRAWN),
        (formed, BRADFORD, PlanChange.TENDERING, S.FORMED, M.WITHDRAWN),
        (formed, BRADFORD, PlanChange.AWARDED, S.FORMED, M.WITHDRAWN),
        (formed, LEEDS, PlanChange.WITHDRAWN, S.FORMED, M.WITHDRAWN),
        (formed, LEEDS, PlanChange.TENDERING, S.FROZEN, M.ACCEPTED),
        (formed, LEEDS, PlanChange.AWARDED, S.AWARDED, M.ACCEPTED),
        (formed_without_kirklees, BRADFORD, PlanChange.WITHDRAWN, S.DISSOLVED, M.WITHDRAWN),
        (formed_without_kirklees, KIRKLEES, PlanChange.WITHDRAWN, S.FORMED, M.DECLINED),
        (frozen, BRADFORD, PlanChange.TENDERING, S.FROZEN, M.ACCEPTED),
        (frozen, BRADFORD, PlanChange.AWARDED, S.FROZEN, M.ACCEPTED),
        (frozen, BRADFORD, PlanChange.WITHDRAWN, S.FROZEN, M.WITHDRAWN),
        (frozen, LEEDS, PlanChange.WITHDRAWN, S.DISSOLVED, M.WITHDRAWN),
        (frozen, LEEDS, PlanChange.TENDERING, S.FROZEN, M.ACCEPTED),
        (frozen, LEEDS, PlanChange.AWARDED, S.AWARDED, M.ACCEPTED),
        (lambda: ended(S.LAPSED), LEEDS, PlanChange.WITHDRAWN, S.LAPSED, M.ACCEPTED),
        (lambda: ended(S.DISSOLVED), LEEDS, PlanChange.TENDERING, S.DISSOLVED, M.ACCEPTED),
        (lambda: ended(S.AWARDED), LEEDS, PlanChange.AWARDED, S.AWARDED, M.ACCEPTED),
    ],
)
def test_what_becomes_of_a_members_plan(
    make: Make, plan_id: str, change: PlanChange, status: CoalitionStatus, state: MemberState
) -> None:
    after = apply_plan_change(make(), plan_id, change)
    assert after.status is status
    member = after.member(plan_id)
    assert member is not None
    assert member.state is state
    assert after.is_living or after.ended_because


def test_a_plan_of_nobody_changes_nothing() -> None:
    assert apply_plan_change(formed(), HULL, PlanChange.WITHDRAWN) == formed()


def test_a_lead_that_is_gone_leads_no_more() -> None:
    assert apply_plan_change(formed(), LEEDS, PlanChange.WITHDRAWN).lead is None
    assert apply_plan_change(formed(), BRADFORD, PlanChange.WITHDRAWN).lead == LEEDS


def test_the_tender_notice_lapses_open_invitations() -> None:
    waiting = accept(inviting(), BRADFORD, INVITED_ON)
    after = apply_plan_change(waiting, LEEDS, PlanChange.TENDERING)
    assert after.status is S.FROZEN
    assert _states(after) == {LEEDS: "accepted", BRADFORD: "accepted", KIRKLEES: "lapsed"}


@pytest.mark.parametrize(
    ("make", "day", "status", "kirklees"),
    [
        (suggested, DECIDE_BY, S.SUGGESTED, M.SUGGESTED),
        (suggested, DECIDE_BY + timedelta(days=1), S.DISSOLVED, M.SUGGESTED),
        (lambda: replace(suggested(), touched=True), DECIDE_BY + timedelta(days=1), S.DISSOLVED, M.SUGGESTED),
        (lambda: replace(suggested(), touched=True), DECIDE_BY, S.SUGGESTED, M.SUGGESTED),
        (formed, DECIDE_BY + timedelta(days=1), S.FORMED, M.ACCEPTED),
        (inviting, REPLY_BY, S.INVITING, M.INVITED),
        (inviting, REPLY_BY + timedelta(days=1), S.LAPSED, M.LAPSED),
        (lambda: accept(inviting(), BRADFORD, INVITED_ON), REPLY_BY, S.INVITING, M.INVITED),
        (lambda: accept(inviting(), BRADFORD, INVITED_ON), REPLY_BY + timedelta(days=1), S.FORMED, M.LAPSED),
        (formed, REPLY_BY + timedelta(days=1), S.FORMED, M.ACCEPTED),
        (frozen, REPLY_BY + timedelta(days=1), S.FROZEN, M.ACCEPTED),
        (lambda: ended(S.LAPSED), REPLY_BY + timedelta(days=1), S.LAPSED, M.ACCEPTED),
    ],
)
def test_silence_lapses_and_is_never_a_yes(
    make: Make, day: date, status: CoalitionStatus, kirklees: MemberState
) -> None:
    after = pass_day(make(), day)
    assert after.status is status
    assert _states(after)[KIRKLEES] == kirklees


def test_before_a_person_acts_the_engine_adds_and_drops() -> None:
    after = revise(suggested(), suggestion(LEEDS, BRADFORD, HULL, explanation="Now with Hull."))
    assert _states(after) == {LEEDS: "suggested", BRADFORD: "suggested", HULL: "suggested"}
    assert after.explanation == "Now with Hull."
    assert after.terms_revision == suggested().terms_revision + 1
    assert revise(after, suggestion(LEEDS, BRADFORD, HULL, explanation="Now with Hull.")) == after


@pytest.mark.parametrize(
    "make",
    [inviting, formed, lambda: answer(suggested(), BRADFORD, AnswerKind.INTERESTED)],
)
def test_after_a_person_acted_the_engine_only_proposes(make: Make) -> None:
    before = make()
    after = revise(before, suggestion(LEEDS, BRADFORD, HULL))
    assert after.members == before.members
    assert after.terms_revision == before.terms_revision
    assert [(one.kind, one.plan_id) for one in after.proposals] == [
        (ProposalKind.FITS_TOO, HULL),
        (ProposalKind.STILL_IN, KIRKLEES),
    ]


def test_a_plan_that_said_no_is_not_proposed_again() -> None:
    assert revise(formed_without_kirklees(), suggestion(LEEDS, BRADFORD, KIRKLEES)).proposals == ()


@pytest.mark.parametrize("make", [frozen, lambda: ended(S.DISSOLVED), lambda: ended(S.LAPSED)])
def test_the_engine_has_no_say_once_it_is_closed(make: Make) -> None:
    assert revise(make(), suggestion(LEEDS, BRADFORD, HULL)) == make()


def test_asking_for_later_leaves_the_engine_free() -> None:
    waiting = answer(suggested(), BRADFORD, AnswerKind.LATER)
    assert not waiting.touched
    assert _states(revise(waiting, suggestion(LEEDS, BRADFORD, HULL))).keys() == {LEEDS, BRADFORD, HULL}


def test_a_group_that_is_gone_ends_only_an_untouched_suggestion() -> None:
    after = release(suggested(), "Leeds and Bradford no longer fit each other.")
    assert (after.status, after.ended_because) == (S.DISSOLVED, "Leeds and Bradford no longer fit each other.")
    assert release(inviting(), "gone") == inviting()
    touched = answer(suggested(), BRADFORD, AnswerKind.INTERESTED)
    assert release(touched, "gone") == touched


def test_without_a_group_no_other_plan_is_proposed() -> None:
    proposing = revise(formed(), suggestion(LEEDS, BRADFORD, HULL))
    assert [one.kind for one in release(proposing, "gone").proposals] == [ProposalKind.STILL_IN]


@pytest.mark.parametrize(
    ("make", "taken", "status", "left", "lead"),
    [
        (formed, {KIRKLEES}, S.FORMED, {KIRKLEES}, LEEDS),
        (formed, {LEEDS}, S.FORMED, {LEEDS}, None),
        (formed, {BRADFORD, KIRKLEES}, S.DISSOLVED, {BRADFORD, KIRKLEES}, LEEDS),
        (formed_without_kirklees, {BRADFORD, KIRKLEES}, S.DISSOLVED, {BRADFORD}, LEEDS),
        (frozen, {KIRKLEES}, S.FROZEN, {KIRKLEES}, LEEDS),
        (frozen, {LEEDS}, S.DISSOLVED, {LEEDS}, None),
    ],
)
def test_the_first_coalition_to_form_keeps_a_plan(
    make: Make, taken: set[str], status: CoalitionStatus, left: set[str], lead: str | None
) -> None:
    after = drop_members(make(), taken)
    assert (after.status, after.lead) == (status, lead)
    assert {member.plan_id for member in after.in_state(M.LEFT)} == left


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("abc", "abc", True),
        ("abc", "abd", True),
        ("abcd", "abef", True),
        ("abc", "ade", False),
        ("ab", "acdefg", True),
        ("abc", "def", False),
        ("abc", "", False),
    ],
)
def test_half_of_the_smaller_makes_it_the_same(one: str, other: str, same: bool) -> None:
    assert is_same_group(one, other) is same
    assert is_same_group(other, one) is same


def test_the_older_coalition_chooses_first() -> None:
    older = suggest("older", suggestion(LEEDS, BRADFORD, KIRKLEES))
    younger = suggest("younger", suggestion(LEEDS, BRADFORD, HULL))
    group = suggestion(LEEDS, BRADFORD)
    assert match_groups([older, younger], [group]) == ({"older": group}, [])
    assert match_groups([younger, older], [group]) == ({"younger": group}, [])


def test_a_coalition_continues_as_the_group_it_shares_most_with() -> None:
    coalition = suggest("c1", suggestion(LEEDS, BRADFORD, KIRKLEES))
    near, far = suggestion(LEEDS, BRADFORD, KIRKLEES, HULL), suggestion(LEEDS, BRADFORD, "E06000014:1")
    other = suggestion("E06000001:1", "E06000002:1", "E06000003:1")
    assert match_groups([coalition], [far, other, near]) == ({"c1": near}, [other, far])
