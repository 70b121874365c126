"""Withdrawals that can't take effect are seen once; what can never be corrected is not taken."""

from typing import Any, cast

import pytest
import pytest_asyncio
from sqlalchemy import text

from events.cloudevents import decode
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetter, DeadLetterReason
from events.plans import PlanAwarded, PlanPayload, PlanUpdated, PlanWithdrawn
from events.topics import DEAD_PLANS
from services.matcher.batch_handler import Matcher
from services.store.database import Sessions
from services.store.outbox import Outbox
from tests.pipeline import invented_plans, record_of
from tests.support.matcher import make_matcher


@pytest_asyncio.fixture
async def matcher(sessions: Sessions) -> Matcher:
    return await make_matcher(sessions)


async def take(matcher: Matcher, *payloads: PlanPayload, offset: int = 0) -> None:
    await matcher.handle([record_of(payload, offset + number) for number, payload in enumerate(payloads)])


async def letters(sessions: Sessions) -> list[DeadLetter]:
    async with sessions() as session:
        rows = await session.execute(text("SELECT id FROM outbox WHERE topic = :topic"), {"topic": DEAD_PLANS.name})
        found = [await session.get(Outbox, number) for (number,) in rows]
    messages = [row.message() for row in found if row is not None]
    return [cast(DeadLetter, decode(m.headers, m.value, DEAD_LETTER_PAYLOADS).payload) for m in messages]


def updated(revision: int) -> PlanUpdated:
    (plan,) = invented_plans(1, 1)
    return PlanUpdated.model_validate(plan.model_dump() | {"revision": revision})


def ended(kind: type[PlanWithdrawn] | type[PlanAwarded], revision: int, **fields: Any) -> PlanWithdrawn | PlanAwarded:
    plan = updated(1)
    return kind(plan_id=plan.plan_id, revision=revision, authority=plan.authority, **fields)


@pytest.mark.parametrize("kind", [PlanWithdrawn, PlanAwarded])
async def test_a_superseded_ending_is_one_dead_letter(
    matcher: Matcher, sessions: Sessions, kind: type[PlanWithdrawn] | type[PlanAwarded]
) -> None:
    late = ended(kind, 4, reason="Somebody's words") if kind is PlanWithdrawn else ended(kind, 4)
    await take(matcher, updated(9))
    await take(matcher, late, offset=10)
    await take(matcher, late, offset=20)
    (letter,) = await letters(sessions)
    assert letter.reason is DeadLetterReason.SUPERSEDED_WITHDRAWAL
    assert "revision 4" in letter.detail
    assert "stands at 9" in letter.detail
    assert letter.origin.offset == 10
    assert b"Somebody" not in (letter.value or b""), "the plan log has the content"


async def test_a_valid_ending_is_no_dead_letter(matcher: Matcher, sessions: Sessions) -> None:
    await take(matcher, ended(PlanWithdrawn, 4), updated(3), ended(PlanWithdrawn, 2), ended(PlanAwarded, 5))
    await take(matcher, updated(6), ended(PlanWithdrawn, 7), ended(PlanWithdrawn, 1), offset=10)
    assert await letters(sessions) == []
