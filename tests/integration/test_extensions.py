"""Extensions beyond twelve months ask for a benchmark once, cells or the due day answer, and authorities decide."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from events.topics import BENCHMARKS
from services.application.benchmarks import BenchmarkError, read_benchmark
from services.application.extensions import list_extensions
from services.coalitions.benchmark_publishing import publish_ended_quarter
from services.coalitions.benchmark_requests import sweep_requests
from services.domain.audit import Channel
from services.platform.settings import Settings
from services.store.database import make_sessions, transaction
from tests.support.coalitions import AS_OF, BRADFORD, KIRKLEES, LEEDS, CoalitionsHarness, award, plan, plan_id
from tests.support.command_line import run_jointly
from tests.support.contracts import ContractsHarness, contract
from tests.support.crashes import CrashHarness
from tests.support.extensions import AFTER, DUE, decision, extension, requests
from tests.support.matcher import make_matcher

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def scene(database: AsyncEngine) -> AsyncIterator[CrashHarness]:
    sessions, settings = make_sessions(database), Settings(as_of=AS_OF)
    yield CrashHarness(CoalitionsHarness(await make_matcher(sessions, settings), sessions, settings), database)


@pytest_asyncio.fixture
async def harness(scene: CrashHarness) -> CoalitionsHarness:
    return scene.harness


async def test_an_extension_asks_once_however_often_it_is_looked_at(harness: CoalitionsHarness) -> None:
    await harness.publish(extension())
    await asyncio.gather(*(sweep_requests(harness.sessions, AS_OF) for _ in range(2)))
    await harness.publish(extension(revision=2, title="The same extension, another title"))
    await sweep_requests(harness.sessions, AS_OF)
    assert await requests(harness) == [("requested", 13, None, plan_id(LEEDS))]


async def test_the_id_of_a_request_can_not_be_guessed(harness: CoalitionsHarness) -> None:
    async def request_id() -> str:
        await sweep_requests(harness.sessions, AS_OF)
        ((found,),) = await harness.rows("SELECT request_id FROM benchmark_requests")
        return str(found)

    await harness.publish(extension())
    first = await request_id()
    assert await request_id() == first
    async with transaction(harness.sessions) as session:
        await session.execute(text("DELETE FROM benchmark_requests"))
    assert await request_id() != first, "the same plan and end, another id"


@pytest.mark.parametrize("months", [1, 12])
async def test_an_extension_within_twelve_months_asks_for_nothing(harness: CoalitionsHarness, months: int) -> None:
    await harness.publish(extension(months), plan(BRADFORD))
    await sweep_requests(harness.sessions, AS_OF)
    assert await requests(harness) == []


async def test_two_extensions_of_eleven_months_are_twenty_two(harness: CoalitionsHarness) -> None:
    await harness.publish(extension(11))
    await sweep_requests(harness.sessions, AS_OF)
    second = extension(11, end="2028-02-29", plan_id=f"{LEEDS}:HR-EXT-2")
    await harness.publish(second)
    await sweep_requests(harness.sessions, AS_OF)
    assert await requests(harness) == [("requested", 22, None, f"{LEEDS}:HR-EXT-2")]


async def test_the_shared_contract_says_where_the_first_end_was(harness: CoalitionsHarness) -> None:
    contracts = ContractsHarness(harness.sessions, AS_OF)
    await contracts.handle(contract(first_end="2025-03-31", end="2027-03-31"))
    await harness.publish(extension(1))
    await sweep_requests(harness.sessions, AS_OF)
    assert await requests(harness) == [("requested", 25, None, plan_id(LEEDS))]


async def test_a_published_cell_supplies_it_at_once(harness: CoalitionsHarness) -> None:
    contracts = ContractsHarness(harness.sessions, AS_OF)
    for number in range(5):
        await contracts.handle(contract(f"E080000{number:02}", supplier=f"Supplier {number % 3} Ltd"))
    await publish_ended_quarter(harness.sessions, AS_OF)
    await harness.publish(extension())
    await sweep_requests(harness.sessions, AS_OF)
    assert [kind for kind, *_ in await requests(harness)] == ["requested", "supplied"]


@pytest.mark.parametrize(("withheld", "kind"), [(None, "none-available"), ("s94", "withheld")])
async def test_the_due_day_answers_where_no_cell_does(
    harness: CoalitionsHarness, withheld: str | None, kind: str
) -> None:
    if withheld:
        contracts = ContractsHarness(harness.sessions, AS_OF)
        await contracts.handle(contract(BRADFORD), contract(BRADFORD, reference="C-2", prices=[], withheld=withheld))
        await publish_ended_quarter(harness.sessions, AS_OF)
    await harness.publish(extension())
    for day in (AS_OF, DUE, AFTER, AFTER):
        await sweep_requests(harness.sessions, day)
    assert [found for found, *_ in await requests(harness)] == ["requested", kind]


async def test_the_authority_decides_and_nobody_else(harness: CoalitionsHarness) -> None:
    await harness.publish(extension())
    await sweep_requests(harness.sessions, AS_OF)
    await decision(harness, BRADFORD)
    assert [reason for reason, _ in await harness.refusals()] == ["unknown-subject"]
    await decision(harness)
    await decision(harness, said="tender-jointly")
    assert [said for _, _, said, _ in await requests(harness)] == [None, "extend", "tender-jointly"]
    acts = await harness.rows("SELECT action, authority FROM audit_log ORDER BY seq")
    assert acts == [("response-refused", BRADFORD), ("response-recorded", LEEDS), ("response-recorded", LEEDS)]


async def test_what_went_ahead_without_a_benchmark_is_listed_as_such(harness: CoalitionsHarness) -> None:
    await harness.publish(extension())
    await sweep_requests(harness.sessions, AS_OF)
    async with harness.sessions() as session:
        (before,) = await list_extensions(session, LEEDS, AFTER)
    await harness.publish(award(LEEDS, 2))
    async with harness.sessions() as session:
        (after,) = await list_extensions(session, None, AFTER)
        assert await list_extensions(session, BRADFORD, AFTER) == []
    assert (before.overdue, before.without_benchmark) == (True, False)
    assert (after.overdue, after.without_benchmark) == (False, True)


@pytest.mark.parametrize(("sharing", "names_answer"), [("open", True), ("match_only", False)])
async def test_a_decision_event_names_the_answer_of_open_plans_only(
    harness: CoalitionsHarness, sharing: str, *, names_answer: bool
) -> None:
    """The id of an answer from a file derives from its content, which names the plan."""
    await harness.publish(extension(sharing=sharing))
    await sweep_requests(harness.sessions, AS_OF)
    await decision(harness)
    rows = await harness.rows(f"SELECT headers FROM outbox WHERE topic = '{BENCHMARKS.name}' ORDER BY id DESC LIMIT 1")
    assert ("ce_causationid" in dict(rows[0].headers)) == names_answer


@pytest.mark.parametrize(("sharing", "told"), [("match_only", [("requested", 13, None, None)]), ("private", [])])
async def test_an_event_tells_no_more_than_the_plan_shares(
    harness: CoalitionsHarness, sharing: str, told: list[Any]
) -> None:
    await harness.publish(extension(sharing=sharing))
    await sweep_requests(harness.sessions, AS_OF)
    assert await requests(harness) == told
    assert await harness.rows("SELECT state->>'months' FROM benchmark_requests") == [("13",)]


async def test_a_death_at_any_statement_leaves_no_half_request(scene: CrashHarness) -> None:
    await scene.harness.publish(extension())
    deaths = await scene.dies_everywhere(lambda: sweep_requests(scene.harness.sessions, AFTER))
    assert deaths > 3
    assert [kind for kind, *_ in await requests(scene.harness)] == ["requested"]


async def test_the_commands_list_the_extension_and_make_its_decision(
    harness: CoalitionsHarness, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.publish(extension())
    await sweep_requests(harness.sessions, AS_OF)
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("JOINTLY_AS_OF", AFTER.isoformat())
    (found,) = [json.loads(await asyncio.to_thread(run_jointly, "extensions", "list", "--json"))]
    assert (found["months"], found["status"], found["decision_overdue"]) == (13, "requested", True)
    assert "decision overdue" in await asyncio.to_thread(run_jointly, "extensions", "list", "--authority", LEEDS)
    words = ("extensions", "decide", found["request_id"], "tender")
    made = json.loads(await asyncio.to_thread(run_jointly, *words, "--authority", LEEDS, "--dry-run"))
    assert (made["subject"], made["plan_id"], made["decision"]) == ("benchmark", plan_id(LEEDS), "tender")
    refused = await asyncio.to_thread(run_jointly, *words, "--authority", BRADFORD, "--dry-run", code=1)
    assert "made no request" in refused


async def test_members_see_what_others_opened_to_their_coalition(harness: CoalitionsHarness) -> None:
    contracts = ContractsHarness(harness.sessions, AS_OF)
    opened, closed = {"coalition": "2026-11-01"}, {"coalition": "2027-11-01"}
    await contracts.handle(
        contract(BRADFORD, sharing=opened),
        contract(BRADFORD, reference="C-2", sharing=closed),
        contract(BRADFORD, reference="C-3", sharing=opened, cpv=["72260000"]),
        contract(KIRKLEES, sharing=opened),
    )
    await harness.publish(*(plan(authority) for authority in (LEEDS, BRADFORD, KIRKLEES)))
    await harness.invite(LEEDS)
    assert await _members(harness, LEEDS) == [], "nobody else is in yet"
    await harness.act(BRADFORD, "accept")
    assert await _members(harness, LEEDS) == [(BRADFORD, 17.4)]
    assert await _members(harness, KIRKLEES) == [], "who was asked and has not accepted sees nothing"
    async with harness.sessions() as session:
        with pytest.raises(BenchmarkError, match="is not a plan of"):
            await read_benchmark(session, plan_id(LEEDS), reader=KIRKLEES, channel=Channel.COMMAND_LINE, today=AS_OF)


async def _members(harness: CoalitionsHarness, reader: str) -> list[tuple[str, float]]:
    async with transaction(harness.sessions) as session:
        found = await read_benchmark(session, plan_id(reader), reader=reader, channel=Channel.COMMAND_LINE, today=AS_OF)
    return [(price.authority, price.unit_price) for price in found.members]
