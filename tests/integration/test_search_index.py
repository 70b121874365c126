"""Beyond `exhaustive_plans` the index finds what comparing with all finds; a plan that moves, moves in it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import dialect
from sqlmodel import col

from events.plans import PlanPayload, PlanPublished, PlanWithdrawn
from matching.candidates.pair_vector import DIMENSIONS
from matching.encoders.loading import load_embedder
from services.matcher import assessment, nearest
from services.matcher.app import adopt
from services.matcher.batch_handler import Matcher
from services.matcher.sweeper import sweep
from services.matcher.world import World
from services.platform.settings import Settings
from services.store import search, vectors
from services.store.bulk_writes import Writes
from services.store.database import Sessions, make_engine, make_sessions, transaction
from services.store.pipelined_queries import answer, ask
from tests.pipeline import AS_OF, all_pairs, engine, invented_plans, record_of


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
        await matcher.handle([record_of(payload) for payload in payloads[start : start + 50]])


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


async def in_hnsw(sessions: Sessions) -> set[str]:
    async with transaction(sessions) as session:
        return set((await session.execute(text("SELECT plan_id FROM search_vectors WHERE hnsw"))).scalars())


async def test_the_oldest_vectors_go_into_hnsw_and_both_are_searched(sessions: Sessions) -> None:
    states = invented_plans(480, subjects=70)
    few = world()
    for start in range(0, len(states), 160):
        await handle(sessions, states[start : start + 160], few)
        await nearest.move_oldest(sessions, beyond=100)
    assert len(await in_hnsw(sessions)) == len(states) - 100
    assert states[0].plan_id in await in_hnsw(sessions)
    assert states[-1].plan_id not in await in_hnsw(sessions)
    assert await active(sessions) == all_pairs(states)


async def test_hnsw_is_read_as_far_as_vectors_are_near_and_no_further(sessions: Sessions) -> None:
    """Also where these are many more than the first look at the index brings."""
    drawn = np.random.default_rng(7).standard_normal((600, DIMENSIONS)).astype(np.float32) * 0.03
    drawn[:500, 0] += 3.0
    drawn[500:, 1] += 3.0
    drawn *= 3.0 / np.linalg.norm(drawn, axis=1, keepdims=True)
    words = {f"p{number:03d}": search.Words("", vector, b"") for number, vector in enumerate(drawn)}
    writes = Writes()
    search.put(writes, [], words)
    async with transaction(sessions) as session:
        await writes.send(session)
    assert await nearest.move_oldest(sessions, beyond=0) == 600
    async with transaction(sessions) as session:
        one = (await answer(session, vectors.near(["p000"], least=6.0)))["p000"]
        of_others = await answer(session, vectors.near(["p550"], least=6.0))
    # Nearest neighbours are approximate; the first look brings 200.
    assert len(one) > 450
    assert set(one) <= {f"p{number:03d}" for number in range(500)}
    assert len(of_others["p550"]) > 90
    assert set(of_others["p550"]) <= {f"p{number:03d}" for number in range(500, 600)}


async def test_what_is_outside_hnsw_is_found_by_its_index(sessions: Sessions) -> None:
    """Among a million others, too, which would otherwise be read one by one."""
    oldest = select(vectors.SearchVector.plan_id).where(vectors.OUTSIDE).order_by(col(vectors.SearchVector.changed))  # type: ignore[call-overload]
    asked = str(oldest.limit(100).compile(dialect=dialect(), compile_kwargs={"literal_binds": True}))
    async with transaction(sessions) as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join((await session.execute(text(f"EXPLAIN {asked}"))).scalars())
    assert "search_vectors_newest" in plan


async def test_new_words_leave_hnsw_and_are_found_by_whoever_follows(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two matchers, each with vectors in its memory: what the one writes, the other sees."""
    monkeypatch.setattr(nearest, "TIDY_SECONDS", 0.0)
    states = invented_plans(200, subjects=30)
    one, other = world(), world()
    await handle(sessions, states[:100], one)
    await handle(sessions, states[100:], other)
    await nearest.move_oldest(sessions, beyond=40)
    moved = [plan for plan in states if plan.plan_id in await in_hnsw(sessions)][:60]
    rewritten = [
        plan.model_copy(update={"revision": 2, "title": like.title, "description": like.description})
        for plan, like in zip(moved, reversed(moved), strict=True)
    ]
    await handle(sessions, rewritten[:30], one)
    await handle(sessions, rewritten[30:], other)
    assert not {plan.plan_id for plan in rewritten} & await in_hnsw(sessions)
    now = {plan.plan_id: plan for plan in [*states, *rewritten]}
    assert await active(sessions) == all_pairs(list(now.values()))


