"""Progress counts, for operators and the demo."""

from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.domain.notifications import UNDELIVERED, EmailState, IntentState
from services.domain.opportunity_status import OpportunityStatus
from services.store import coalitions, deliveries, outbox, plans
from services.store.authorities import Authority
from services.store.coalitions import CoalitionRow
from services.store.database import now
from services.store.intents import Intent, Mail
from services.store.opportunities import Opportunity
from services.store.plan_log import PlanLog
from services.store.plans import PlanRecord


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts from one snapshot. `untold` counts intents for reachable authorities that no sent email carries yet."""

    plans: int
    revisions: int
    pending: int
    opportunities: dict[str, int]
    outbox_waiting: int
    opportunity_events: int
    untold: int
    mails: int
    coalition_events: int = 0
    coalitions: dict[str, int] = field(default_factory=dict)


async def progress(session: AsyncSession) -> Progress:
    """Count the existing rows and the remaining work."""
    bands = await session.execute(
        select(Opportunity.band, func.count())
        .where(Opportunity.status == OpportunityStatus.ACTIVE)
        .group_by(Opportunity.band)
    )
    found = dict(bands.all())
    return Progress(
        plans=await _count(session, select(func.count()).select_from(PlanRecord)),
        revisions=await _count(session, select(func.count()).select_from(PlanLog)),
        pending=await plans.count_unassessed(session),
        opportunities={band: found.get(band, 0) for band in ("notify", "digest", "feed")},
        outbox_waiting=(await outbox.backlog(session))[0],
        opportunity_events=await _count(session, select(func.coalesce(func.sum(Opportunity.revision), 0))),
        untold=await count_untold(session),
        mails=await _count(session, select(func.count()).where(col(Mail.state) == EmailState.SENT)),
        coalition_events=await _count(session, select(func.coalesce(func.sum(CoalitionRow.revision), 0))),
        coalitions=await coalitions.counts(session),
    )


async def count_untold(session: AsyncSession) -> int:
    """Count the intents and emails that a reachable authority has still to get."""
    reachable = select(col(Authority.authority)).where(col(Authority.mailbox).is_not(None))
    intents = select(func.count()).where(
        col(Intent.state).in_((IntentState.PENDING, IntentState.QUEUED, IntentState.SENDING)),
        col(Intent.authority).in_(reachable),
    )
    waiting = select(func.count()).where(col(Mail.state).in_(UNDELIVERED), deliveries.is_due(now()))
    return await _count(session, intents) + await _count(session, waiting)


async def _count(session: AsyncSession, query: object) -> int:
    return int((await session.execute(query)).scalar_one())  # type: ignore[call-overload]
