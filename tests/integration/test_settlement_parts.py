"""A settlement with more pairs than one transaction takes: in parts, with crashes and newer revisions between them."""

from typing import Any, Final

import pytest

from events.plans import PlanPublished, PlanUpdated
from services.matcher import assessment, settlement
from services.matcher.quarantine import count_failure
from services.matcher.settlement import SettlementPart
from services.matcher.sweeper import sweep
from services.store import plans
from services.store.mapping import plan_from_payload
from tests.pipeline import all_pairs, record_of
from tests.support.matcher import MatcherHarness, join_harness

CAMDEN, LEEDS = "E09000007", "E08000035"
AT_ONCE: Final = 5


def alike(authority: str, count: int) -> list[PlanPublished]:
    """Plans of one authority that match each plan of another."""
    plan = {
        "authority": authority,
        "revision": 1,
        "title": "School catering services",
        "description": "Cooked lunches for primary schools, with kitchens and staff.",
        "kind": "renewal",
        "cpv": ["55524000"],
        "value": {"amount": 400_000},
        "tender_window": {"earliest": "2027-06-01", "latest": "2027-09-30"},
    }
    return [PlanPublished.model_validate({**plan, "plan_id": f"{authority}:c-{number:03}"}) for number in range(count)]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[SettlementPart]:
    """The parts that are settled, five pairs each at most."""
    found: list[SettlementPart] = []
    settle = assessment.settle

    async def noted(session: Any, part: SettlementPart, *others: Any) -> None:
        found.append(part)
        await settle(session, part, *others)

    monkeypatch.setattr(settlement, "PAIRS_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(assessment, "settle", noted)
    return found


async def unmatched(harness: MatcherHarness) -> int:
    ((count,),) = await harness.rows("SELECT count(*) FROM plans WHERE assessed_revision < revision")
    return int(count)


async def told_once(harness: MatcherHarness, pairs: int) -> None:
    assert await harness.rows("SELECT count(*), max(revision) FROM opportunities") == [(pairs, 1)]
    assert await harness.rows("SELECT count(*), count(DISTINCT key) FROM outbox") == [(pairs, pairs)]


async def test_no_transaction_settles_more_pairs_than_it_may(
    harness: MatcherHarness, parts: list[SettlementPart]
) -> None:
    states = [*alike(CAMDEN, 6), *alike(LEEDS, 7)]
    await harness.handle(states)
    assert await harness.active() == all_pairs(states)
    assert [len(part.pairs) for part in parts] == [AT_ONCE] * 8 + [2]
    assert sorted(j.plan.plan.plan_id for part in parts for j in part.complete) == sorted(s.plan_id for s in states)
    assert await unmatched(harness) == 0
    await told_once(harness, 6 * 7)


async def test_a_crash_between_two_parts_is_made_good_by_the_sweeper(
    harness: MatcherHarness, parts: list[SettlementPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash() -> None:
        if len(parts) == 4:
            raise KeyboardInterrupt

    states = [*alike(CAMDEN, 13), *alike(LEEDS, 2)]
    await harness.handle(states[:-2])
    parts.clear()
    with monkeypatch.context() as patched:
        patched.setattr(assessment, "let_others_in", crash)
        with pytest.raises(KeyboardInterrupt):
            await harness.handle(states[-2:])
    assert len(await harness.active()) == 20, "four parts of five"
    assert await unmatched(harness) == 1, "one plan has all of its 13 pairs, the other has not"
    assert await sweep(harness.matcher.context, harness.sessions) == 1
    assert await harness.active() == all_pairs(states)
    assert await unmatched(harness) == 0
    await told_once(harness, 13 * 2)


async def test_the_batch_that_comes_again_after_a_crash_finishes_it(
    harness: MatcherHarness, parts: list[SettlementPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash() -> None:
        raise ConnectionError

    states = [*alike(CAMDEN, 13), *alike(LEEDS, 1)]
    await harness.handle(states[:-1])
    records = harness.records(states[-1:])
    with monkeypatch.context() as patched:
        patched.setattr(assessment, "let_others_in", crash)
        with pytest.raises(ConnectionError):
            await harness.matcher.handle(records)
    await harness.matcher.handle(records)
    assert await harness.active() == all_pairs(states)
    assert await unmatched(harness) == 0
    await told_once(harness, 13)


async def test_a_newer_revision_abandons_the_parts_that_are_left(
    harness: MatcherHarness, parts: list[SettlementPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes between the first two parts, at another matcher."""
    other = join_harness(harness.sessions)
    states = [*alike(CAMDEN, 23), *alike(LEEDS, 1)]
    newer = PlanUpdated.model_validate({**states[-1].model_dump(), "revision": 2, "value": {"amount": 900_000}})
    theirs: list[SettlementPart] = []

    async def overtaken() -> None:
        monkeypatch.setattr(assessment, "let_others_in", let_others_in)
        mine = parts.copy()
        await other.matcher.handle([record_of(newer)])
        theirs.extend(parts[len(mine) :])

    let_others_in = assessment.let_others_in
    await harness.handle(states[:-1])
    parts.clear()
    monkeypatch.setattr(assessment, "let_others_in", overtaken)
    await harness.handle(states[-1:])
    ours = [part for part in parts if part not in theirs]
    assert [len(part.pairs) for part in theirs] == [5, 5, 5, 5, 3]
    assert [len(part.pairs) for part in ours] == [5, 5, 0, 0, 0], "the second one finds it out, the others are left"
    assert await harness.active() == all_pairs([*states[:-1], newer])
    assert await harness.rows("SELECT DISTINCT revision_a, revision_b FROM opportunities") == [(2, 1)]
    assert await harness.rows(f"SELECT assessed_revision FROM plans WHERE plan_id = '{newer.plan_id}'") == [(2,)]


async def test_a_plan_with_many_opportunities_is_set_aside_in_parts(
    harness: MatcherHarness, parts: list[SettlementPart]
) -> None:
    states = [*alike(CAMDEN, 13), *alike(LEEDS, 2)]
    poison = states[-1].plan_id
    await harness.handle(states)
    for _ in range(plans.GIVE_UP_AFTER):
        await count_failure(harness.sessions, plan_from_payload(states[-1]))
    sizes = await harness.rows(
        "SELECT count(*) FROM opportunities WHERE status = 'withdrawn' GROUP BY CAST(xmin AS text) ORDER BY 1"
    )
    assert sizes == [(3,), (5,), (5,)]
    assert await harness.rows("SELECT plan_id FROM plans WHERE quarantined") == [(poison,)]
    assert await harness.active() == {pair: v for pair, v in all_pairs(states).items() if poison not in pair}
    assert await harness.rows("SELECT count(*) FROM outbox WHERE topic LIKE 'dead-letters%'") == [(1,)]
