"""The coalitions process dies at each statement in turn: nothing stays of a batch, and the next attempt does it all."""

from collections.abc import AsyncIterator

import pytest_asyncio

from events.responses import ResponseInvited, ResponseMembership
from events.topics import DEAD_CONTRACTS
from services.coalitions.contract_handler import ContractHandler
from services.coalitions.opportunity_handler import OpportunityHandler
from services.platform.settings import Settings
from services.store.database import make_engine, make_sessions
from tests.support.coalitions import (
    AS_OF,
    BRADFORD,
    KIRKLEES,
    LEEDS,
    CoalitionsHarness,
    plan,
    response_fields,
    response_record,
)
from tests.support.contracts import contract, contract_record
from tests.support.crashes import CrashHarness
from tests.support.matcher import make_matcher

LEAST_STATEMENTS = 8


@pytest_asyncio.fixture
async def scene(database_url: str) -> AsyncIterator[CrashHarness]:
    engine = make_engine(database_url)
    sessions, settings = make_sessions(engine), Settings(as_of=AS_OF)
    yield CrashHarness(CoalitionsHarness(await make_matcher(sessions, settings), sessions, settings), engine)
    await engine.dispose()


async def test_a_kill_at_any_statement_leaves_nothing(scene: CrashHarness) -> None:
    harness = scene.harness
    await harness.matcher.handle([harness.record(plan(authority)) for authority in (LEEDS, BRADFORD, KIRKLEES)])
    records = await harness.opportunity_records()
    deaths = await scene.dies_everywhere(lambda: OpportunityHandler(harness.sessions, harness.settings).handle(records))
    assert deaths > LEAST_STATEMENTS
    state = await harness.only()
    values = response_fields(LEEDS, state.coalition_id, state.terms_revision, 1)
    batches = [[ResponseInvited(**values, scope="HR")]]
    terms = state.terms_revision + 1
    batches.append(
        [
            ResponseMembership(**response_fields(BRADFORD, state.coalition_id, terms, 2), act="accept"),
            ResponseMembership(**response_fields(KIRKLEES, state.coalition_id, terms, 3), act="decline"),
            ResponseMembership(**response_fields(KIRKLEES, state.coalition_id, terms, 4), act="accept"),
        ]
    )
    for batch in batches:
        found = [response_record(payload, number) for number, payload in enumerate(batch)]
        assert await scene.dies_everywhere(lambda found=found: harness.responses.handle(found)) > LEAST_STATEMENTS  # type: ignore[misc]
    assert (await harness.only()).status == "formed"
    assert await harness.states() == {LEEDS: "accepted", BRADFORD: "accepted", KIRKLEES: "declined"}
    assert [reason for reason, _ in await harness.refusals()] == ["response-refused"]
    assert await harness.rows("SELECT count(*) FROM responses") == [(4,)]


async def test_contracts_are_all_there_or_none(scene: CrashHarness) -> None:
    handler = ContractHandler(scene.harness.sessions, scene.harness.settings, producer=None)  # type: ignore[arg-type]
    await handler.handle([contract_record(contract(BRADFORD))])
    events = [contract(), contract(BRADFORD, title="Another under the same revision"), contract(KIRKLEES, revision=2)]
    records = [contract_record(event) for event in events]
    assert await scene.dies_everywhere(lambda: handler.handle(records)) >= len(records)
    assert await scene.harness.rows("SELECT count(*) FROM contracts") == [(3,)]
    assert [row.topic for row in await scene.harness.rows("SELECT topic FROM outbox")] == [DEAD_CONTRACTS.name]
