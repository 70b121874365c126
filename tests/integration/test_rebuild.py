"""Rebuilding from the plan log on a real database: equal to what stands, notices what does not, tells nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from events.plans import PlanUpdated, PlanWithdrawn
from matching.policy import Policy
from services.local_stack.postgres import Server
from services.maintenance import apply_rebuild
from services.maintenance.apply_rebuild import RebuildApplied
from services.maintenance.rebuild import RebuildError, compare
from services.matcher import assessment
from services.matcher.settlement import WrongGenerationError
from services.matcher.sweeper import sweep
from services.store import shadow_tables
from services.store.database import make_engine, make_sessions, transaction
from services.store.state_hash import StateHash, state_hash
from tests.chaos.order_independence import history
from tests.pipeline import AS_OF, all_pairs, invented_plans
from tests.support.databases import DatabasePool
from tests.support.matcher import MatcherHarness, hashing_context, make_harness
from tests.support.policies import with_changes
from tests.support.rebuilding import compared, told

STATES = tuple(invented_plans(64, 21))


@asynccontextmanager
async def open_harness(url: str) -> AsyncIterator[MatcherHarness]:
    engine = make_engine(url)
    yield await make_harness(make_sessions(engine))
    await engine.dispose()


@pytest.fixture(scope="session")
def matched_databases(postgres_server: Server, migrated_template: str) -> DatabasePool:
    """Databases in which a matcher has handled all of `STATES`."""

    async def handle(url: str) -> None:
        async with open_harness(url) as made:
            await made.handle(STATES)

    url = postgres_server.create_database("rebuild_template", template=migrated_template)
    asyncio.run(handle(url))
    return DatabasePool(postgres_server, "rebuild_template")


@pytest_asyncio.fixture
async def matched_harness(matched_databases: DatabasePool) -> AsyncIterator[MatcherHarness]:
    """A matcher that starts on one of them."""
    with matched_databases.lend() as url:
        async with open_harness(url) as made:
            made.offset = len(STATES)
            yield made


async def standing(harness: MatcherHarness) -> StateHash:
    async with transaction(harness.sessions, isolation="REPEATABLE READ") as session:
        return await state_hash(session)


@pytest.mark.parametrize("seed", [1, 2])
async def test_equals_what_stands_after_any_history(harness: MatcherHarness, seed: int) -> None:
    await harness.handle(history(seed, 120, 30))
    found, _ = await compared(harness)
    assert found.equal, (found.plans, found.pairs)
    assert found.live is not None
    assert found.live.pairs > 10
    ((waiting,),) = await harness.rows("SELECT count(*) FROM outbox")
    _, done = await compared(harness, swap=True)
    assert done == RebuildApplied(), "there is nothing to replace"
    assert await harness.rows("SELECT count(*) FROM outbox") == [(waiting,)]


_PAIR = "WHERE opportunity_id = :key"
_PLAN = "WHERE plan_id = :plan"
TAMPERINGS = {
    "a score": f"UPDATE opportunities SET score = 12.5 {_PAIR}",
    "a band": f"UPDATE opportunities SET band = 'feed' {_PAIR}",
    "a withdrawal": f"UPDATE opportunities SET status = 'withdrawn' {_PAIR}",
    "a reason": f"UPDATE opportunities SET payload = jsonb_set(payload, '{{reasons}}', '[\"Buy\"]') {_PAIR}",
    "another plan revision": f"UPDATE opportunities SET revision_a = 9 {_PAIR}",
    "a lost pair": f"DELETE FROM opportunities {_PAIR}",
    "a made-up pair": f"""
        INSERT INTO opportunities (opportunity_id, plan_a, plan_b, revision_a, revision_b, authority_a, authority_b,
            revision, material_revision, status, score, band, payload, last_notified, content_hash, generation,
            assessed_as_of, review_on, created_at, updated_at)
        SELECT md5('x'), plan_a, plan_b, revision_a, revision_b, authority_a, authority_b, 1, 1, status, score, band,
            jsonb_set(payload, '{{opportunity_id}}', to_jsonb(md5('x'))), last_notified, content_hash, generation,
            assessed_as_of, review_on, created_at, updated_at
        FROM opportunities {_PAIR}""",
    "a plan's text": f"UPDATE plans SET state = jsonb_set(state, '{{title}}', '\"Gravel\"') {_PLAN}",
    "a plan's revision": f"UPDATE plans SET revision = 9, assessed_revision = 9 {_PLAN}",
    "a plan's status": f"UPDATE plans SET status = 'withdrawn', matchable = false {_PLAN}",
    "a lost plan": f"DELETE FROM plans {_PLAN}",
    "a made-up plan": f"""
        INSERT INTO plans
        SELECT plan_id || 'x', authority, revision, status, matchable, state, event_id,
            traceparent, published_at, received_at, assessed_revision, attempts, quarantined
        FROM plans {_PLAN}""",
    "everything lost": "TRUNCATE opportunities, plans",
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_tampered_rows_are_mended_silently(matched_harness: MatcherHarness, what: str) -> None:
    harness, states = matched_harness, STATES
    before, known, active = await standing(harness), await told(harness), await harness.active()
    assert known > 10
    ((key, plan_id, material),) = await harness.rows(
        "SELECT opportunity_id, plan_a, material_revision FROM opportunities WHERE status = 'active' ORDER BY 1 LIMIT 1"
    )
    async with transaction(harness.sessions) as session:
        names = {name: value for name, value in (("key", key), ("plan", plan_id)) if f":{name}" in TAMPERINGS[what]}
        await session.execute(text(TAMPERINGS[what]), names)

    found, _ = await compared(harness)
    assert not found.equal
    assert found.plans or found.pairs
    assert found.rebuilt == before
    found, done = await compared(harness, swap=True)
    assert done is not None
    assert done.plans + done.pairs == len(found.plans) + len(found.pairs)
    assert await standing(harness) == before
    assert await harness.active() == active == all_pairs(states)
    assert await told(harness) == known, "nobody is told"
    assert await harness.rows(f"SELECT material_revision FROM opportunities WHERE opportunity_id = '{key}'") == [
        (material,)
    ]
    again, _ = await compared(harness)
    assert again.equal
    await topic_equals_the_table(harness)


async def topic_equals_the_table(harness: MatcherHarness) -> None:
    """The newest event of each key is the row's payload, and counting never goes back."""
    latest: dict[str, dict[str, object]] = {}
    for (value,) in await harness.rows(
        "SELECT convert_from(value, 'UTF8')::jsonb FROM outbox WHERE topic LIKE 'collab%' ORDER BY id"
    ):
        assert value["revision"] > latest.get(value["opportunity_id"], {"revision": 0})["revision"]
        latest[value["opportunity_id"]] = value
    rows = await harness.rows("SELECT opportunity_id, payload FROM opportunities")
    assert {key: payload for key, payload in rows if key in latest} == latest


