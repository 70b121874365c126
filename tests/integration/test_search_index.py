"""Beyond `exhaustive_plans` the index finds what comparing with all finds; a plan that moves, moves in it."""

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from events.envelope import encode
from events.plans import PlanPayload, PlanWithdrawn
from matching.embedding import load_embedder
from services.matcher.app import adopt
from services.matcher.handling import Matcher
from services.matcher.sweeper import sweep
from services.matcher.world import World
from services.publisher.producing import plan_event
from services.runtime.settings import Settings
from services.store.base import Sessions, make_engine, make_sessions, transaction
from tests.pipeline import AS_OF, all_pairs, engine, invented_plans


@pytest.fixture
async def sessions(database_url: str) -> AsyncIterator[Sessions]:
    database = make_engine(database_url)
    made = make_sessions(database)
    await adopt(world(), made)
    yield made
    await database.dispose()


def world(exhaustive_plans: int = 0) -> World:
    settings = Settings(as_of=AS_OF, exhaustive_plans=exhaustive_plans, kept_plans=100)
    return World(engine(), load_embedder("hashing"), settings)


async def handle(sessions: Sessions, payloads: Sequence[PlanPayload], by: World | None = None) -> None:
    matcher = Matcher(by or world(), sessions, producer=None)  # type: ignore[arg-type]
    for start in range(0, len(payloads), 50):
        await matcher.handle([_record(payload) for payload in payloads[start : start + 50]])


def _record(payload: PlanPayload) -> Any:
    message = encode(plan_event(payload), payload.plan_id)
    place = {"topic": "procurement.plans.v1", "partition": 0, "offset": 0}
    return SimpleNamespace(**place, key=message.key, headers=message.headers, value=message.value)


async def active(sessions: Sessions) -> dict[tuple[str, str], tuple[float, str]]:
    query = "SELECT plan_a, plan_b, score, band FROM opportunities WHERE status = 'active'"
    async with transaction(sessions) as session:
        return {(a, b): (score, band) for a, b, score, band in await session.execute(text(query))}


async def indexed(sessions: Sessions) -> dict[str, tuple[int, int]]:
    query = "SELECT plan_id, revision, earliest FROM search_entries"
    async with transaction(sessions) as session:
        return {plan_id: (revision, earliest) for plan_id, revision, earliest in await session.execute(text(query))}


async def test_the_index_finds_what_comparing_with_all_finds(sessions: Sessions) -> None:
    states = invented_plans(600, subjects=90)
    await handle(sessions, states)
    expected = all_pairs(states)
    assert len(expected) > 300
    assert await active(sessions) == expected


async def test_plans_that_were_compared_with_all_are_found_by_the_index_later(sessions: Sessions) -> None:
    states = invented_plans(240, subjects=40)
    await handle(sessions, states[:120], world(exhaustive_plans=1000))
    await handle(sessions, states[120:])
    assert await active(sessions) == all_pairs(states)


async def test_a_change_of_dates_moves_the_entry_and_leaves_the_vector(sessions: Sessions) -> None:
    states = invented_plans(120, subjects=20)
    await handle(sessions, states)
    before = await indexed(sessions)
    async with transaction(sessions) as session:
        vectors = dict((await session.execute(text("SELECT plan_id, xmin::text FROM search_vectors"))).all())
    window = {"earliest": "2028-02-01", "latest": "2028-05-28"}
    moved = [
        state.model_copy(update={"revision": 2, "tender_window": type(state.tender_window).model_validate(window)})
        for state in states[:40]
    ]
    await handle(sessions, moved)
    after = await indexed(sessions)
    assert all(after[state.plan_id][0] == 2 and after[state.plan_id] != before[state.plan_id] for state in moved)
    async with transaction(sessions) as session:
        assert vectors == dict((await session.execute(text("SELECT plan_id, xmin::text FROM search_vectors"))).all())
    assert await active(sessions) == all_pairs([*moved, *states[40:]])


async def test_what_is_closed_leaves_the_index(sessions: Sessions) -> None:
    states = invented_plans(30, subjects=6)
    await handle(sessions, states)
    gone = states[0]
    ended = PlanWithdrawn(plan_id=gone.plan_id, revision=2, authority=gone.authority)
    hidden = states[1].model_copy(update={"revision": 2, "sharing": "private"})
    await handle(sessions, [ended, hidden])
    assert not {gone.plan_id, hidden.plan_id} & (await indexed(sessions)).keys()
    async with transaction(sessions) as session:
        vectors = set((await session.execute(text("SELECT plan_id FROM search_vectors"))).scalars())
    assert vectors == {state.plan_id for state in states[2:]}
    assert await active(sessions) == all_pairs(states[2:])


async def test_a_plan_that_is_missing_from_the_index_comes_back_by_the_sweeper(sessions: Sessions) -> None:
    states = invented_plans(60, subjects=10)
    await handle(sessions, states[:50])
    async with transaction(sessions) as session:
        await session.execute(text("DELETE FROM search_entries"))
        await session.execute(text("DELETE FROM search_vectors"))
    await handle(sessions, states[50:])
    assert await active(sessions) != all_pairs(states), "what is not in the index is not found"
    assert await sweep(world(), sessions) == 50
    assert await active(sessions) == all_pairs(states)
