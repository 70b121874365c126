"""Gauges that every matcher reads from the database, whether or not it runs the sweeper.

They run outside the sweeper: when the sweeper is blocked, the count of waiting plans must still move.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from prometheus_client import Gauge

from services.platform import logs, metrics, retry
from services.store import opportunities, plans
from services.store.database import Sessions, now, transaction
from services.store.opportunities import PlanReach, Probes

FULL_MEASURE_INTERVAL: Final = 600.0
"""Seconds between two passes over all opportunities."""
AT_MOST: Final = 64
SPAM_PLAN_THRESHOLD: Final = 50
"""The log names a plan with at least this many opportunities. None of 3,086 real plans comes near it."""
SPAM_PAIR_THRESHOLD: Final = 10
"""The same, for opportunities with plans of one other authority."""

PROBES: Final = 10
"""The log names an authority with at least this many probes: twelve invented plans reveal a hidden plan's category."""
PROBES_SPAN: Final = timedelta(days=30)
PROBE_WITHIN: Final = timedelta(days=7)

log: Final = logs.get(__name__)
_PROBING: Final = "probing"

Reported = set[tuple[str, str | None]]
"""The plans and authorities that the log has named: each one once."""


async def measure_for_ever(sessions: Sessions, every_seconds: float) -> None:
    """Measure periodically. After an error the last values stand until a measurement succeeds."""
    full_at, reported = float("-inf"), Reported()

    async def measure_next() -> None:
        nonlocal full_at
        await measure_pending(sessions)
        if time.monotonic() - full_at >= FULL_MEASURE_INTERVAL:
            await measure_reach(sessions, reported)
            full_at = time.monotonic()

    await retry.repeat(measure_next, every_seconds, "measuring failed", log)


async def measure_pending(sessions: Sessions) -> None:
    """Export the number of plans that are not assessed yet."""
    async with transaction(sessions) as session:
        metrics.PENDING_PLANS.set(await plans.count_unassessed(session))


async def measure_reach(sessions: Sessions, reported: Reported) -> None:
    """Export signs of abuse: a plan that matches everything, copies of another authority's plan, and authorities that
    may be probing match_only plans. Log each sign that is not in `reported`, and add it."""
    async with transaction(sessions) as session:
        reaches = await opportunities.most_connected(session, AT_MOST)
        probes = await opportunities.probes(session, now() - PROBES_SPAN, PROBE_WITHIN, AT_MOST)
    _report_probes(probes, reported)
    _report(
        metrics.PLAN_OPPORTUNITIES_MAX,
        [reach for reach in reaches if reach.partner is None],
        SPAM_PLAN_THRESHOLD,
        reported,
    )
    _report(
        metrics.PLAN_PARTNER_OPPORTUNITIES_MAX,
        [reach for reach in reaches if reach.partner is not None],
        SPAM_PAIR_THRESHOLD,
        reported,
    )


def _report(gauge: Gauge, reaches: Sequence[PlanReach], limit: int, reported: Reported) -> None:
    gauge.set(max((reach.opportunities for reach in reaches), default=0))
    for reach in reaches:
        if reach.opportunities >= limit and (reach.plan_id, reach.partner) not in reported:
            reported.add((reach.plan_id, reach.partner))
            log.warning(
                "unusually many opportunities",
                plan_id=reach.plan_id,
                partner=reach.partner,
                opportunities=reach.opportunities,
            )


def _report_probes(found: Sequence[Probes], reported: Reported) -> None:
    """Export and log authorities that may be using invented plans to learn what match_only plans are about."""
    metrics.MATCH_ONLY_PROBES.set(max((one.count for one in found), default=0))
    for one in found:
        if one.count >= PROBES and (one.authority, _PROBING) not in reported:
            reported.add((one.authority, _PROBING))
            log.warning(
                "match_only partners met by plans that were soon changed", authority=one.authority, count=one.count
            )
