"""The matcher's steps on a real database, one at a time: crashes between them, races, wrong generations."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from events.plans import PlanPublished, PlanUpdated, PlanWithdrawn
from matching import pair_scoring
from matching.policy import Policy
from services.matcher import assessment
from services.matcher.app import adopt
from services.matcher.plan_decoding import PlanRecordAccepted, read
from services.matcher.settlement import WrongGenerationError
from services.matcher.sweeper import sweep
from services.platform.settings import Settings
from services.store import opportunities, plans
from services.store.database import transaction
from tests.pipeline import AS_OF, all_pairs, invented_plans
from tests.support.matcher import MatcherHarness, hashing_context, join_harness
from tests.support.policies import with_changes

COUNT, SUBJECTS = 240, 60


async def test_equals_an_offline_run_in_any_order_and_twice(harness: MatcherHarness) -> None:
    states = invented_plans(COUNT, SUBJECTS)
    await harness.handle(list(reversed(states)))
    expected = all_pairs(states)
    assert len(expected) > 20
    assert await harness.active() == expected
    before = await harness.rows("SELECT opportunity_id, revision, material_revision FROM opportunities ORDER BY 1")
    await harness.handle(states)
    assert (
        await harness.rows("SELECT opportunity_id, revision, material_revision FROM opportunities ORDER BY 1") == before
    )
    assert await harness.rows("SELECT count(*) FROM plan_log") == [(COUNT,)]


async def test_two_matchers_at_the_same_moment_miss_no_pair(harness: MatcherHarness) -> None:
    """Each commits its plans before it searches: whoever searches last sees the other's."""
    states = invented_plans(COUNT, SUBJECTS)
    other = join_harness(harness.sessions)
    await asyncio.gather(harness.handle(states[::2], at_once=8), other.handle(states[1::2], at_once=8))
    await sweep(harness.matcher.context, harness.sessions)
    assert await harness.active() == all_pairs(states)


async def test_a_draft_sees_what_others_wrote_before_its_locks(
    harness: MatcherHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who draft the same pair at the same moment tell of it once, and nobody undoes what the other one wrote."""
    states = invented_plans(COUNT, SUBJECTS)
    draft, late = assessment.propose_changes, [state.plan_id for state in states[-8:]]

    async def overtaken(*arguments: Any) -> Any:
        drafts = await draft(*arguments)
        monkeypatch.setattr(assessment, "propose_changes", draft)
        await assessment.assess(harness.matcher.context, harness.sessions, late)
        return drafts

    await harness.handle(states[:-8])
    monkeypatch.setattr(assessment, "propose_changes", overtaken)
    await harness.handle(states[-8:])
    assert assessment.propose_changes is draft
    assert await harness.active() == all_pairs(states)
    pairs = len(all_pairs(states))
    assert await harness.rows("SELECT count(*), max(revision) FROM opportunities") == [(pairs, 1)]
    assert await harness.rows("SELECT count(*), count(DISTINCT key) FROM outbox") == [(pairs, pairs)]


async def test_a_crash_between_recording_and_settling_is_made_good(
    harness: MatcherHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    states = invented_plans(COUNT, SUBJECTS)
    await harness.handle(states[:-8])
    with monkeypatch.context() as patched:
        patched.setattr(assessment, "settle", crash)
        with pytest.raises(KeyboardInterrupt):
            await harness.handle(states[-8:])
    assert await harness.rows("SELECT count(*) FROM plans WHERE assessed_revision < revision") == [(8,)]
    assert await harness.active() != all_pairs(states)
    assert await sweep(harness.matcher.context, harness.sessions) == 8
    assert await harness.active() == all_pairs(states)


async def test_the_newest_revision_wins_whatever_the_order(harness: MatcherHarness) -> None:
    states = invented_plans(40, 10)
    moved = [
        PlanUpdated.model_validate({**s.model_dump(), "revision": 3, "value": {"amount": 5_000_000}}) for s in states
    ]
    between = [PlanWithdrawn(plan_id=s.plan_id, revision=2, authority=s.authority) for s in states]
    await harness.handle([*moved, *between, *states])
    assert await harness.active() == all_pairs(moved)
    assert await harness.rows("SELECT DISTINCT revision, status FROM plans") == [(3, "active")]


async def test_another_generation_writes_nothing(harness: MatcherHarness, database_url: str) -> None:
    other = hashing_context(policy=with_changes(Policy.load()))
    with pytest.raises(WrongGenerationError, match="the database stands at generation"):
        await adopt(other, harness.sessions)
    stranger = join_harness(harness.sessions, other)
    with pytest.raises(WrongGenerationError):
        await stranger.handle(invented_plans(8))
    assert await harness.rows("SELECT count(*) FROM opportunities") == [(0,)]


async def test_a_plan_that_makes_scoring_fail_is_set_aside(
    harness: MatcherHarness, monkeypatch: pytest.MonkeyPatch
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
    await harness.handle(first)
    await harness.handle([s for s in states if s.plan_id == poison])
    for _ in range(plans.GIVE_UP_AFTER):
        await sweep(harness.matcher.context, harness.sessions)
    assert await harness.rows("SELECT plan_id FROM plans WHERE quarantined") == [(poison,)]
    assert await harness.active() == partner_pairs
    letters = await harness.rows("SELECT value FROM outbox WHERE topic LIKE 'dead-letters%'")
    assert [json.loads(bytes(value))["reason"] for (value,) in letters] == ["assessment-failed"]


async def test_time_alone_closes_what_it_must(harness: MatcherHarness) -> None:
    states = invented_plans(COUNT, SUBJECTS)
    await harness.handle(states)
    before = await harness.active()
    later = hashing_context(Settings(as_of=AS_OF + timedelta(days=170)))
    async with transaction(harness.sessions) as session:
        assert await opportunities.due_for_review(session, later.as_of, 1000)
    await sweep(later, harness.sessions)
    after = await harness.active()
    assert after.keys() < before.keys(), "some are past, none has come"
    async with transaction(harness.sessions) as session:
        assert await opportunities.due_for_review(session, later.as_of, 1000) == []
    # An older day never overwrites the judgement of a later one.
    async with transaction(harness.sessions) as session:
        await session.execute(text("UPDATE plans SET assessed_revision = 0"))
    await sweep(harness.matcher.context, harness.sessions)
    assert await harness.active() == after


async def test_a_change_of_dates_embeds_nothing_again(harness: MatcherHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    states = invented_plans(16)
    await harness.handle(states)
    embedded: list[str] = []
    embed = harness.matcher.context.embedder.embed

    def counting(texts: Sequence[str]) -> Any:
        embedded.extend(texts)
        return embed(texts)

    monkeypatch.setattr(type(harness.matcher.context.embedder), "embed", lambda _, texts: counting(texts))
    window = {"earliest": "2027-10-01", "latest": "2028-01-31"}
    await harness.handle(
        [PlanUpdated.model_validate({**s.model_dump(), "revision": 2, "tender_window": window}) for s in states]
    )
    assert embedded == []


def test_the_sample_record_is_one_that_the_matcher_reads() -> None:
    harness = MatcherHarness(matcher=None, sessions=None)  # type: ignore[arg-type]
    (record,) = harness.records([PlanPublished.model_validate(invented_plans(1)[0].model_dump())])
    assert isinstance(read(record, datetime.now(UTC)), PlanRecordAccepted)
