"""Who can be in a coalition, and what an undo brings back, on a real database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from events.responses import ResponseAnswered, ResponseInvited
from services.application.group_view import load_group
from tests.support.coalitions import (
    AS_OF,
    BRADFORD,
    CALDERDALE,
    KIRKLEES,
    LEEDS,
    CoalitionsHarness,
    open_harness,
    pair_fields,
    plan,
    plan_id,
    response_fields,
    undo,
    withdrawal,
)

THREE = (LEEDS, BRADFORD, KIRKLEES)


@pytest_asyncio.fixture
async def harness(database_url: str) -> AsyncIterator[CoalitionsHarness]:
    async with open_harness(database_url) as made:
        yield made


async def _take_back(harness: CoalitionsHarness, authority: str, kind: str) -> list[tuple[str, str]]:
    """The authority takes its last act of this kind back; the refusals that come of it."""
    before = await harness.refusals()
    ((given, subject),) = await harness.rows(
        f"SELECT response_id, subject_id FROM responses WHERE authority = '{authority}' AND kind = '{kind}'"
        " ORDER BY received_at DESC LIMIT 1"
    )
    await harness.respond(undo(authority, subject, given, next(harness.numbers)))
    return (await harness.refusals())[len(before) :]


async def _undoable(harness: CoalitionsHarness, authority: str, coalition_id: str) -> list[str]:
    """The kinds of answers that the authority's page lets it take back."""
    async with harness.sessions() as session:
        group = await load_group(session, authority, coalition_id, AS_OF)
    return [answer.kind for answer in group.answers if answer.can_undo]


async def _two_pairs(harness: CoalitionsHarness) -> tuple[str, str]:
    """Leeds and Kirklees each invite Bradford, whose plan meets both while theirs don't meet."""
    first = {"tender_window": {"earliest": "2027-07-01", "latest": "2027-08-31"}}
    last = {"tender_window": {"earliest": "2027-10-01", "latest": "2027-11-30"}}
    both = {"tender_window": {"earliest": "2027-07-01", "latest": "2027-11-30"}}
    await harness.publish(plan(LEEDS, **first), plan(BRADFORD, **both), plan(KIRKLEES, **last))
    for number, authority in enumerate((LEEDS, KIRKLEES), 900):
        await harness.respond(ResponseInvited(**pair_fields(authority, BRADFORD, number)))
    one, other = await harness.coalitions()
    return one.coalition_id, other.coalition_id


async def _say(harness: CoalitionsHarness, authority: str, act: str, coalition_id: str) -> None:
    state = {one.coalition_id: one for one in await harness.coalitions()}[coalition_id]
    await harness.act(authority, act, terms=state.terms_revision, subject=coalition_id)


async def _statuses(harness: CoalitionsHarness) -> list[str]:
    return [state.status for state in await harness.coalitions()]


async def test_an_undo_leaves_what_others_did_since(harness: CoalitionsHarness) -> None:
    await harness.publish(*map(plan, THREE))
    await harness.answer(BRADFORD, "interested")
    await harness.invite(LEEDS)
    assert await _take_back(harness, BRADFORD, "interested") == []
    state = await harness.only()
    assert (state.status, await harness.states()) == (
        "inviting",
        {LEEDS: "accepted", BRADFORD: "invited", KIRKLEES: "invited"},
    )
    assert all(member.interest is None for member in state.members)


@pytest.mark.parametrize("private", [False, True])
async def test_a_plan_that_is_gone_does_not_come_back(harness: CoalitionsHarness, private: bool) -> None:
    await harness.publish(*map(plan, THREE))
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "accept")
    await harness.act(KIRKLEES, "accept")
    await harness.publish(plan(BRADFORD, 2, sharing="private") if private else withdrawal(BRADFORD))
    await harness.sweep()
    await harness.act(BRADFORD, "join")
    assert "no longer shared openly" in (await harness.refusals())[-1][1]
    assert await _undoable(harness, BRADFORD, (await harness.only()).coalition_id) == []
    ((_, sentence),) = await _take_back(harness, BRADFORD, "accept")
    assert "is withdrawn by now" in sentence
    assert (await harness.states())[BRADFORD] == "withdrawn"
    await harness.publish(plan(BRADFORD, 3, sharing="open"))
    await harness.act(BRADFORD, "join")
    assert (await harness.states())[BRADFORD] == "accepted"