async def test_a_missed_pair_is_put_in_silently(
    matched_harness: MatcherHarness,
) -> None:
    """As after a bug: neither the row nor its event was ever there."""
    harness, states = matched_harness, STATES
    async with transaction(harness.sessions) as session:
        await session.execute(text("TRUNCATE opportunities, outbox"))
    found, done = await compared(harness, swap=True)
    assert all(pair.untold for pair in found.pairs)
    assert done is not None
    assert done.pairs == len(found.pairs) > 10
    assert await harness.active() == all_pairs(states)
    assert await told(harness) == 0
    ((a, b),) = await harness.rows(
        "SELECT plan_a, plan_b FROM opportunities WHERE status = 'active' ORDER BY 1, 2 LIMIT 1"
    )
    moved = {"tender_window": {"earliest": "2027-10-01", "latest": "2028-03-31"}, "revision": 2}
    await harness.handle(
        [PlanUpdated.model_validate({**s.model_dump(), **moved}) for s in states if s.plan_id in (a, b)]
    )
    assert await told(harness) > 0, "a material change is told as always"


async def test_what_is_still_to_be_assessed_is_left_to_the_matcher(
    harness: MatcherHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    states = invented_plans(120, 30)
    await harness.handle(states[:60])
    with monkeypatch.context() as patched:
        patched.setattr(assessment, "settle", crash)
        with pytest.raises(KeyboardInterrupt):
            await harness.handle(states[60:], at_once=60)
    found, done = await compared(harness, swap=True)
    assert (found.equal, found.waiting_plans, done) == (True, 60, RebuildApplied())
    await sweep(harness.matcher.context, harness.sessions)
    assert await harness.active() == all_pairs(states)


async def test_a_rebuild_keeps_what_the_matcher_settled_meanwhile(
    matched_harness: MatcherHarness,
) -> None:
    harness, states = matched_harness, STATES
    async with transaction(harness.sessions) as session:
        await session.execute(text("UPDATE opportunities SET score = 1.5, content_hash = ''"))
    moved = [
        PlanUpdated.model_validate({**s.model_dump(), "revision": 2, "value": {"amount": 7_000_000}}) for s in states
    ]
    async with transaction(harness.sessions, isolation="REPEATABLE READ") as view:
        found = await compare(harness.matcher.context, harness.sessions, view, AS_OF, lambda *_: None)
        await harness.handle(moved[:32])
        done = await apply_rebuild.apply_rebuild(harness.sessions, found)
    assert done.moved_on > 0
    assert done.pairs > 0
    assert await harness.active() == all_pairs([*moved[:32], *states[32:]])
    assert (await compared(harness))[0].equal


async def test_another_generation_or_another_rebuild_stops_it(harness: MatcherHarness) -> None:
    await harness.handle(invented_plans(8))
    other = hashing_context(policy=with_changes(Policy.load()))
    async with transaction(harness.sessions, isolation="REPEATABLE READ") as view:
        with pytest.raises(WrongGenerationError, match="jointly reassess"):
            await compare(other, harness.sessions, view, AS_OF, lambda *_: None)
        with pytest.raises(RebuildError, match="another rebuild"):
            await compared(harness)
    assert (await compared(harness))[0].equal
    async with transaction(harness.sessions) as session:
        await shadow_tables.drop(session)


async def test_a_pair_without_ground_is_withdrawn_silently(matched_harness: MatcherHarness) -> None:
    """What an authority was told no longer holds; the check says so, and leaves it to people whether to tell."""
    harness = matched_harness
    await told(harness)
    async with transaction(harness.sessions) as session:
        await session.execute(text("UPDATE notification_intents SET state = 'sent' WHERE state = 'pending'"))
    ((key, plan_id),) = await harness.rows(
        "SELECT opportunity_id, plan_a FROM opportunities WHERE status = 'active' ORDER BY 1 LIMIT 1"
    )
    await harness.handle([PlanWithdrawn(plan_id=plan_id, revision=2, authority=plan_id.split(":")[0])])
    known, active = await told(harness), await harness.active()
    async with transaction(harness.sessions) as session:
        again = "jsonb_set({0}, '{{status}}', '\"active\"')"
        await session.execute(
            text(
                f"UPDATE opportunities SET status = 'active', payload = {again.format('payload')}, "
                f"last_notified = {again.format('last_notified')} WHERE opportunity_id = :key"
            ),
            {"key": key},
        )
    statement = (
        f"SELECT revision, material_revision, last_notified, status FROM opportunities WHERE opportunity_id = '{key}'"
    )
    ((revision, material, last_told, _),) = await harness.rows(statement)
    found, _ = await compared(harness, swap=True)
    assert [(pair.opportunity_id, pair.untold) for pair in found.pairs] == [(key, True)]
    assert await harness.rows(statement) == [(revision + 1, material, last_told, "withdrawn")]
    assert await harness.active() == active
    assert await told(harness) == known
