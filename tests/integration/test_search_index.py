"""The index finds what comparing all plans finds; a plan that changes, changes in every matcher's memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from events.plans import PlanPayload, PlanPublished, PlanWithdrawn
from services.matcher.app import adopt
from services.matcher.context import MatcherContext
from services.matcher.plan_index import SnapshotIndex
from services.matcher.sweeper import sweep
from services.platform.settings import Settings
from services.store import plan_features
from services.store.database import Sessions, make_engine, make_sessions, transaction
from services.store.pipelined_queries import fetch
from services.store.plan_features import NOTHING_SEEN, ChangePosition, IndexDelta
from tests.pipeline import AS_OF, all_pairs, engine, features_of, invented_plans, record_of
from tests.support.matcher import hashing_context, matcher_of


@pytest.fixture
async def sessions(database_url: str) -> AsyncIterator[Sessions]:
    database = make_engine(database_url, plan_once=True)
    made = make_sessions(database)
    await adopt(context(), made)
    yield made
    await database.dispose()


def context() -> MatcherContext:
    return hashing_context(Settings(as_of=AS_OF, feature_cache_plans=100))


async def handle(sessions: Sessions, payloads: Sequence[PlanPayload], by: MatcherContext | None = None) -> None:
    matcher = matcher_of(by or context(), sessions)
    for start in range(0, len(payloads), 50):
        await matcher.handle([record_of(payload) for payload in payloads[start : start + 50]])


async def active(sessions: Sessions) -> dict[tuple[str, str], tuple[float, str]]:
    query = "SELECT plan_a, plan_b, score, band FROM opportunities WHERE status = 'active'"
    async with transaction(sessions) as session:
        return {(a, b): (score, band) for a, b, score, band in await session.execute(text(query))}


async def column(sessions: Sessions, name: str) -> dict[str, Any]:
    async with transaction(sessions) as session:
        query = f"SELECT plan_id, {name} FROM plan_features WHERE vector IS NOT NULL"
        return dict((await session.execute(text(query))).all())  # type: ignore[arg-type]


async def found_by(index: SnapshotIndex, sessions: Sessions, states: Sequence[Any]) -> Mapping[str, Any]:
    asking = {one.plan.plan_id: one for one in features_of(states)}
    delta = index.delta()
    async with transaction(sessions, delta, isolation="REPEATABLE READ") as session:
        return await index.search(session, asking, AS_OF, delta.result)


async def unseen(sessions: Sessions, index: SnapshotIndex) -> IndexDelta:
    async with transaction(sessions) as session:
        return await fetch(session, index.delta())


def reworded(states: Sequence[PlanPublished]) -> list[PlanPublished]:
    """The next revision of each, with the words of another one."""
    return [
        plan.model_copy(update={"revision": 2, "title": like.title, "description": like.description})
        for plan, like in zip(states, reversed(states), strict=True)
    ]


async def test_the_index_finds_what_comparing_with_all_finds(sessions: Sessions) -> None:
    states = invented_plans(600, subjects=90)
    await handle(sessions, states)
    expected = all_pairs(states)
    assert len(expected) > 300
    assert await active(sessions) == expected


async def test_new_words_are_found_by_every_matcher(sessions: Sessions) -> None:
    """What one writes, the other sees, in its place in memory too."""
    states = invented_plans(200, subjects=30)
    one, other = context(), context()
    await handle(sessions, states[:100], one)
    await handle(sessions, states[100:], other)
    rewritten = reworded(states[:60])
    await handle(sessions, rewritten[:30], one)
    await handle(sessions, rewritten[30:], other)
    now = {plan.plan_id: plan for plan in [*states, *rewritten]}
    assert await active(sessions) == all_pairs(list(now.values()))


async def test_new_words_give_a_hopeless_pair_another_score(sessions: Sessions) -> None:
    states = invented_plans(160, subjects=20)
    by_id = {state.plan_id: state for state in states}
    both = context()
    await handle(sessions, states, both)
    first, second = next(
        (a, b) for a, _, b, _ in sorted(both.hopeless_pairs._pairs) if by_id[a].authority != by_id[b].authority
    )
    words = {"title": by_id[first].title, "description": by_id[first].description, "cpv": by_id[first].cpv}
    window = {"tender_window": by_id[first].tender_window, "regions": by_id[first].regions}
    alike = by_id[second].model_copy(update={"revision": 2, **words, **window})
    await handle(sessions, [alike], both)
    pair = (first, second)
    expected = all_pairs([*(state for state in states if state.plan_id != second), alike])
    assert pair in expected
    assert await active(sessions) == expected


async def test_a_search_in_an_older_snapshot_takes_nothing_back(sessions: Sessions) -> None:
    states = invented_plans(120, subjects=12)
    await handle(sessions, states[:60])
    rewritten = reworded(states[:60])
    both = context()
    async with transaction(sessions, both.index.delta(), isolation="REPEATABLE READ") as early:
        older = await fetch(early, both.index.delta())
        await handle(sessions, rewritten, both)
        await both.index.search(early, {}, AS_OF, older)
    await handle(sessions, states[60:], both)
    assert await active(sessions) == all_pairs([*rewritten, *states[60:]])


async def test_a_late_commit_is_read_after_later_transactions(sessions: Sessions) -> None:
    """Its number is lower than others that this matcher has read."""
    states = invented_plans(60, subjects=6)
    await handle(sessions, states[:59])
    index = SnapshotIndex(engine())
    late = states[0].plan_id
    async with transaction(sessions) as slow:
        await slow.execute(
            text("UPDATE plan_features SET latest = latest + 1 WHERE plan_id = :plan_id"), {"plan_id": late}
        )
        await handle(sessions, states[59:])
        await found_by(index, sessions, [])
    assert [entry.plan_id for entry in (await unseen(sessions, index)).entries] == [late]


async def test_what_others_wrote_is_read_once(sessions: Sessions) -> None:
    states = invented_plans(120, subjects=12)
    await handle(sessions, states)
    anew = context()
    late = states[0].tender_window.model_validate({"earliest": "2027-09-01", "latest": "2028-01-31"})
    await handle(sessions, [states[0].model_copy(update={"revision": 2, "tender_window": late})], anew)
    assert not (await unseen(sessions, anew.index)).entries


async def test_many_rows_are_read_in_portions(sessions: Sessions) -> None:
    states = invented_plans(120, subjects=12)
    await handle(sessions, states)
    expected = await found_by(SnapshotIndex(engine()), sessions, states)
    assert await found_by(SnapshotIndex(engine(), portion=7), sessions, states) == expected
    assert any(expected.values())


async def test_another_server_is_read_from_its_beginning(sessions: Sessions) -> None:
    """After a failover or a restore numbers and snapshots of before say nothing."""
    states = invented_plans(60, subjects=6)
    await handle(sessions, states)
    index = SnapshotIndex(engine())
    expected = await found_by(index, sessions, states)
    index._seen = ChangePosition("2020-01-01 00:00:00+00", "999999999:999999999:")
    assert await found_by(index, sessions, states) == expected
    assert index._seen.server != "2020-01-01 00:00:00+00"


async def test_changes_are_found_by_their_index(sessions: Sessions) -> None:
    """Among a million others, too, which would otherwise be read one by one."""
    given = plan_features.delta(NOTHING_SEEN, "generation").given
    async with transaction(sessions) as session:
        for other in ("seqscan", "bitmapscan", "sort"):
            await session.execute(text(f"SET LOCAL enable_{other} = off"))
        explained = await session.execute(text(f"EXPLAIN {plan_features.delta_query(plan_features.PORTION)}"), given)
        plan = "\n".join(explained.scalars())
    assert "plan_features_written" in plan
    assert "Sort" not in plan


async def test_after_a_restore_rows_of_the_future_are_read_once(sessions: Sessions) -> None:
    states = invented_plans(40, subjects=6)
    await handle(sessions, states)
    async with transaction(sessions) as session:
        await session.execute(text("ALTER TABLE plan_features DISABLE TRIGGER plan_features_stamp"))
        await session.execute(text("UPDATE plan_features SET written_xid = written_xid + 1000000"))
        await session.execute(text("ALTER TABLE plan_features ENABLE TRIGGER plan_features_stamp"))
    index = SnapshotIndex(engine())
    await found_by(index, sessions, [])
    assert len((await unseen(sessions, index)).entries) == 40, "again and again"
    await sweep(context(), sessions)
    await found_by(index, sessions, [])
    assert not (await unseen(sessions, index)).entries


async def test_a_change_of_dates_leaves_the_vector(sessions: Sessions) -> None:
    states = invented_plans(120, subjects=20)
    await handle(sessions, states)
    vectors, earliest = await column(sessions, "vector"), await column(sessions, "earliest")
    window = {"earliest": "2028-02-01", "latest": "2028-05-28"}
    moved = [
        state.model_copy(update={"revision": 2, "tender_window": type(state.tender_window).model_validate(window)})
        for state in states[:40]
    ]
    await handle(sessions, moved)
    revisions, later = await column(sessions, "revision"), await column(sessions, "earliest")
    assert all(revisions[one.plan_id] == 2 and later[one.plan_id] != earliest[one.plan_id] for one in moved)
    assert await column(sessions, "vector") == vectors
    assert await active(sessions) == all_pairs([*moved, *states[40:]])


async def test_what_is_closed_leaves_the_index(sessions: Sessions) -> None:
    states = invented_plans(30, subjects=6)
    both = context()
    await handle(sessions, states, both)
    gone = states[0]
    ended = PlanWithdrawn(plan_id=gone.plan_id, revision=2, authority=gone.authority)
    hidden = states[1].model_copy(update={"revision": 2, "sharing": "private"})
    await handle(sessions, [ended, hidden])
    assert (await column(sessions, "revision")).keys() == {state.plan_id for state in states[2:]}
    found = await found_by(both.index, sessions, states[2:])
    assert not {gone.plan_id, hidden.plan_id} & {other for others in found.values() for other in others}
    assert await active(sessions) == all_pairs(states[2:])


async def test_the_sweeper_restores_a_plan_missing_from_the_index(sessions: Sessions) -> None:
    states = invented_plans(60, subjects=10)
    await handle(sessions, states[:50])
    async with transaction(sessions) as session:
        await session.execute(text("DELETE FROM plan_features"))
    await handle(sessions, states[50:])
    assert await active(sessions) != all_pairs(states), "what is not in the index is not found"
    assert await sweep(context(), sessions) == 50
    assert await active(sessions) == all_pairs(states)


async def test_rows_of_another_generation_are_no_candidates(sessions: Sessions) -> None:
    states = invented_plans(40, subjects=4)
    await handle(sessions, states)
    index = SnapshotIndex(engine())
    assert any((await found_by(index, sessions, states)).values())
    async with transaction(sessions) as session:
        await session.execute(text("UPDATE plan_features SET generation = 'another'"))
    assert not any((await found_by(index, sessions, states)).values())
