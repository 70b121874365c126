"""Directed schedules at the database: a barrier, never luck, brings two to the worst moment.

Each of these turns red for one of the seeded bugs in `mutants.py`.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from events.plans import PlanUpdated, PlanWithdrawn
from matching.engine import Engine
from services.local_stack.mail_sink import MailSink
from services.matcher import assessment
from services.matcher.sweeper import sweep
from services.notifier import event_handler
from services.store import intents, plan_log
from services.store.database import make_engine, make_sessions
from tests.chaos.stream import CANARIES, canary
from tests.chaos.waiting import PATIENCE, until
from tests.pipeline import all_pairs
from tests.support.matcher import MatcherHarness, join_harness, make_harness
from tests.support.notifier import NotifierHarness
from tests.unit.notifier.making import CAMDEN, LEEDS, state


@pytest_asyncio.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = make_engine(database_url, pool=10)
    yield made
    await made.dispose()


@pytest_asyncio.fixture
async def rigs(engine: AsyncEngine) -> tuple[MatcherHarness, MatcherHarness]:
    """Two matchers on one database."""
    sessions = make_sessions(engine)
    return await make_harness(sessions), join_harness(sessions)


async def test_two_plans_recorded_at_the_same_moment_find_each_other(
    rigs: tuple[MatcherHarness, MatcherHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have written and neither has committed: whoever searches now sees nothing of the other."""
    barrier = asyncio.Barrier(2)
    record = plan_log.append_revisions

    async def together(*args: Any) -> Any:
        done = await record(*args)
        await barrier.wait()
        return done

    monkeypatch.setattr(plan_log, "append_revisions", together)
    # Other words: of two that embed the same text, the second would wait for the first at the database.
    words = {"title": "Renewal of the lighthouse lantern", "description": "The lantern, lens and fog signal."}
    states = [canary(CANARIES[0], 1), canary(CANARIES[1], 1).model_copy(update=words)]
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(rig.handle([item]) for rig, item in zip(rigs, states, strict=True)))
    expected = all_pairs(states)
    assert len(expected) == 1
    assert await rigs[0].active() == expected


async def test_a_partner_that_ends_while_the_pair_is_being_settled_takes_it_along(
    rigs: tuple[MatcherHarness, MatcherHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pair's second transaction has looked at its partner, not written yet; the partner's withdrawal comes."""
    ours, theirs = rigs
    await theirs.handle([canary(CANARIES[1], 1)])
    reached, go_on = asyncio.Event(), asyncio.Event()
    settle = assessment.settle

    async def stopping(*args: Any) -> None:
        if not reached.is_set():
            reached.set()
            await go_on.wait()
        await settle(*args)

    monkeypatch.setattr(assessment, "settle", stopping)
    settling = asyncio.create_task(ours.handle([canary(CANARIES[0], 1)]))
    async with asyncio.timeout(PATIENCE):
        await reached.wait()
    gone = PlanWithdrawn(plan_id=CANARIES[1], revision=2, authority=CANARIES[1].split(":")[0])
    ending = asyncio.create_task(theirs.handle([gone]))

    async def ended_or_waiting() -> bool:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return ending.done() or bool(await ours.rows(waiting))

    await until(ended_or_waiting)
    go_on.set()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(settling, ending)
    await sweep(ours.matcher.context, ours.sessions)
    assert await ours.active() == {}, "its partner is gone"


async def test_what_was_not_retrieved_is_judged_and_stays(
    rigs: tuple[MatcherHarness, MatcherHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search may miss a partner, by design where there are many plans: that alone ends nothing."""
    rig, _ = rigs
    await rig.handle([canary(plan_id, 1) for plan_id in CANARIES])
    before = await rig.active()
    assert len(before) == 1
    monkeypatch.setattr(Engine, "candidates", lambda *_: iter(()))
    later = PlanUpdated.model_validate({**canary(CANARIES[0], 2).model_dump(), "value": {"amount": 410_000}})
    await rig.handle([later])
    assert (await rig.active()).keys() == before.keys()
    assert await rig.rows("SELECT revision_a FROM opportunities") == [(2,)], "judged anew"


async def test_two_notifiers_with_one_event_make_one_intent_a_reader(
    engine: AsyncEngine, mailbox: MailSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked, and found that nobody was told yet."""
    notifier = NotifierHarness(make_sessions(engine), mailbox)
    await notifier.register(LEEDS, CAMDEN)
    await notifier.stands(state())
    barrier = asyncio.Barrier(2)
    add = intents.add

    async def together(*args: Any) -> int:
        await barrier.wait()
        return await add(*args)

    monkeypatch.setattr(intents, "add", together)
    told = [event_handler.OpportunityEvent("event", state(), cast(Any, None))]
    async with asyncio.timeout(PATIENCE):
        refused = await asyncio.gather(
            *(event_handler.record_intents(notifier.sessions, told, notifier.now, 60) for _ in range(2))
        )
    assert refused == [[], []]
    assert len(await notifier.intents()) == 2