async def test_a_plan_turned_private_leaves_the_proposals(harness: CoalitionsHarness) -> None:
    await harness.publish(*map(plan, THREE))
    await harness.invite(LEEDS)
    await harness.publish(plan(CALDERDALE))
    assert [one.authority for one in (await harness.only()).proposals] == [CALDERDALE]
    # Known to the database, not yet to the coalitions.
    await harness.matcher.handle([harness.record(plan(CALDERDALE, 2, sharing="private"))])
    await harness.invite(LEEDS, plan_ids=[plan_id(CALDERDALE)])
    assert "no longer shared openly" in (await harness.refusals())[-1][1]
    await harness.sweep()
    assert (await harness.only()).proposals == ()


async def test_a_plan_forms_one_coalition_only(harness: CoalitionsHarness) -> None:
    one, other = await _two_pairs(harness)
    await _say(harness, BRADFORD, "accept", one)
    await _say(harness, BRADFORD, "accept", other)
    assert await _statuses(harness) == ["formed", "inviting"]
    assert "leave that one first" in (await harness.refusals())[-1][1]
    await harness.publish(plan(CALDERDALE, tender_window={"earliest": "2027-09-01", "latest": "2027-11-30"}))
    await harness.respond(ResponseInvited(**pair_fields(BRADFORD, CALDERDALE, 950)))
    assert "leave that one first" in (await harness.refusals())[-1][1]
    await _say(harness, BRADFORD, "leave", one)
    await _say(harness, BRADFORD, "accept", other)
    assert await _statuses(harness) == ["dissolved", "formed"]
    assert await _undoable(harness, BRADFORD, one) == []


async def test_the_first_coalition_to_form_keeps_a_shared_plan(harness: CoalitionsHarness) -> None:
    """Bradford invites both partners, so it is in twice before either answers."""
    first = {"tender_window": {"earliest": "2027-07-01", "latest": "2027-08-31"}}
    last = {"tender_window": {"earliest": "2027-10-01", "latest": "2027-11-30"}}
    both = {"tender_window": {"earliest": "2027-07-01", "latest": "2027-11-30"}}
    await harness.publish(plan(LEEDS, **first), plan(BRADFORD, **both), plan(KIRKLEES, **last))
    for number, partner in enumerate((LEEDS, KIRKLEES), 900):
        await harness.respond(ResponseInvited(**pair_fields(BRADFORD, partner, number)))
    one, other = (state.coalition_id for state in await harness.coalitions())
    await _say(harness, LEEDS, "accept", one)
    await _say(harness, KIRKLEES, "accept", other)
    kept, lost = await harness.coalitions()
    assert (kept.status, lost.status) == ("formed", "dissolved")
    assert {member.authority: member.state for member in lost.members} == {BRADFORD: "left", KIRKLEES: "accepted"}
    # Kirklees said yes, and is told of the end.
    assert await harness.rows("SELECT status_by FROM coalitions WHERE status = 'dissolved'") == [(None,)]


@pytest.mark.parametrize("answer", ["not-this-time", "not-the-same", "decline"])
async def test_the_no_that_ended_a_coalition_of_two_is_taken_back(harness: CoalitionsHarness, answer: str) -> None:
    await harness.publish(plan(LEEDS), plan(BRADFORD))
    await harness.respond(ResponseInvited(**pair_fields(LEEDS, BRADFORD, 900)))
    state = await harness.only()
    await (harness.act(BRADFORD, "decline") if answer == "decline" else harness.answer(BRADFORD, answer))
    assert (await harness.only()).status == "dissolved"
    assert await _undoable(harness, BRADFORD, state.coalition_id) == [answer]
    assert await _take_back(harness, BRADFORD, answer) == []
    assert await harness.rows("SELECT 1 FROM pair_verdicts") == []
    assert ((await harness.only()).status, await harness.states()) == (
        "inviting",
        {LEEDS: "accepted", BRADFORD: "invited"},
    )
    await harness.act(BRADFORD, "accept")
    assert (await harness.only()).status == "formed"


