"""What a sweep does with many requests and holders, and what a council's home page reads of the questions."""

from collections.abc import Sequence

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.application.enquiries import EnquiryRecord, list_waiting
from services.local_stack.mail_sink import MailSink
from services.store import benchmark_enquiries
from services.store.database import transaction
from tests.support.coalitions import AS_OF, BRADFORD, KIRKLEES, LEEDS, withdrawal
from tests.support.contracts import contract
from tests.support.enquiries import EnquiryScene, holding, make_scene
from tests.support.extensions import extension
from tests.support.statements import statements

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def scene(database: AsyncEngine, mailbox: MailSink) -> EnquiryScene:
    return await make_scene(database, mailbox)


async def questions(scene: EnquiryScene, authority: str) -> Sequence[EnquiryRecord]:
    """The questions on a council's home page."""
    async with scene.harness.sessions() as session:
        return await list_waiting(session, authority, AS_OF)


async def test_requests_of_one_sweep_are_spread_over_the_holders(scene: EnquiryScene) -> None:
    codes = [f"E090000{number:02}" for number in range(1, 11)]
    await scene.notifier.register(*codes)
    await scene.contracts.handle(*(contract(code) for code in codes))
    others = [extension(plan_id=f"{LEEDS}:HR-EXT-{number}") for number in (2, 3)]
    await scene.harness.publish(extension(), *others)
    await scene.sweep()
    rows = await scene.harness.rows("SELECT count(*) FROM benchmark_enquiries GROUP BY authority ORDER BY 1")
    assert [count for (count,) in rows] == [2] * 6 + [3] * 4, "24 questions to ten councils"


async def test_a_withdrawn_plan_asks_nobody(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension())
    await scene.sweep()
    assert len(await questions(scene, BRADFORD)) == 1
    await scene.harness.publish(withdrawal(LEEDS))
    await scene.contracts.handle(contract(KIRKLEES))
    await scene.sweep()
    assert await scene.asked() == [BRADFORD]
    assert await questions(scene, BRADFORD) == []


async def test_many_questions_cost_the_home_page_no_more_queries(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    counts = []
    for number in (1, 2):
        await scene.harness.publish(*(extension(plan_id=f"{LEEDS}:HR-EXT-{number}{one}") for one in range(3)))
        await scene.sweep()
        with statements(scene.engine) as said:
            assert len(await questions(scene, BRADFORD)) == 3 * number
        counts.append(len(said))
    assert counts[0] == counts[1]
    async with transaction(scene.harness.sessions) as session:
        await session.execute(text("UPDATE benchmark_enquiries SET answer = 'withheld'"))
    with statements(scene.engine) as said:
        assert await questions(scene, BRADFORD) == []
    assert not any("FROM plans" in one for one in said), "what is answered or over is left out first"


async def test_holders_are_found_by_indexes(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension(), extension(plan_id=f"{LEEDS}:HR-EXT-2"), holding(KIRKLEES))
    with statements(scene.engine) as said:
        await scene.sweep()
    assert sum("FROM authority_mutes" in one for one in said) == 1
    async with scene.harness.sessions() as session:
        # Tables as small as these are read whole unless that is forbidden.
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        await session.execute(text("SET LOCAL enable_indexscan = off"))
        for statement in (benchmark_enquiries._CONTRACTS, benchmark_enquiries._PLANS):
            given = {"categories": ["48450"], "today": AS_OF}
            used = {name: given[name] for name in statement.compile().params}
            explained = await session.execute(text(f"EXPLAIN {statement.text}"), used)
            assert 'Index Cond: ("left"(' in "\n".join(explained.scalars())
