"""A rebuild's swap beside matchers that go on: each waits for the other, and what is newer stands.

The swap reads what stands, finds that nothing has moved since it was compared, and writes. Whoever got in between would
be written over; here somebody always tries to, brought to that moment by a barrier.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from events.plans import PlanState, PlanUpdated
from services.maintenance import apply_rebuild
from services.maintenance.apply_rebuild import RebuildApplied
from services.maintenance.rebuild import RebuildReport, compare
from services.matcher import assessment
from services.matcher.assessment import match
from services.matcher.sweeper import sweep
from services.store import opportunities as store
from services.store import plan_log, shadow_tables
from services.store.database import make_engine, make_sessions, transaction
from tests.chaos.stream import CANARIES, canary
from tests.pipeline import AS_OF, all_pairs
from tests.support.matcher import MatcherHarness, make_harness

PATIENCE = 30
"""Seconds after which something that ought to come has not; nothing is measured by it."""
SPOILT_PLAN = f"UPDATE plans SET state = jsonb_set(state, '{{title}}', '\"Gravel\"') WHERE plan_id = '{CANARIES[0]}'"
SPOILT_PAIR = "UPDATE opportunities SET score = 12.5, content_hash = ''"


@pytest_asyncio.fixture
async def rig(database_url: str) -> AsyncIterator[MatcherHarness]:
    """A matcher on a database where the two canaries are a pair."""
    engine = make_engine(database_url, pool=10)
    made = await make_harness(make_sessions(engine))
    await made.handle([canary(plan_id, 1) for plan_id in CANARIES])
    assert len(await made.active()) == 1
    yield made
    await engine.dispose()


@dataclass
class Held:
    """A place between two steps, where the first that comes is held."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def after(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def held(*args: Any, **kwargs: Any) -> Any:
            done = await step(*args, **kwargs)
            await self._hold()
            return done

        return held

    def before(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def held(*args: Any, **kwargs: Any) -> Any:
            await self._hold()
            return await step(*args, **kwargs)

        return held

    async def _hold(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()


async def spoil(rig: MatcherHarness, statement: str) -> None:
    async with transaction(rig.sessions) as session:
        await session.execute(text(statement))


async def meet(
    rig: MatcherHarness, held: Held, first: Awaitable[Any], second: Callable[[], Awaitable[Any]]
) -> list[Any]:
    """Starts `second` when `first` is held, and lets `first` go once `second` waits for it, or has got past."""
    tasks = [asyncio.ensure_future(first)]
    async with asyncio.timeout(PATIENCE):
        reached = asyncio.ensure_future(held.reached.wait())
        await asyncio.wait([tasks[0], reached], return_when=asyncio.FIRST_COMPLETED)
        if not held.reached.is_set():
            reached.cancel()
            raise AssertionError(f"never came to the place: {tasks[0]}")
        tasks.append(asyncio.ensure_future(second()))
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while not (tasks[1].done() or await rig.rows(waiting)):
            await asyncio.sleep(0.02)
        held.go_on.set()
        return await asyncio.gather(*tasks)


async def compared(rig: MatcherHarness, then: Callable[[RebuildReport], Awaitable[Any]]) -> Any:
    """Compares what stands with the log, and does something with what was found while the view is open."""
    async with transaction(rig.sessions, isolation="REPEATABLE READ") as view:
        found = await compare(rig.matcher.context, rig.sessions, view, AS_OF, lambda *_: None)
        return await then(found)


async def assert_stands(rig: MatcherHarness, first: PlanState) -> None:
    """These revisions stand, everywhere; nothing differs from the log; no revision of the pair is told twice."""
    await sweep(rig.matcher.context, rig.sessions)
    states = [first, canary(CANARIES[1], 1)]
    rows = await rig.rows("SELECT plan_id, revision, assessed_revision FROM plans ORDER BY plan_id")
    assert rows == [(state.plan_id, state.revision, state.revision) for state in states]
    assert await rig.active() == all_pairs(states)

    async def equal(found: RebuildReport) -> bool:
        return found.equal

    assert await compared(rig, equal)
    told = await rig.rows("SELECT convert_from(value, 'UTF8')::jsonb -> 'revision' FROM outbox ORDER BY id")
    current = await rig.rows("SELECT revision FROM opportunities")
    assert [number for (number,) in told] == list(range(1, current[0][0] + 1))


SECOND = PlanUpdated.model_validate(
    {**canary(CANARIES[0], 2).model_dump(), "tender_window": {"earliest": "2027-07-01", "latest": "2027-11-30"}}
)


async def test_a_revision_recorded_behind_a_swap_waits_for_it(
    rig: MatcherHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The swap has looked at the plan and not written it yet."""
    await spoil(rig, SPOILT_PLAN)
    held = Held()
    monkeypatch.setattr(shadow_tables, "ids_in_log", held.after(shadow_tables.ids_in_log))

    async def together(found: RebuildReport) -> list[Any]:
        return await meet(rig, held, apply_rebuild.apply_rebuild(rig.sessions, found), lambda: rig.handle([SECOND]))

    done, _ = await compared(rig, together)
    assert done == RebuildApplied(plans=1)
    await assert_stands(rig, SECOND)


async def test_a_swap_waits_for_a_revision_that_is_being_recorded(
    rig: MatcherHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revision is written and not committed: the swap must not take the older one for what stands."""
    await spoil(rig, SPOILT_PLAN)
    held = Held()
    monkeypatch.setattr(plan_log, "append_revisions", held.after(plan_log.append_revisions))

    async def together(found: RebuildReport) -> list[Any]:
        return await meet(rig, held, rig.handle([SECOND]), lambda: apply_rebuild.apply_rebuild(rig.sessions, found))

    _, done = await compared(rig, together)
    assert done == RebuildApplied(), "it has moved on"
    await assert_stands(rig, SECOND)


async def test_a_pair_settled_behind_a_swap_waits_for_it(rig: MatcherHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The swap has looked at the pair and not written it yet; a matcher has judged it once more meanwhile."""
    await spoil(rig, SPOILT_PAIR)
    held = Held()

    async def together(found: RebuildReport) -> list[Any]:
        monkeypatch.setattr(store, "get_many", held.after(store.get_many))
        return await meet(rig, held, apply_rebuild.apply_rebuild(rig.sessions, found), lambda: judged_again(rig))

    done, _ = await compared(rig, together)
    assert done == RebuildApplied(pairs=1)
    await assert_stands(rig, canary(CANARIES[0], 1))


async def test_a_swap_waits_for_a_pair_that_is_being_settled(
    rig: MatcherHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who settles has looked at the pair and not written it yet; the swap leaves to it what it was about to replace."""
    await spoil(rig, SPOILT_PAIR)
    held = Held()

    async def together(found: RebuildReport) -> list[Any]:
        monkeypatch.setattr(assessment, "settle", held.before(assessment.settle))
        return await meet(rig, held, judged_again(rig), lambda: apply_rebuild.apply_rebuild(rig.sessions, found))

    _, done = await compared(rig, together)
    assert done == RebuildApplied(moved_on=1)
    await assert_stands(rig, canary(CANARIES[0], 1))


async def judged_again(rig: MatcherHarness) -> None:
    """What the sweeper does with a plan whose day has come: no new revision, the pair settled once more."""
    await match(rig.matcher.context, rig.sessions, [CANARIES[0]])
