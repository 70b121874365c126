"""Who is told what of a coalition, and what no longer holds at the moment of sending."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from events.coalitions import CoalitionStatus
from services.domain.coalition import Coalition, pass_day
from services.domain.coalition_answers import accept, decline, leave
from services.domain.coalition_notices import NoticeKind, is_current, plan_notices
from tests.unit.domain.coalitions import (
    BRADFORD,
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
)

Make = Callable[[], Coalition]
K, S = NoticeKind, CoalitionStatus
AUTHORITY = {plan_id: plan_id.partition(":")[0] for plan_id in (LEEDS, BRADFORD, KIRKLEES)}


def _told(coalition: Coalition, actor: str | None = None, today: date = INVITED_ON) -> set[tuple[str, str]]:
    return {(notice.plan_id, notice.kind.value) for notice in plan_notices(coalition, actor, today)}


@pytest.mark.parametrize(
    ("make", "actor", "told"),
    [
        (suggested, None, {}),
        (inviting, LEEDS, {BRADFORD: [K.INVITATION, K.REMINDER], KIRKLEES: [K.INVITATION, K.REMINDER]}),
        (lambda: accept(inviting(), BRADFORD, INVITED_ON), BRADFORD, {KIRKLEES: [K.INVITATION, K.REMINDER]}),
        # Whatever Bradford did last, the invitation is another council's act.
        (inviting, BRADFORD, {BRADFORD: [K.INVITATION, K.REMINDER], KIRKLEES: [K.INVITATION, K.REMINDER]}),
        (lambda: decline(inviting(), BRADFORD), LEEDS, {KIRKLEES: [K.INVITATION, K.REMINDER]}),
        (formed, KIRKLEES, {LEEDS: [K.FORMED], BRADFORD: [K.FORMED]}),
        (formed_without_kirklees, KIRKLEES, {LEEDS: [K.FORMED], BRADFORD: [K.FORMED]}),
        (frozen, None, {BRADFORD: [K.FROZEN], KIRKLEES: [K.FROZEN]}),
        (lambda: ended(S.AWARDED), None, {BRADFORD: [K.ENDED], KIRKLEES: [K.ENDED]}),
        (lambda: leave(leave(formed(), BRADFORD), KIRKLEES), KIRKLEES, {LEEDS: [K.ENDED]}),
        (lambda: pass_day(inviting(), REPLY_BY + timedelta(days=1)), None, {LEEDS: [K.ENDED]}),
        (lambda: decline(decline(suggested(), BRADFORD), KIRKLEES), KIRKLEES, {}),
    ],
)
def test_who_is_told_what(make: Make, actor: str | None, told: dict[str, list[NoticeKind]]) -> None:
    expected = {(plan_id, kind.value) for plan_id, kinds in told.items() for kind in kinds}
    assert _told(make(), AUTHORITY[actor] if actor else None) == expected


def test_a_coalition_that_came_back_can_end_again() -> None:
    over = ended(S.DISSOLVED)
    again = replace(over, revivals=over.revivals + 1)
    assert plan_notices(over, None, INVITED_ON) == plan_notices(over, None, REPLY_BY)
    assert {one.kind for one in plan_notices(again, None, INVITED_ON)} == {K.ENDED}
    assert not set(plan_notices(over, None, INVITED_ON)) & set(plan_notices(again, None, INVITED_ON))


@pytest.mark.parametrize("make", [inviting, formed, frozen])
def test_all_told_of_the_end_are_told_that_it_goes_on(make: Make) -> None:
    before, back = make(), replace(make(), revivals=1)
    before_notices, notices = (
        {one for one in plan_notices(each, None, INVITED_ON) if one.kind is not K.REMINDER} for each in (before, back)
    )
    assert _told(before) == _told(back)
    assert not before_notices & notices


def test_reminders_come_on_their_days_and_never_late() -> None:
    reminders = [one for one in plan_notices(inviting(), None, INVITED_ON) if one.kind is K.REMINDER]
    days = {one.due_on for one in reminders if one.plan_id == BRADFORD}
    assert days == {date(2026, 12, 10), date(2026, 12, 17)}
    later = plan_notices(inviting(), None, date(2026, 12, 10))
    assert {one.due_on for one in later if one.kind is K.REMINDER} == {date(2026, 12, 17)}


@pytest.mark.parametrize(
    ("make", "plan_id", "kind", "today", "current"),
    [
        (inviting, BRADFORD, K.INVITATION, REPLY_BY, True),
        (inviting, BRADFORD, K.REMINDER, REPLY_BY + timedelta(days=1), False),
        (lambda: accept(inviting(), BRADFORD, INVITED_ON), BRADFORD, K.REMINDER, INVITED_ON, False),
        (lambda: decline(inviting(), BRADFORD), BRADFORD, K.REMINDER, INVITED_ON, False),
        (formed, BRADFORD, K.FORMED, INVITED_ON, True),
        (formed, "E07000001:1", K.FORMED, INVITED_ON, False),
        (frozen, BRADFORD, K.FORMED, INVITED_ON, False),
        (frozen, BRADFORD, K.FROZEN, INVITED_ON, True),
        (lambda: leave(frozen(), BRADFORD), BRADFORD, K.FROZEN, INVITED_ON, False),
        (lambda: ended(S.LAPSED), LEEDS, K.ENDED, INVITED_ON, True),
        (lambda: replace(formed(), status=S.FORMED), LEEDS, K.ENDED, INVITED_ON, False),
    ],
)
def test_what_still_holds(make: Make, plan_id: str, kind: NoticeKind, today: date, current: bool) -> None:
    assert is_current(make(), plan_id, kind, today) is current
