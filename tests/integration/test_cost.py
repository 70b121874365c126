"""What an event costs, in what can be counted: statements, round trips, texts embedded, rows written. Seconds differ by
machine, these do not; a change that makes an event dearer shows here.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from events.plans import PlanPublished
from services.matcher.batch_handler import Matcher
from services.matcher.settlement import PAIRS_AT_ONCE
from services.store.database import Sessions
from tests.pipeline import Counting, invented_plans, record_of
from tests.support.matcher import make_matcher

BATCH = 60
PLANS = invented_plans(4 * BATCH, subjects=60)


@asynccontextmanager
async def counted(database: AsyncEngine) -> AsyncIterator[Counter[str]]:
    """Counts, at the driver, statements by their first word, how often a process waited for the database (`trips`; what
    begins and ends a transaction by itself is left out of both), and all rows that were changed (`rows`)."""
    counts: Counter[str] = Counter()
    together: set[psycopg.AsyncConnection] = set()
    execute, pipeline = psycopg.AsyncCursor.execute, psycopg.AsyncConnection.pipeline

    async def counted_execute(cursor: psycopg.AsyncCursor, statement: Any, *args: Any, **kwargs: Any) -> Any:
        sent = statement.decode() if isinstance(statement, bytes) else str(statement)
        if (word := sent.split(None, 1)[0].upper()) not in ("BEGIN", "COMMIT"):
            counts[word] += 1
        counts["trips"] += cursor.connection not in together
        return await execute(cursor, statement, *args, **kwargs)

    @asynccontextmanager
    async def counted_pipeline(connection: psycopg.AsyncConnection) -> AsyncIterator[Any]:
        counts["trips"] += 1
        async with pipeline(connection) as opened:
            together.add(connection)
            try:
                yield opened
            finally:
                together.remove(connection)

    before = await rows_changed(database)
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(psycopg.AsyncCursor, "execute", counted_execute)
        patching.setattr(psycopg.AsyncConnection, "pipeline", counted_pipeline)
        yield counts
    counts["rows"] = await rows_changed(database) - before


def statements(counts: Counter[str]) -> int:
    return counts.total() - counts["rows"] - counts["trips"]


async def rows_changed(database: AsyncEngine) -> int:
    """How many rows were ever inserted, updated or deleted, by the database's own count: connections report to it when
    they end."""
    await database.dispose()
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    changed = text("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables")
    async with database.connect() as connection:
        while (await connection.execute(others)).scalar_one():
            await connection.commit()  # or it would see the same for ever
            await asyncio.sleep(0.01)
    async with database.connect() as connection:
        return int((await connection.execute(changed)).scalar_one())


@pytest.fixture
async def matcher(sessions: Sessions) -> Matcher:
    """A matcher that has handled all of `PLANS`."""
    made = await make_matcher(sessions, embedder=Counting())
    for start in range(0, len(PLANS), BATCH):
        await made.handle([record_of(plan) for plan in PLANS[start : start + BATCH]])
    return made


def moved(plan: PlanPublished, revision: int, latest: str) -> PlanPublished:
    window = plan.tender_window.model_validate({"earliest": "2027-09-01", "latest": latest})
    return plan.model_copy(update={"revision": revision, "tender_window": window})


async def test_a_batch_of_updates_costs_a_few_statements(database: AsyncEngine, matcher: Matcher) -> None:
    await matcher.handle([record_of(moved(plan, 2, "2027-12-20")) for plan in PLANS[:BATCH]])
    embedder = matcher.context.embedder
    assert isinstance(embedder, Counting)
    before = embedder.texts
    changed = [record_of(moved(plan, 3, "2028-01-31")) for plan in PLANS[:BATCH]]
    async with counted(database) as counts:
        await matcher.handle(changed)
    assert embedder.texts == before
    assert statements(counts) <= 17, counts
    assert counts["trips"] <= 8, counts
    # One row of the log, two of the plan (moved, marked), one of the index; the rest are pairs and their messages.
    async with database.connect() as connection:
        pairs = (
            await connection.execute(
                text("SELECT count(*) FROM opportunities WHERE updated_at > now() - interval '1 hour'")
            )
        ).scalar_one()
    assert counts["rows"] <= 4 * BATCH + 2 * pairs


async def test_the_same_again_costs_less_still(database: AsyncEngine, matcher: Matcher) -> None:
    again = [record_of(plan) for plan in PLANS[:BATCH]]
    async with counted(database) as counts:
        await matcher.handle(again)
    assert counts["rows"] == 0, "what is known writes nothing"
    assert statements(counts) <= 6, counts
    assert counts["trips"] <= 3, counts


async def test_statements_do_not_grow_with_the_batch(database: AsyncEngine, matcher: Matcher) -> None:
    totals = []
    for size, revision in ((12, 2), (BATCH, 3)):
        async with counted(database) as counts:
            await matcher.handle([record_of(moved(plan, revision, "2028-02-15")) for plan in PLANS[:size]])
        totals.append(statements(counts))
    assert totals[1] <= totals[0] + 1, totals


async def further_parts(database: AsyncEngine, plans: Sequence[PlanPublished]) -> int:
    """In how many parts but the first the pairs of these plans are settled."""
    pairs = text("SELECT count(*) FROM opportunities WHERE plan_a = ANY(:ids) OR plan_b = ANY(:ids)")
    async with database.connect() as connection:
        found = (await connection.execute(pairs, {"ids": [plan.plan_id for plan in plans]})).scalar_one()
    return (int(found) - 1) // PAIRS_AT_ONCE


async def test_new_words_are_embedded_once(database: AsyncEngine, matcher: Matcher) -> None:
    embedder = matcher.context.embedder
    assert isinstance(embedder, Counting)
    before = embedder.texts
    fresh = [
        plan.model_copy(update={"revision": 2, "title": f"Quarrying of {plan.title.lower()}"}) for plan in PLANS[:BATCH]
    ]
    titles = {plan.title for plan in fresh}
    async with counted(database) as counts:
        await matcher.handle([record_of(plan) for plan in fresh])
    assert embedder.texts - before == len(titles), "each title once; the descriptions are known"
    # All of them are about quarrying now: more pairs than one transaction settles.
    parts = await further_parts(database, fresh)
    assert statements(counts) <= 19 + 5 * parts, counts
    assert counts["trips"] <= 10 + 3 * parts, counts
