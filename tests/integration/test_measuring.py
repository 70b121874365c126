"""What matchers measure is seen also while nothing can be assessed, and by those that do not sweep."""

from sqlalchemy import text

from services.matcher.database_metrics import measure_pending
from services.matcher.sweeper import sweep
from services.platform import metrics
from services.store import advisory_locks
from services.store.database import transaction
from tests.support.matcher import MatcherHarness
from tests.support.payroll_plans import plan


async def test_pending_plans_are_counted_while_another_matcher_sweeps(harness: MatcherHarness) -> None:
    await harness.handle([plan("HR-1"), plan("HR-2")])
    async with transaction(harness.sessions) as session:
        await session.execute(text("UPDATE plans SET assessed_revision = 0"))
    async with transaction(harness.sessions) as other:
        assert await advisory_locks.try_advisory_lock(other, advisory_locks.SWEEP)
        await sweep(harness.matcher.context, harness.sessions)
        await measure_pending(harness.sessions)
        assert metrics.PENDING_PLANS._value.get() == 2
    await sweep(harness.matcher.context, harness.sessions)
    await measure_pending(harness.sessions)
    assert metrics.PENDING_PLANS._value.get() == 0