async def test_a_mute_ends_even_where_the_coalition_does_not_come_back(harness: CoalitionsHarness) -> None:
    await harness.publish(plan(LEEDS), plan(BRADFORD))
    await harness.respond(ResponseInvited(**pair_fields(LEEDS, BRADFORD, 900)))
    await harness.answer(BRADFORD, "not-this-time")
    await harness.respond(ResponseInvited(**pair_fields(LEEDS, BRADFORD, 901)))
    again = (await harness.coalitions())[-1]
    assert await _undoable(harness, BRADFORD, (await harness.coalitions())[0].coalition_id) == []
    ((_, sentence),) = await _take_back(harness, BRADFORD, "not-this-time")
    assert f"are in coalition {again.coalition_id} by now" in sentence
    await _answer(harness, BRADFORD, again, "not-the-same")
    await harness.publish(withdrawal(BRADFORD))
    assert await _take_back(harness, BRADFORD, "not-the-same") == []
    assert await harness.rows("SELECT 1 FROM pair_verdicts") == []
    assert await _statuses(harness) == ["dissolved", "dissolved"]


async def _answer(harness: CoalitionsHarness, authority: str, state: Any, answer: str) -> None:
    fields = response_fields(authority, state.coalition_id, state.terms_revision, next(harness.numbers))
    await harness.respond(ResponseAnswered(**fields, answer=answer))  # type: ignore[arg-type]


async def test_a_revived_coalition_has_its_plans_as_they_are_now(
    harness: CoalitionsHarness,
) -> None:
    await harness.publish(*map(plan, THREE))
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "accept")
    await harness.act(KIRKLEES, "decline")
    await harness.act(LEEDS, "leave")
    assert (await harness.only()).status == "dissolved"
    await harness.publish(withdrawal(BRADFORD))
    assert await _take_back(harness, LEEDS, "leave") == []
    assert await harness.states() == {LEEDS: "accepted", BRADFORD: "withdrawn", KIRKLEES: "declined"}
    assert (await harness.only()).status == "dissolved"


async def test_the_lead_is_taken_back_and_more_time_is_not(harness: CoalitionsHarness) -> None:
    await harness.publish(*map(plan, THREE))
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "accept")
    await harness.act(KIRKLEES, "accept")
    await harness.act(LEEDS, "leave")
    await harness.act(BRADFORD, "lead")
    state = await harness.only()
    assert state.lead == plan_id(BRADFORD)
    assert await _undoable(harness, BRADFORD, state.coalition_id) == ["lead"]
    assert await _take_back(harness, BRADFORD, "lead") == []
    assert (await harness.only()).lead is None


async def test_an_answered_suggestion_comes_again_with_later_dates(
    harness: CoalitionsHarness,
) -> None:
    await harness.publish(*map(plan, THREE))
    await harness.answer(BRADFORD, "interested")
    harness.on((await harness.only()).decide_by + timedelta(days=1))
    await harness.sweep()
    assert await _statuses(harness) == ["dissolved"]
    later = {"tender_window": {"earliest": "2028-01-10", "latest": "2028-03-31"}}
    await harness.publish(*(plan(authority, 2, **later) for authority in THREE))
    assert await _statuses(harness) == ["dissolved", "suggested"]


async def test_a_joint_tender_that_loses_its_lead_ends(harness: CoalitionsHarness) -> None:
    await harness.publish(*map(plan, THREE))
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "accept")
    await harness.act(KIRKLEES, "accept")
    await harness.publish(plan(LEEDS, 2, stage="tendering"))
    state = await harness.only()
    assert state.status == "frozen"
    assert await _undoable(harness, BRADFORD, state.coalition_id) == []
    await harness.publish(withdrawal(LEEDS, 3))
    await harness.sweep()
    state = await harness.only()
    assert (state.status, (state.ended_because or "").partition(":")[0]) == (
        "dissolved",
        "The lead is out after its tender notice",
    )


async def test_an_undo_needs_a_partner_in_no_other_coalition(harness: CoalitionsHarness) -> None:
    first, second = await _two_pairs(harness)
    await _say(harness, BRADFORD, "accept", first)
    await _say(harness, LEEDS, "leave", first)
    await _say(harness, BRADFORD, "accept", second)
    before = await _statuses(harness)
    assert before == ["dissolved", "formed"]
    assert await _undoable(harness, LEEDS, first) == []
    refusals = await _take_back(harness, LEEDS, "leave")
    assert [said for _, said in refusals] == ["the others are in another coalition that has formed"]
    assert await _statuses(harness) == before
