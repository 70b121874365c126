"""What people wrote in answers and invitations is nowhere once the plan or the authority is forgotten."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
import pytest_asyncio
from sqlalchemy import text

from events.responses import ResponseConvened, ResponseInvited, ResponsePayload
from events.topics import PAGE_RESPONSES
from services.application.acts import RESPONSE_EVENTS, submit, wait_for_outcome
from services.cli.forget import forget_stored
from services.matcher import erasure
from services.store import outbox, responses
from services.store.database import transaction
from tests.support.coalitions import (
    AS_OF,
    BRADFORD,
    KIRKLEES,
    LEEDS,
    CoalitionsHarness,
    open_harness,
    plan,
    plan_id,
    response_fields,
)
from tests.support.forgetting import WORD, tables_with
from tests.support.parties import OFFICE, convene, register_party, since
from tests.support.statements import statements

THREE = (LEEDS, BRADFORD, KIRKLEES)
WORDS = {"scope": f"{WORD} for all", "route": f"{WORD} framework"}


@pytest_asyncio.fixture
async def harness(database_url: str) -> AsyncIterator[CoalitionsHarness]:
    """Three councils that fit, members of an office."""
    async with open_harness(database_url) as made:
        await made.publish(*(plan(authority) for authority in THREE))
        await register_party(made.sessions, since(AS_OF, *THREE))
        yield made


async def _forget(harness: CoalitionsHarness, subject: str) -> None:
    await forget_stored(harness.sessions, harness.matcher.context.engine.policy, subject)
    await harness.regroup()
    await harness.sweep()


@pytest.mark.parametrize("subject", [plan_id(LEEDS), LEEDS])
@pytest.mark.parametrize("ended", [False, True])
async def test_no_word_of_an_invitation_is_left(harness: CoalitionsHarness, subject: str, ended: bool) -> None:
    await harness.invite(LEEDS, **WORDS)
    if ended:
        await harness.act(BRADFORD, "decline")
        await harness.act(KIRKLEES, "decline")
    # A refused answer, whose dead letter waits for the relay, and an answer on the pages that waits for it too.
    await harness.invite(LEEDS, **WORDS)
    state = await harness.only()
    fields = response_fields(LEEDS, state.coalition_id, state.terms_revision, next(harness.numbers))
    message = RESPONSE_EVENTS.message(ResponseInvited(**fields, **WORDS))
    async with transaction(harness.sessions) as session:
        session.add(outbox.to_outbox_row(PAGE_RESPONSES.name, "page", message))
    assert await tables_with(harness, WORD) == {"coalitions", "outbox", "responses"}
    await _forget(harness, subject)
    assert await tables_with(harness, WORD) == set()
    after = await harness.only()
    assert after.revision > state.revision
    assert after.invitation is not None
    assert (after.invitation.by, after.invitation.scope) == (plan_id(LEEDS), "")
    await _forget(harness, subject)
    assert await harness.only() == after


@pytest.mark.parametrize("subject", [plan_id(LEEDS), OFFICE])
async def test_no_word_of_an_offices_invitation_is_left(harness: CoalitionsHarness, subject: str) -> None:
    await convene(harness, *map(plan_id, THREE), scope=WORD)
    await convene(harness, *map(plan_id, THREE), scope=WORD)
    assert await harness.refusals()
    assert await tables_with(harness, WORD) == {"coalitions", "outbox", "responses"}
    await _forget(harness, subject)
    assert await tables_with(harness, WORD) == set()
    after = await harness.only()
    assert after.invitation is not None
    assert (after.invitation.convened_by, after.invitation.scope) == (OFFICE, "")


async def _send(harness: CoalitionsHarness, payload: ResponsePayload) -> None:
    async with transaction(harness.sessions) as session:
        await submit(session, payload, None)


async def _relay(harness: CoalitionsHarness) -> None:
    """The coalitions process reads what waited in the outbox."""
    rows = await harness.rows(f"SELECT id, headers, value FROM outbox WHERE topic = '{PAGE_RESPONSES.name}'")
    records = [
        SimpleNamespace(
            topic=PAGE_RESPONSES.name,
            partition=0,
            offset=row.id,
            key=b"",
            headers=[(name, value.encode()) for name, value in row.headers],
            value=bytes(row.value),
        )
        for row in rows
    ]
    await harness.responses.handle(records)


@pytest.mark.parametrize("subject", [plan_id(KIRKLEES), KIRKLEES])
async def test_a_waiting_answer_of_another_council_is_refused_where_that_council_sees_it(
    harness: CoalitionsHarness, subject: str
) -> None:
    state = await harness.only()
    fields = response_fields(LEEDS, state.coalition_id, state.terms_revision, next(harness.numbers))
    invited = ResponseInvited(**fields, **WORDS, plan_ids=(plan_id(KIRKLEES),))
    await _send(harness, invited)
    await _forget(harness, subject)
    await _relay(harness)
    outcome = await wait_for_outcome(harness.sessions, invited.response_id, LEEDS)
    assert outcome is not None
    assert outcome.refused
    assert [sentence for _, sentence in await harness.refusals()] == [outcome.refused]


async def test_a_waiting_invitation_of_an_office_loses_its_words_and_is_refused(harness: CoalitionsHarness) -> None:
    state = await harness.only()
    fields = response_fields(OFFICE, state.coalition_id, state.terms_revision, next(harness.numbers))
    del fields["plan_id"]
    convened = ResponseConvened(**fields, plan_ids=tuple(map(plan_id, THREE)), scope=WORD)
    await _send(harness, convened)
    await _forget(harness, plan_id(KIRKLEES))
    assert await tables_with(harness, WORD) == set()
    await _relay(harness)
    outcome = await wait_for_outcome(harness.sessions, convened.response_id, OFFICE)
    assert outcome is not None
    assert outcome.refused
    assert await tables_with(harness, WORD) == set()


async def test_an_invitation_of_another_council_keeps_its_words(harness: CoalitionsHarness) -> None:
    await harness.invite(LEEDS, **WORDS)
    await _forget(harness, plan_id(KIRKLEES))
    after = await harness.only()
    assert after.invitation is not None
    assert (after.invitation.scope, after.invitation.route) == (WORDS["scope"], WORDS["route"])


async def test_answers_are_found_by_plan_and_invitations_of_parties_once_for_all_plans(
    harness: CoalitionsHarness,
) -> None:
    await convene(harness, *map(plan_id, THREE), scope=WORD)
    policy = harness.matcher.context.engine.policy
    with statements(harness.sessions.kw["bind"]) as said:
        await erasure.erase(harness.sessions, policy, [plan_id(authority) for authority in THREE])
    assert sum("kind = 'convened'" in one for one in said) == 1
    async with transaction(harness.sessions) as session:
        # Tables as small as these are read whole unless that is forbidden.
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        used = {
            "ix_responses_plan_id": (responses._FORGET, {"plan_id": "", "blank": "", "url": ""}),
            "responses_convened": (responses._FORGET_CONVENED, {"subjects": [OFFICE]}),
        }
        for index, (statement, given) in used.items():
            explained = await session.execute(text(f"EXPLAIN {statement.text}"), given)
            assert index in "\n".join(explained.scalars())
