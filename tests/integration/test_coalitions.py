"""Coalitions on a real database: what plans, people and the calendar make of them, and what is told of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from itertools import permutations

import pytest
import pytest_asyncio
from sqlalchemy.exc import OperationalError

from events.cloudevents import decode
from events.coalitions import COALITION_PAYLOADS, CoalitionEnded
from events.dead_letters import DeadLetterReason
from events.responses import ResponseAnswered, ResponseInvited
from events.topics import COALITIONS, RESPONSES, authority_topic
from services.coalitions.opportunity_handler import MAX_REMEMBERED, OpportunityHandler, SeenOpportunities
from services.coalitions.response_decoding import ResponseRecord, read
from services.matcher import erasure
from services.messaging.signature_policy import RejectedRecord
from services.store.database import make_engine, make_sessions
from tests.support.coalitions import (
    ALL,
    AS_OF,
    BRADFORD,
    CALDERDALE,
    KIRKLEES,
    LEEDS,
    CoalitionsHarness,
    authorities,
    award,
    more_time,
    open_harness,
    pair_fields,
    plan,
    plan_id,
    response_fields,
    response_record,
    undo,
    withdrawal,
)

REPLY_BY = date(2027, 1, 8)
THREE = (LEEDS, BRADFORD, KIRKLEES)


@pytest_asyncio.fixture
async def harness(database_url: str) -> AsyncIterator[CoalitionsHarness]:
    async with open_harness(database_url) as made:
        yield made


async def _three(harness: CoalitionsHarness) -> None:
    await harness.publish(*(plan(authority) for authority in THREE))


async def test_three_plans_become_one_suggested_coalition(harness: CoalitionsHarness) -> None:
    await _three(harness)
    state = await harness.only()
    assert state.status == "suggested"
    assert authorities([state]) == [sorted(THREE)]
    assert state.explanation == "These plans fit each other."
    assert (state.together_from, state.decide_by) == (date(2027, 7, 1), date(2027, 2, 16))
    assert {member.value for member in state.members} == {1_200_000}
    assert state.invitation is None


async def test_the_order_in_which_plans_come_changes_no_group(harness: CoalitionsHarness) -> None:
    found = []
    for order in list(permutations(ALL))[::5]:
        await harness.clear()
        for authority in order:
            await harness.publish(plan(authority))
        found.append(authorities(await harness.coalitions()))
    assert found[0] == [sorted(ALL)]
    assert all(one == found[0] for one in found)


async def test_handling_twice_changes_nothing(harness: CoalitionsHarness) -> None:
    await harness.matcher.handle([harness.record(plan(authority)) for authority in THREE])
    records = await harness.opportunity_records()
    for _ in range(3):
        await OpportunityHandler(harness.sessions, harness.settings).handle(records)
    state = await harness.only()
    assert state.revision == 1
    events = await harness.rows(f"SELECT event_id FROM outbox WHERE topic = '{COALITIONS.name}'")
    assert len(events) == 1


async def test_an_event_whose_pair_was_seen_reads_nothing(harness: CoalitionsHarness, database_url: str) -> None:
    await harness.matcher.handle([harness.record(plan(authority)) for authority in ALL])
    records = await harness.opportunity_records()
    handler = OpportunityHandler(harness.sessions, harness.settings)
    await handler.handle(records[:-1])
    nowhere = make_engine(database_url.rpartition("/")[0] + "/no_such_database")
    cut_off = OpportunityHandler(make_sessions(nowhere), harness.settings, handler.seen)
    # The groups around all four plans were made from the last pair too, before its own event came.
    await cut_off.handle(records)
    await harness.matcher.handle([harness.record(withdrawal(BRADFORD))])
    with pytest.raises(OperationalError):
        await cut_off.handle(await harness.opportunity_records())
    await nowhere.dispose()


async def test_seen_opportunities_are_forgotten_with_the_day() -> None:
    seen = SeenOpportunities()
    seen.pass_day(AS_OF)
    seen.remember({"a": 2})
    seen.pass_day(AS_OF)
    assert seen.revisions == {"a": 2}
    seen.remember({str(number): 1 for number in range(MAX_REMEMBERED)})
    assert "a" not in seen.revisions
    assert len(seen.revisions) == MAX_REMEMBERED
    seen.pass_day(AS_OF + timedelta(days=1))
    assert not seen.revisions


async def test_two_processes_side_by_side_mint_no_twins(harness: CoalitionsHarness) -> None:
    await harness.matcher.handle([harness.record(plan(authority)) for authority in ALL])
    records = await harness.opportunity_records()
    halves = [records[::2], records[1::2], records, list(reversed(records))]
    await asyncio.gather(*(OpportunityHandler(harness.sessions, harness.settings).handle(half) for half in halves))
    assert authorities(await harness.coalitions()) == [sorted(ALL)]


async def test_before_a_person_acts_members_come_and_go(harness: CoalitionsHarness) -> None:
    await _three(harness)
    first = await harness.only()
    await harness.publish(plan(CALDERDALE))
    assert authorities([await harness.only()]) == [sorted(ALL)]
    await harness.publish(withdrawal(BRADFORD))
    state = await harness.only()
    assert authorities([state]) == [sorted({LEEDS, KIRKLEES, CALDERDALE})]
    assert state.coalition_id == first.coalition_id
    assert state.terms_revision == first.terms_revision + 2
    await harness.publish(withdrawal(KIRKLEES))
    state = await harness.only()
    assert state.status == "dissolved"
    assert state.ended_because


async def test_invited_accepted_formed_frozen_awarded(harness: CoalitionsHarness) -> None:
    await _three(harness)
    await harness.invite(LEEDS)
    state = await harness.only()
    assert state.invitation is not None
    assert (state.status, state.lead, state.invitation.reply_by) == ("inviting", plan_id(LEEDS), REPLY_BY)
    await harness.act(BRADFORD, "accept")
    await harness.act(KIRKLEES, "decline")
    assert (await harness.only()).status == "formed"
    assert await harness.states() == {LEEDS: "accepted", BRADFORD: "accepted", KIRKLEES: "declined"}
    await harness.publish(plan(LEEDS, 2, stage="tendering"))
    assert (await harness.only()).status == "frozen"
    await harness.act(KIRKLEES, "join")
    assert (await harness.refusals())[-1][0] == "response-refused"
    await harness.publish(award(LEEDS))
    await harness.sweep()
    assert (await harness.only()).status == "awarded"
    assert len(await harness.coalitions()) == 1


async def test_the_events_tell_every_step_once_and_in_order(harness: CoalitionsHarness) -> None:
    await _three(harness)
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "decline")
    await harness.act(KIRKLEES, "decline")
    rows = await harness.rows(f"SELECT headers, value FROM outbox WHERE topic = '{COALITIONS.name}' ORDER BY id")
    events = [decode([(n, v.encode()) for n, v in row.headers], bytes(row.value), COALITION_PAYLOADS) for row in rows]
    told = [(event.payload.revision, event.payload.status) for event in events]  # type: ignore[attr-defined]
    assert told == [(1, "suggested"), (2, "inviting"), (3, "inviting"), (4, "dissolved")]
    assert isinstance(events[-1].payload, CoalitionEnded)
    assert len({event.id for event in events}) == 4


async def test_silence_lapses_and_a_yes_after_the_day_is_refused(harness: CoalitionsHarness) -> None:
    await _three(harness)
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "accept")
    harness.on(REPLY_BY)
    await harness.sweep()
    assert (await harness.only()).status == "inviting"
    harness.on(REPLY_BY + timedelta(days=3))
    await harness.act(KIRKLEES, "accept")
    assert "answers were due by 2027-01-08" in (await harness.refusals())[-1][1]
    await harness.sweep()
    assert (await harness.only()).status == "formed"
    assert await harness.states() == {LEEDS: "accepted", BRADFORD: "accepted", KIRKLEES: "lapsed"}
    await harness.act(KIRKLEES, "join")
    member = next(member for member in (await harness.only()).members if member.authority == KIRKLEES)
    assert (member.state, member.committed) == ("accepted", False)


async def test_a_suggestion_ends_with_its_day_to_decide_by(harness: CoalitionsHarness) -> None:
    await _three(harness)
    decide_by = (await harness.only()).decide_by
    harness.on(decide_by)
    await harness.sweep()
    assert (await harness.only()).status == "suggested"
    harness.on(decide_by + timedelta(days=1))
    await harness.sweep()
    state = await harness.only()
    assert (state.status, state.ended_because) == ("dissolved", "All would have had to decide by 16 February 2027.")


async def test_nobody_answers_in_time(harness: CoalitionsHarness) -> None:
    await _three(harness)
    await harness.invite(LEEDS)
    harness.on(REPLY_BY + timedelta(days=3))
    await harness.sweep()
    state = await harness.only()
    assert (state.status, state.ended_because) == ("lapsed", "Nobody else answered by 2027-01-08.")


async def test_what_people_ended_is_not_suggested_again(harness: CoalitionsHarness) -> None:
    await _three(harness)
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "decline")
    await harness.act(KIRKLEES, "decline")
    await harness.publish(plan(LEEDS, 2, value={"amount": 1_300_000}))
    await harness.sweep()
    assert [state.status for state in await harness.coalitions()] == ["dissolved"]


async def test_after_a_person_acted_a_new_match_is_only_proposed(harness: CoalitionsHarness) -> None:
    await _three(harness)
    await harness.invite(LEEDS)
    terms = (await harness.only()).terms_revision
    await harness.publish(plan(CALDERDALE))
    state = await harness.only()
    assert authorities([state]) == [sorted(THREE)]
    assert state.terms_revision == terms
    assert [(one.kind, one.authority) for one in state.proposals] == [("fits-too", CALDERDALE)]
    await harness.act(CALDERDALE, "join")
    assert (await harness.states())[CALDERDALE] == "accepted"


async def test_an_answer_to_older_terms_is_told_so(harness: CoalitionsHarness) -> None:
    await _three(harness)
    before = await harness.only()
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "accept", terms=before.terms_revision, subject=before.coalition_id)
    ((reason, sentence),) = await harness.refusals()
    assert reason == "stale-response"
    assert "look at it again" in sentence
    (row,) = await harness.rows("SELECT outcome, detail FROM responses WHERE kind = 'accept'")
    assert (row.outcome, row.detail) == ("refused", sentence)
    assert (await harness.states())[BRADFORD] == "invited"
    await harness.act(BRADFORD, "decline", terms=before.terms_revision, subject=before.coalition_id)
    assert (await harness.states())[BRADFORD] == "declined", "a no counts whatever has changed"


async def test_the_same_response_counts_once(harness: CoalitionsHarness) -> None:
    await _three(harness)
    state = await harness.only()
    values = response_fields(LEEDS, state.coalition_id, state.terms_revision, 900)
    interested = ResponseAnswered(**values, answer="interested")
    await harness.respond(interested, interested)
    await harness.respond(interested)
    assert (await harness.only()).revision == 2
    await harness.respond(interested.model_copy(update={"answer": "later"}))
    ((reason, _),) = await harness.refusals()
    assert reason == "response-conflict"


@pytest.mark.parametrize("answer", ["interested", "later", "not-this-time", "not-the-same"])
async def test_an_answer_is_taken_back(harness: CoalitionsHarness, answer: str) -> None:
    await _three(harness)
    before = await harness.only()
    given = await harness.answer(BRADFORD, answer)
    await harness.respond(undo(BRADFORD, before.coalition_id, given, 900))
    after = await harness.only()
    assert after.members == before.members
    assert await harness.rows("SELECT 1 FROM pair_verdicts") == []
    assert await harness.refusals() == []
    await harness.respond(undo(BRADFORD, before.coalition_id, given, 901))
    assert "only once" in (await harness.refusals())[-1][1]


async def test_nobody_takes_back_what_another_said(harness: CoalitionsHarness) -> None:
    await _three(harness)
    state = await harness.only()
    given = await harness.answer(BRADFORD, "not-this-time")
    await harness.respond(undo(LEEDS, state.coalition_id, given, 900))
    assert (await harness.refusals())[-1][0] == "unknown-subject"
    assert (await harness.states())[BRADFORD] == "declined"


async def test_a_changed_requirement_ends_a_not_the_same_thing(harness: CoalitionsHarness) -> None:
    await _three(harness)
    values = pair_fields(BRADFORD, KIRKLEES, 900)
    await harness.respond(ResponseAnswered(**values, answer="not-the-same", reason="different-product"))
    assert (await harness.only()).status == "dissolved"
    assert "different-product" not in (await harness.only()).model_dump_json()
    await harness.publish(plan(KIRKLEES, 2, value={"amount": 1_500_000}))
    assert [state.status for state in await harness.coalitions()] == ["dissolved"]
    await harness.publish(plan(KIRKLEES, 3, title="Replacement of the payroll and HR system"))
    assert [state.status for state in await harness.coalitions()] == ["dissolved", "suggested"]


async def test_an_answer_to_a_coalition_counts_for_each_pair(harness: CoalitionsHarness) -> None:
    await _three(harness)
    await harness.answer(LEEDS, "interested")
    given = await harness.answer(KIRKLEES, "not-the-same", reason="different-product")
    assert await _precision(harness) == (3, 1)
    await harness.respond(undo(KIRKLEES, (await harness.only()).coalition_id, given, 900))
    assert await _precision(harness) == (2, 2)


async def _precision(harness: CoalitionsHarness) -> tuple[float, float]:
    """The report's pairs with an answer, and those of the same need, of all bands."""
    found = await harness.measures("Precision")
    numbers = {kind: sum(found[name] or 0 for name in found if name.endswith(kind)) for kind in ("answered", "need")}
    return numbers["answered"], numbers["need"]


