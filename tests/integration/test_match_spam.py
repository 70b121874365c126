"""Copies of somebody's plan are seen: counted, and named in the log once."""

from structlog.testing import capture_logs

from events.plans import PlanPublished, PlanWithdrawn
from services.matcher.database_metrics import SPAM_PAIR_THRESHOLD, Reported, measure_reach
from services.platform import metrics
from tests.support.matcher import MatcherHarness
from tests.support.payroll_plans import BARNET, plan


def counts() -> tuple[float, float]:
    return metrics.PLAN_OPPORTUNITIES_MAX._value.get(), metrics.PLAN_PARTNER_OPPORTUNITIES_MAX._value.get()


async def test_copies_of_a_plan_are_counted_and_named(harness: MatcherHarness) -> None:
    reported = Reported()
    victim = plan("HR-1")
    copies: list[PlanPublished] = [plan(f"C-{number}", BARNET) for number in range(SPAM_PAIR_THRESHOLD)]
    await harness.handle([victim, *copies[:-1]])
    with capture_logs() as logged:
        await measure_reach(harness.sessions, reported)
    assert (counts(), logged) == ((SPAM_PAIR_THRESHOLD - 1, SPAM_PAIR_THRESHOLD - 1), [])
    await harness.handle(copies[-1:])
    with capture_logs() as logged:
        for _ in range(2):
            await measure_reach(harness.sessions, reported)
    assert counts() == (SPAM_PAIR_THRESHOLD, SPAM_PAIR_THRESHOLD)
    assert [(line["plan_id"], line["partner"], line["opportunities"]) for line in logged] == [
        (victim.plan_id, BARNET, SPAM_PAIR_THRESHOLD)
    ]
    await harness.handle([PlanWithdrawn(plan_id=copy.plan_id, revision=2, authority=BARNET) for copy in copies])
    await measure_reach(harness.sessions, reported)
    assert counts() == (0, 0)