async def test_what_a_later_snapshot_needs_is_read_again_after_an_earlier_one_tidied_up(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = invented_plans(120, subjects=12)
    both = world()
    await handle(sessions, states[:60], both)
    async with transaction(sessions, isolation="REPEATABLE READ") as early:
        await early.execute(text("SELECT 1"))  # its snapshot is from here
        await handle(sessions, states[60:119], both)
        monkeypatch.setattr(nearest, "TIDY_SECONDS", 0.0)
        await both.nearest.follow(early, await answer(early, both.nearest.look([]).newest))
        monkeypatch.undo()
    await handle(sessions, states[119:], both)
    assert await active(sessions) == all_pairs(states)


async def test_what_was_asked_before_an_earlier_snapshot_tidied_up_is_asked_again(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is what has come since the array stood further than it does now."""
    states = invented_plans(120, subjects=12)
    both = world()
    await handle(sessions, states[:60], both)
    asked = [state.plan_id for state in states[60:65]]
    async with transaction(sessions, isolation="REPEATABLE READ") as early:
        await early.execute(text("SELECT 1"))  # its snapshot is from here
        await handle(sessions, states[60:], both)
        async with transaction(sessions) as session:
            await session.execute(text("UPDATE search_entries SET searched = ''"))
        async with transaction(sessions, isolation="REPEATABLE READ") as late:
            look = both.nearest.look(asked)
            await ask(late, *look.queries)
            monkeypatch.setattr(nearest, "TIDY_SECONDS", 0.0)
            await both.nearest.follow(early, await answer(early, both.nearest.look([]).newest))
            monkeypatch.undo()
            found = await both.nearest.near(late, asked, engine().least_product, look)
            anew = await world().nearest.near(late, asked, engine().least_product)
    assert any(set(near.others) & {state.plan_id for state in states[60:]} for near in anew.values())
    assert found == anew


async def test_what_others_wrote_is_read_once_also_where_nobody_compares_it(sessions: Sessions) -> None:
    """It may be long until this matcher has new words; until then each batch would read all of it again."""
    states = invented_plans(120, subjects=12)
    await handle(sessions, states)
    anew = world()
    late = states[0].tender_window.model_validate({"earliest": "2027-09-01", "latest": "2028-01-31"})
    await handle(sessions, [states[0].model_copy(update={"revision": 2, "tender_window": late})], anew)
    async with transaction(sessions) as session:
        assert not (await answer(session, anew.nearest.look([]).newest)).vectors


async def test_an_earlier_snapshot_finds_what_was_dropped_here_and_is_not_in_hnsw_for_it(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = invented_plans(120, subjects=12)
    one = world()
    await handle(sessions, states, one)
    async with transaction(sessions) as session:
        await session.execute(text("UPDATE search_entries SET searched = ''"))
    asked, least = [state.plan_id for state in states[:5]], engine().least_product
    monkeypatch.setattr(nearest, "TIDY_SECONDS", 0.0)
    async with transaction(sessions, isolation="REPEATABLE READ") as early:
        await early.execute(text("SELECT 1"))  # its snapshot is from here
        assert await nearest.move_oldest(sessions, beyond=0) == len(states)
        async with transaction(sessions, isolation="REPEATABLE READ") as late:
            by_hnsw = await one.nearest.near(late, asked, least)
        by_memory = await one.nearest.near(early, asked, least)
    assert all(len(near.others) > 5 for near in by_memory.values())
    assert by_memory == by_hnsw


async def test_after_a_restore_vectors_of_the_future_are_mended(sessions: Sessions) -> None:
    states = invented_plans(40, subjects=6)
    await handle(sessions, states)
    async with transaction(sessions) as session:
        await session.execute(text("UPDATE search_vectors SET changed = changed + 1000000"))
    await sweep(world(), sessions)
    async with transaction(sessions) as session:
        newest = await answer(session, vectors.newest())
        assert newest.vectors.keys() == {state.plan_id for state in states}
        again = await answer(session, vectors.newest(newest.snapshot))
    assert not again.vectors, "what was seen is not read again"


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


async def neighbours(sessions: Sessions) -> set[tuple[str, str]]:
    async with transaction(sessions) as session:
        return {(a, b) for a, b in await session.execute(text("SELECT plan_id, other_id FROM search_neighbours"))}


def spoken_as(plan: PlanPublished, like: PlanPublished, revision: int) -> PlanPublished:
    words = {"title": like.title, "description": like.description}
    return plan.model_copy(update={"revision": revision, "tender_window": FAR, **words})


NEAR, FAR = (
    PlanPublished.model_fields["tender_window"].annotation.model_validate({"earliest": first, "latest": last})  # type: ignore[union-attr]
    for first, last in (("2027-02-01", "2027-06-30"), ("2028-09-01", "2028-12-31"))
)


@pytest.fixture
async def unlike(sessions: Sessions) -> tuple[PlanPublished, PlanPublished]:
    """Two plans of different authorities whose words are near in the index, yet can be no opportunity on any day."""
    states = [state.model_copy(update={"tender_window": NEAR}) for state in invented_plans(160, subjects=20)]
    await handle(sessions, states)
    opportunities = await active(sessions)
    assert opportunities == all_pairs(states)
    kept = await neighbours(sessions)
    assert {(b, a) for a, b in kept} == kept, "both ways"
    # All windows meet: every neighbour at another authority was judged, and what is left are those that are alike.
    assert {(a, b) for a, b in kept if a < b and a.split(":")[0] != b.split(":")[0]} == opportunities.keys()
    first, other = (
        states[0],
        next(s for s in states[1:] if s.title != states[0].title and s.authority != states[0].authority),
    )
    async with transaction(sessions) as session:
        await session.execute(
            text("INSERT INTO search_neighbours VALUES (:a, :b), (:b, :a)"), {"a": first.plan_id, "b": other.plan_id}
        )
    return first, other


async def test_neighbours_that_are_judged_to_be_unlike_are_dropped(
    sessions: Sessions, unlike: tuple[PlanPublished, PlanPublished]
) -> None:
    first, other = unlike
    await handle(sessions, [first.model_copy(update={"revision": 2})])
    assert not {(first.plan_id, other.plan_id), (other.plan_id, first.plan_id)} & await neighbours(sessions)


async def test_a_neighbour_that_speaks_otherwise_meanwhile_is_kept(
    sessions: Sessions, unlike: tuple[PlanPublished, PlanPublished], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged to be unlike by its old words, and alike by its new ones before that is written down: the two can't meet
    yet, so that nothing but the neighbour tells of them."""
    first, other = unlike
    await _meanwhile(monkeypatch, lambda: handle(sessions, [spoken_as(other, first, 2)]))
    await handle(sessions, [first.model_copy(update={"revision": 2})])
    pair = tuple(sorted((first.plan_id, other.plan_id)))
    assert (first.plan_id, other.plan_id) in await neighbours(sessions)
    assert pair not in await active(sessions)
    await handle(sessions, [first.model_copy(update={"revision": 3, "tender_window": FAR})])
    assert pair in await active(sessions)


async def _meanwhile(monkeypatch: pytest.MonkeyPatch, what: Callable[[], Awaitable[None]]) -> None:
    """Has something happen between the first judgement from now on and its settlement."""
    settle = assessment._settle_all
    waiting = [what]

    async def late(*arguments: Any) -> Any:
        if waiting:
            await waiting.pop()()
        return await settle(*arguments)

    monkeypatch.setattr(assessment, "_settle_all", late)


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
