"""The other authority's plan of an intent, and the number of authorities that have been notified of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.domain.notifications import POSSIBLY_SENT, IntentState, Purpose
from services.store.database import in_array
from services.store.intents import OVER_CAP, Intent, Mail
from services.store.opportunities import Opportunity

_PLAN = case((col(Opportunity.authority_a) == col(Intent.partner), col(Opportunity.plan_a)), else_=Opportunity.plan_b)
"""The partner's one of an opportunity's two plans. The two never belong to the same authority."""
_OWN_PLAN = case(
    (col(Opportunity.authority_a) == col(Intent.partner), col(Opportunity.plan_b)), else_=Opportunity.plan_a
)

_BOTH_OPEN = and_(*(col(Opportunity.payload)[("plans", n, "sharing")].astext == "open" for n in ("0", "1")))


class PartnerPlan(NamedTuple):
    """The partner's plan, the reader's own plan, their score, and whether their windows miss each other."""

    plan_id: str
    own_plan: str
    score: float
    near_miss: bool


async def partner_plans(session: AsyncSession, intents: Sequence[Intent]) -> dict[int, PartnerPlan]:
    """The partner's plan in each intent's opportunity at present, by intent id."""
    near_miss = col(Opportunity.payload)["nearest_move"].as_string().is_not(None)
    query = (
        select(col(Intent.id), _PLAN, _OWN_PLAN, col(Opportunity.score), near_miss)
        .join(Opportunity, col(Opportunity.opportunity_id) == col(Intent.opportunity_id))
        .where(in_array(col(Intent.id), [intent.id for intent in intents]))
    )
    return {intent_id: PartnerPlan(*row) for intent_id, *row in await session.execute(query)}


async def authorities_notified(
    session: AsyncSession, authority: str, plan_ids: Sequence[str], since: datetime
) -> dict[str, int]:
    """Count, for each plan, the other authorities that immediate emails made after `since` reached or may reach. Plans
    that reached nobody are left out."""
    query = (
        select(_PLAN, func.count(func.distinct(col(Intent.authority))))
        .join(Opportunity, col(Opportunity.opportunity_id) == col(Intent.opportunity_id))
        .join(Mail, col(Mail.mail_id) == col(Intent.mail_id))
        .where(
            or_(in_array(col(Opportunity.plan_a), plan_ids), in_array(col(Opportunity.plan_b), plan_ids)),
            col(Mail.purpose) == Purpose.IMMEDIATE,
            col(Mail.created_at) > since,
            col(Intent.state).in_((IntentState.QUEUED, *POSSIBLY_SENT)),
            col(Intent.authority) != authority,
        )
        .group_by(_PLAN)
    )
    return {plan_id: count for plan_id, count in await session.execute(query) if plan_id in plan_ids}


async def over_cap_counts(session: AsyncSession, authority: str) -> dict[str, int]:
    """Counts the authority's matches that wait for a later email because of a cap, by partner. Matches with a
    match_only
    plan are not counted."""
    query = (
        select(col(Intent.partner), func.count())
        .join(Opportunity, col(Opportunity.opportunity_id) == col(Intent.opportunity_id))
        .where(
            _BOTH_OPEN,
            col(Intent.authority) == authority,
            col(Intent.state) == IntentState.PENDING,
            col(Intent.reason) == OVER_CAP,
        )
        .group_by(col(Intent.partner))
    )
    return {partner: count for partner, count in await session.execute(query)}  # noqa: C416 (rows are no pairs)
