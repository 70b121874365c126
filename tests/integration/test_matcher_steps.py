"""The matcher's steps on a real database, one at a time: crashes between them, races, wrong generations."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from events.plans import PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn
from matching import pair_scoring
from matching.encoders.loading import load_embedder
from matching.engine import Engine
from matching.policy import Policy
from services.matcher import assessment
from services.matcher.app import adopt
from services.matcher.batch_handler import Matcher
from services.matcher.context import MatcherContext
from services.matcher.plan_decoding import PlanRecordAccepted, read
from services.matcher.settlement import WrongGenerationError
from services.matcher.sweeper import sweep
from services.platform.settings import Settings
from services.store import opportunities, plans
from services.store.database import Sessions, make_engine, make_sessions, transaction
from tests.pipeline import AS_OF, all_pairs, invented_plans, record_of
from tests.support.policies import with_changes

COUNT, SUBJECTS = 240, 60


@dataclass
class Rig:
    """A matcher without Kafka: events are handed to it as records."""

    matcher: Matcher
    sessions: Sessions
    offset: int = 0
    refused: list[Any] = field(default_factory=list)

    def records(self, payloads: Sequence[PlanPayload]) -> list[Any]:
        made = []
        for payload in payloads:
            self.offset += 1
            made.append(record_of(payload, self.offset))
        return made

    async def handle(self, payloads: Sequence[PlanPayload], at_once: int = 32) -> None:
        for start in range(0, len(payloads), at_once):
            await self.matcher.handle(self.records(payloads[start : start + at_once]))

    async def rows(self, statement: str) -> list[Any]:
        async with self.sessions() as session:
            return list(await session.execute(text(statement)))

    async def active(self) -> dict[tuple[str, str], tuple[float, str]]:
        rows = await self.rows("SELECT plan_a, plan_b, score, band FROM opportunities WHERE status = 'active'")
        return {(a, b): (score, band) for a, b, score, band in rows}


def context_of(settings: Settings, policy: Policy | None = None) -> MatcherContext:
    embedder = load_embedder("hashing")
    return MatcherContext(Engine.load(policy=policy, model=embedder.model), embedder, settings)


@pytest_asyncio.fixture
async def rig(database_url: str) -> AsyncIterator[Rig]:
    engine = make_engine(database_url)
    sessions = make_sessions(engine)
    context = context_of(Settings(as_of=AS_OF))
    await adopt(context, sessions)
    yield Rig(Matcher(context, sessions, producer=None), sessions)  # type: ignore[arg-type]
    await engine.dispose()


async def test_equals_an_offline_run_in_any_order_and_twice(rig: Rig) -> None:
    states = invented_plans(COUNT, SUBJECTS)
    await rig.handle(list(reversed(states)))
    expected = all_pairs(states)
    assert len(expected) > 20
    assert await rig.active() == expected
    before = await rig.rows("SELECT opportunity_id, revision, material_revision FROM opportunities ORDER BY 1")
    await rig.handle(states)
    assert await rig.rows("SELECT opportunity_id, revision, material_revision FROM opportunities ORDER BY 1") == before
    assert await rig.rows("SELECT count(*) FROM plan_log") == [(COUNT,)]


async def test_two_matchers_at_the_same_moment_miss_no_pair(rig: Rig) -> None:
    """Each commits its plans before it searches: whoever searches last sees the other's."""
    states = invented_plans(COUNT, SUBJECTS)
    other = Rig(Matcher(context_of(Settings(as_of=AS_OF)), rig.sessions, producer=None), rig.sessions)  # type: ignore[arg-type]
    await asyncio.gather(rig.handle(states[::2], at_once=8), other.handle(states[1::2], at_once=8))
    await sweep(rig.matcher.context, rig.sessions)
    assert await rig.active() == all_pairs(states)


