"""What people wrote in answers and invitations is nowhere once the plan or the authority is forgotten."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from events.responses import ResponseInvited
from events.topics import PAGE_RESPONSES
from services.application.acts import RESPONSE_EVENTS
from services.cli.forget import forget_stored
from services.store import outbox
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


async def test_an_invitation_of_another_council_keeps_its_words(harness: CoalitionsHarness) -> None:
    await harness.invite(LEEDS, **WORDS)
    await _forget(harness, plan_id(KIRKLEES))
    after = await harness.only()
    assert after.invitation is not None
    assert (after.invitation.scope, after.invitation.route) == (WORDS["scope"], WORDS["route"])