async def test_an_invitation_to_a_partner_makes_a_coalition_of_two(harness: CoalitionsHarness) -> None:
    await harness.publish(plan(LEEDS), plan(BRADFORD))
    assert await harness.coalitions() == []
    await harness.respond(
        ResponseInvited(**pair_fields(LEEDS, BRADFORD, 900), scope="HR, mail anna.smith@leeds.gov.uk")
    )
    state = await harness.only()
    assert state.status == "inviting"
    assert state.invitation is not None
    assert state.invitation.scope == "HR, mail [email removed]"
    assert await harness.states() == {LEEDS: "accepted", BRADFORD: "invited"}
    await harness.respond(ResponseInvited(**pair_fields(BRADFORD, LEEDS, 901)))
    assert "invite there" in (await harness.refusals())[-1][1]
    await harness.act(BRADFORD, "accept")
    assert (await harness.only()).status == "formed"


async def test_a_near_miss_in_time_is_in_no_group(harness: CoalitionsHarness) -> None:
    later = {"tender_window": {"earliest": "2027-11-01", "latest": "2028-01-31"}}
    await harness.publish(plan(LEEDS), plan(BRADFORD), plan(KIRKLEES, **later))
    (bands,) = {tuple(row.band for row in await harness.rows("SELECT band FROM opportunities ORDER BY band"))}
    assert bands == ("digest", "digest", "notify")
    assert await harness.coalitions() == []
    await harness.respond(ResponseInvited(**pair_fields(LEEDS, KIRKLEES, 900)))
    assert "their windows do not meet" in (await harness.refusals())[-1][1]
    await harness.publish(plan(KIRKLEES, 2))
    assert authorities([await harness.only()]) == [sorted(THREE)]