async def test_what_others_write_of_a_pair_between_its_draft_and_its_locks_is_seen(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who draft the same pair at the same moment tell of it once, and nobody undoes what the other one wrote."""
    states = invented_plans(COUNT, SUBJECTS)
    draft, late = assessment.propose_changes, [state.plan_id for state in states[-8:]]

    async def overtaken(*arguments: Any) -> Any:
        drafts = await draft(*arguments)
        monkeypatch.setattr(assessment, "propose_changes", draft)
        await assessment.assess(rig.matcher.context, rig.sessions, late)
        return drafts

    await rig.handle(states[:-8])
    monkeypatch.setattr(assessment, "propose_changes", overtaken)
    await rig.handle(states[-8:])
    assert assessment.propose_changes is draft
    assert await rig.active() == all_pairs(states)
    pairs = len(all_pairs(states))
    assert await rig.rows("SELECT count(*), max(revision) FROM opportunities") == [(pairs, 1)]
    assert await rig.rows("SELECT count(*), count(DISTINCT key) FROM outbox") == [(pairs, pairs)]


async def test_a_crash_between_recording_and_settling_is_made_good(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    states = invented_plans(COUNT, SUBJECTS)
    await rig.handle(states[:-8])
    with monkeypatch.context() as patched:
        patched.setattr(assessment, "settle", crash)
        with pytest.raises(KeyboardInterrupt):
            await rig.handle(states[-8:])
    assert await rig.rows("SELECT count(*) FROM plans WHERE assessed_revision < revision") == [(8,)]
    assert await rig.active() != all_pairs(states)
    assert await sweep(rig.matcher.context, rig.sessions) == 8
    assert await rig.active() == all_pairs(states)


async def test_the_newest_revision_wins_whatever_the_order(rig: Rig) -> None:
    states = invented_plans(40, 10)
    moved = [
        PlanUpdated.model_validate({**s.model_dump(), "revision": 3, "value": {"amount": 5_000_000}}) for s in states
    ]
    between = [PlanWithdrawn(plan_id=s.plan_id, revision=2, authority=s.authority) for s in states]
    await rig.handle([*moved, *between, *states])
    assert await rig.active() == all_pairs(moved)
    assert await rig.rows("SELECT DISTINCT revision, status FROM plans") == [(3, "active")]


async def test_another_generation_writes_nothing(rig: Rig, database_url: str) -> None:
    other = context_of(Settings(as_of=AS_OF), with_changes(Policy.load()))
    with pytest.raises(WrongGenerationError, match="the database stands at generation"):
        await adopt(other, rig.sessions)
    stranger = Rig(Matcher(other, rig.sessions, producer=None), rig.sessions)  # type: ignore[arg-type]
    with pytest.raises(WrongGenerationError):
        await stranger.handle(invented_plans(8))
    assert await rig.rows("SELECT count(*) FROM opportunities") == [(0,)]


async def test_a_plan_that_makes_scoring_fail_is_set_aside_and_its_neighbours_go_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = invented_plans(COUNT, SUBJECTS)
    poison = next(a for a, _ in sorted(all_pairs(states)))
    partner_pairs = {pair: v for pair, v in all_pairs(states).items() if poison not in pair}
    judge = pair_scoring.score_pair

    def failing(a: Any, b: Any, as_of: date, policy: Policy, *alike: Any) -> Any:
        if poison in (a.plan.plan_id, b.plan.plan_id):
            raise ZeroDivisionError
        return judge(a, b, as_of, policy, *alike)

    monkeypatch.setattr("matching.engine.score_pair", failing)
    first = [s for s in states if s.plan_id != poison]
    await rig.handle(first)
    await rig.handle([s for s in states if s.plan_id == poison])
    for _ in range(plans.GIVE_UP_AFTER):
        await sweep(rig.matcher.context, rig.sessions)
    assert await rig.rows("SELECT plan_id FROM plans WHERE quarantined") == [(poison,)]
    assert await rig.active() == partner_pairs
    letters = await rig.rows("SELECT value FROM outbox WHERE topic LIKE 'dead-letters%'")
    assert [json.loads(bytes(value))["reason"] for (value,) in letters] == ["assessment-failed"]


async def test_time_alone_closes_what_it_must(rig: Rig) -> None:
    states = invented_plans(COUNT, SUBJECTS)
    await rig.handle(states)
    before = await rig.active()
    later = context_of(Settings(as_of=AS_OF + timedelta(days=170)))
    async with transaction(rig.sessions) as session:
        assert await opportunities.due_for_review(session, later.as_of, 1000)
    await sweep(later, rig.sessions)
    after = await rig.active()
    assert after.keys() < before.keys(), "some are past, none has come"
    async with transaction(rig.sessions) as session:
        assert await opportunities.due_for_review(session, later.as_of, 1000) == []
    # An older day never overwrites the judgement of a later one.
    async with transaction(rig.sessions) as session:
        await session.execute(text("UPDATE plans SET assessed_revision = 0"))
    await sweep(rig.matcher.context, rig.sessions)
    assert await rig.active() == after


async def test_a_change_of_dates_embeds_nothing_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    states = invented_plans(16)
    await rig.handle(states)
    embedded: list[str] = []
    embed = rig.matcher.context.embedder.embed

    def counting(texts: Sequence[str]) -> Any:
        embedded.extend(texts)
        return embed(texts)

    monkeypatch.setattr(type(rig.matcher.context.embedder), "embed", lambda _, texts: counting(texts))
    window = {"earliest": "2027-10-01", "latest": "2028-01-31"}
    await rig.handle(
        [PlanUpdated.model_validate({**s.model_dump(), "revision": 2, "tender_window": window}) for s in states]
    )
    assert embedded == []


def test_the_sample_record_is_one_that_the_matcher_reads() -> None:
    rig = Rig(matcher=None, sessions=None)  # type: ignore[arg-type]
    (record,) = rig.records([PlanPublished.model_validate(invented_plans(1)[0].model_dump())])
    assert isinstance(read(record, datetime.now(UTC)), PlanRecordAccepted)
