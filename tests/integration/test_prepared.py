"""What the matcher does for a batch before it is handled: its texts are embedded, and nothing is written."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.matcher.batch_handler import MAX_PREPARED_BATCHES, Matcher
from services.platform.settings import Settings
from services.store.database import Sessions
from tests.pipeline import AS_OF, Counting, invented_plans, record_of
from tests.support.matcher import make_matcher

BATCH = 40
PLANS = invented_plans(2 * BATCH, subjects=20)


@pytest.fixture
def embedder() -> Counting:
    return Counting()


@pytest.fixture
async def matcher(sessions: Sessions, embedder: Counting) -> Matcher:
    return await make_matcher(sessions, Settings(as_of=AS_OF, max_poll_records=BATCH), embedder)


async def rows_of(database: AsyncEngine) -> dict[str, int]:
    async with database.connect() as connection:
        return {
            table: (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
            for table in ("plans", "plan_log", "embeddings", "plan_features", "opportunities", "outbox")
        }


async def test_preparing_a_batch_writes_nothing(database: AsyncEngine, matcher: Matcher, embedder: Counting) -> None:
    records = [record_of(plan, offset) for offset, plan in enumerate(PLANS[:BATCH])]
    some = BATCH // 2
    await matcher.prepare(records[:some])
    assert set((await rows_of(database)).values()) == {0}
    prepared = embedder.texts
    assert prepared > 0
    await matcher.handle(records[:some])
    assert embedder.texts == prepared
    found = await rows_of(database)
    assert found["plans"] == found["plan_log"] == some
    assert found["embeddings"] == prepared
    await matcher.handle(records)
    assert (await rows_of(database))["plans"] == BATCH


async def test_a_partly_prepared_batch_has_the_same_result(database: AsyncEngine, matcher: Matcher) -> None:
    records = [record_of(plan, offset) for offset, plan in enumerate(PLANS)]
    await matcher.prepare(records[: BATCH // 3])
    await matcher.prepare(records[BATCH:])
    for start in range(0, len(records), BATCH):
        await matcher.handle(records[start : start + BATCH])
    prepared = await rows_of(database)
    async with database.begin() as connection:
        await connection.execute(text("TRUNCATE plans, plan_log, embeddings, plan_features, opportunities, outbox"))
    unprepared = await make_matcher(matcher.sessions, matcher.context.settings, Counting())
    for start in range(0, len(records), BATCH):
        await unprepared.handle(records[start : start + BATCH])
    assert await rows_of(database) == prepared


async def test_what_nobody_asks_for_is_not_kept_for_ever(matcher: Matcher) -> None:
    for offset in range(0, 2 * MAX_PREPARED_BATCHES * BATCH, BATCH):
        await matcher.prepare([record_of(plan, offset + number) for number, plan in enumerate(PLANS[:BATCH])])
    assert len(matcher._prepared) == MAX_PREPARED_BATCHES * BATCH