async def test_an_opportunity_that_has_ended_can_not_be_answered(harness: CoalitionsHarness) -> None:
    await harness.publish(plan(LEEDS), plan(BRADFORD))
    await harness.publish(withdrawal(BRADFORD))
    await harness.respond(ResponseAnswered(**pair_fields(LEEDS, BRADFORD, 900), answer="interested"))
    ((reason, sentence),) = await harness.refusals()
    assert reason == "stale-response"
    assert sentence.startswith("the opportunity has ended since. ")


async def test_a_closed_plan_hides_why_its_opportunity_ended(harness: CoalitionsHarness) -> None:
    await harness.publish(plan(LEEDS), plan(BRADFORD))
    await harness.publish(withdrawal(BRADFORD))
    await harness.publish(plan(BRADFORD, 3, sharing="private"))
    await harness.respond(ResponseAnswered(**pair_fields(LEEDS, BRADFORD, 900), answer="interested"))
    ((_, sentence),) = await harness.refusals()
    assert sentence == "the opportunity has ended since."


@pytest.mark.parametrize("stage", ["suggested", "inviting", "dissolved"])
async def test_a_stranger_learns_nothing_of_a_coalition(harness: CoalitionsHarness, stage: str) -> None:
    """Also not where the stranger has heard of its id."""
    await _three(harness)
    if stage != "suggested":
        await harness.invite(LEEDS)
    if stage == "dissolved":
        await harness.act(BRADFORD, "decline")
        await harness.act(KIRKLEES, "decline")
    state = await harness.only()
    assert state.status == stage
    for subject in (state.coalition_id, "0" * 32):
        for act in ("accept", "join", "leave", "decline", "commit", "lead"):
            await harness.act(CALDERDALE, act, terms=9, subject=subject)
        fields = response_fields(CALDERDALE, subject, 1, next(harness.numbers))
        await harness.respond(ResponseAnswered(**fields, answer="interested"))
    said = {(reason, sentence.replace(state.coalition_id, "0" * 32)) for reason, sentence in await harness.refusals()}
    assert said == {("unknown-subject", f"plan {plan_id(CALDERDALE)} is in no coalition {'0' * 32}")}


