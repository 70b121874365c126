"""Applies the caps to due intents. Intents over a cap are counted, and named in the log."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.notification_caps import REACH_SPAN, Cap, CapCandidate, exceeding_caps, spread
from services.domain.notification_rules import RANK
from services.domain.notifications import Purpose, WaitReason
from services.notifier.context import DispatchContext
from services.platform import logs, metrics
from services.store import partner_plans
from services.store.intents import Intent

log: Final = logs.get(__name__)


async def apply_caps(
    session: AsyncSession, authority: str, purpose: Purpose, intents: Sequence[Intent], dispatch: DispatchContext
) -> dict[int, int]:
    """Return the intents that an email to the authority may not carry now, each with the number of its later email.

    Number 0 is the next email. Each intent over a cap is reported once. Two notifiers that work for two authorities at
    the same moment do not see each other's emails. So each may exceed the reach of a plan by one authority.
    """
    about = await _about(session, intents)
    reached: Mapping[str, int] = {}
    if purpose == Purpose.IMMEDIATE:
        plans = sorted({item.plan_id for item in about.values()})
        reached = await partner_plans.authorities_notified(session, authority, plans, dispatch.clock() - REACH_SPAN)
    left = exceeding_caps(about.values(), dispatch.caps, reached)
    seen = {intent.id for intent in intents if intent.reason == WaitReason.OVER_CAP}
    _report_capped(authority, {about[number]: cap for number, cap in left.items() if number not in seen})
    return spread((about[number] for number in left), dispatch.caps)


async def _about(session: AsyncSession, intents: Sequence[Intent]) -> dict[int, CapCandidate]:
    plans = await partner_plans.partner_plans(session, intents)
    found = {}
    for intent in intents:
        if intent.id in plans:
            known = plans[intent.id]
            strength = (RANK[intent.band], known.score)
            own = known.own_plan if known.near_miss else ""
            found[intent.id] = CapCandidate(intent.id, intent.partner, known.plan_id, strength, own)
    return found


def _report_capped(authority: str, left: Mapping[CapCandidate, Cap]) -> None:
    """Report each plan over a cap once, or each partner for the cap on an authority."""
    counts = Counter((cap, item.partner, item.plan_id if cap != Cap.AUTHORITY else None) for item, cap in left.items())
    for (cap, partner, plan_id), count in sorted(counts.items(), key=str):
        metrics.INTENTS_CAPPED.labels(cap=cap).inc(count)
        if cap == Cap.NEAR_MISS:
            continue  # ordinary, and caused by nobody
        log.warning(
            "told later, over a cap", cap=cap, authority=authority, partner=partner, plan_id=plan_id, intents=count
        )