async def test_a_plan_is_in_one_formed_coalition_at_a_time(harness: CoalitionsHarness) -> None:
    await _three(harness)
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "accept")
    await harness.act(KIRKLEES, "accept")
    formed = await harness.only()
    other = plan(CALDERDALE, title="HR and payroll system for the district")
    await harness.publish(other)
    await harness.respond(ResponseInvited(**pair_fields(CALDERDALE, BRADFORD, 900)))
    pair = next(state for state in await harness.coalitions() if state.coalition_id != formed.coalition_id)
    await harness.act(BRADFORD, "accept", terms=pair.terms_revision, subject=pair.coalition_id)
    assert "leave that one first" in (await harness.refusals())[-1][1]
    await harness.act(BRADFORD, "leave", terms=formed.terms_revision, subject=formed.coalition_id)
    await harness.act(BRADFORD, "accept", terms=pair.terms_revision, subject=pair.coalition_id)
    pair = next(state for state in await harness.coalitions() if state.coalition_id == pair.coalition_id)
    assert pair.status == "formed"


async def test_the_lead_gives_more_time(harness: CoalitionsHarness) -> None:
    await _three(harness)
    await harness.invite(LEEDS)
    state = await harness.only()
    await harness.respond(more_time(LEEDS, state.coalition_id, state.terms_revision, "2027-01-22", 900))
    harness.on(date(2027, 1, 20))
    await harness.sweep()
    await harness.act(BRADFORD, "accept")
    assert (await harness.states())[BRADFORD] == "accepted"


@pytest.mark.parametrize("topic", [authority_topic(BRADFORD, RESPONSES), f"{RESPONSES.name}.e08000035"])
def test_nobody_answers_on_the_topic_of_another(topic: str) -> None:
    answer = ResponseAnswered(**response_fields(LEEDS, "0" * 32, 1, 900), answer="not-this-time")
    item = read(response_record(answer, 900, topic))
    assert isinstance(item, RejectedRecord)
    assert item.reason is DeadLetterReason.TOPIC_MISMATCH
    assert isinstance(read(response_record(answer, 900, authority_topic(LEEDS, RESPONSES))), ResponseRecord)


def test_nobody_answers_with_the_plan_of_another() -> None:
    values = {**response_fields(LEEDS, "0" * 32, 1, 900), "authority": BRADFORD}
    with pytest.raises(ValueError, match="must start with the event's authority"):
        ResponseAnswered(**values, answer="interested")


async def test_the_sweeper_sees_a_plan_change_without_an_event(
    harness: CoalitionsHarness,
) -> None:
    await _three(harness)
    await harness.invite(LEEDS)
    await harness.act(BRADFORD, "accept")
    await harness.act(KIRKLEES, "accept")
    await harness.matcher.handle([harness.record(withdrawal(KIRKLEES))])
    await harness.sweep()
    assert (await harness.states())[KIRKLEES] == "withdrawn"


@pytest.mark.parametrize("ended", [False, True])
async def test_what_is_forgotten_of_a_plan_is_in_no_coalition(harness: CoalitionsHarness, ended: bool) -> None:
    await harness.publish(plan(LEEDS), plan(BRADFORD), plan(KIRKLEES, title="Quixotrix HR and payroll system"))
    await harness.invite(LEEDS)
    if ended:
        await harness.act(BRADFORD, "decline")
        await harness.act(KIRKLEES, "decline")
    assert "Quixotrix" in (await harness.only()).model_dump_json()
    policy = harness.matcher.context.engine.policy
    await erasure.erase(harness.sessions, policy, [plan_id(KIRKLEES)])
    await harness.sweep()
    state = await harness.only()
    assert "Quixotrix" not in state.model_dump_json()
    assert (await harness.states())[KIRKLEES] == ("declined" if ended else "withdrawn")
    rows = await harness.rows(f"SELECT value FROM outbox WHERE topic = '{COALITIONS.name}'")
    assert all(b"Quixotrix" not in bytes(row.value) for row in rows)
    assert len(rows) == 1
    revision = state.revision
    await harness.sweep()
    assert (await harness.only()).revision == revision


@pytest.mark.parametrize(
    ("preferences", "lead"),
    [
        ({}, BRADFORD),
        ({KIRKLEES: "lead"}, KIRKLEES),
        ({BRADFORD: "join"}, KIRKLEES),
        ({BRADFORD: "join", KIRKLEES: "join", LEEDS: "none"}, LEEDS),
    ],
)
async def test_who_is_suggested_to_lead(harness: CoalitionsHarness, preferences: dict[str, str], lead: str) -> None:
    """The largest plan, but first who would lead and last who would rather join."""
    values = {LEEDS: 1_000_000, BRADFORD: 3_000_000, KIRKLEES: 2_000_000}
    await harness.publish(*(plan(one, value={"amount": values[one]}, preference=preferences.get(one)) for one in THREE))
    assert (await harness.only()).lead == plan_id(lead)
