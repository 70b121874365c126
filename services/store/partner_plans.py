"""The other authority's plan of an intent, and the number of authorities that have been notified of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, String, bindparam, case, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.domain.notifications import POSSIBLY_SENT, IntentState, Purpose, WaitReason
from services.store.database import in_array
from services.store.intents import Intent, Mail
from services.store.opportunities import Opportunity
from services.store.sharing import open_sql

_PLAN = case((col(Opportunity.authority_a) == col(Intent.partner), col(Opportunity.plan_a)), else_=Opportunity.plan_b)
"""The partner's one of an opportunity's two plans. The two never belong to the same authority."""
_OWN_PLAN = case(
    (col(Opportunity.authority_a) == col(Intent.partner), col(Opportunity.plan_b)), else_=Opportunity.plan_a
)

MAX_COUNTED: Final = 100
"""The maximum number of intents counted per partner. An email costs the same however many wait."""

_OVER_CAP: Final = text(
    f"""SELECT partner.code, count(*) FILTER (WHERE waiting.openly), count(*) FROM unnest(:partners) AS partner (code)
    CROSS JOIN LATERAL (
        SELECT {open_sql("o.payload #> '{plans,0}'")} AND {open_sql("o.payload #> '{plans,1}'")} AS openly
        FROM (
            SELECT opportunity_id FROM notification_intents WHERE authority = :authority AND partner = partner.code
                AND state = 'pending' AND reason = '{WaitReason.OVER_CAP}' LIMIT {MAX_COUNTED}
        ) i
        JOIN opportunities o ON o.opportunity_id = i.opportunity_id
    ) waiting
    GROUP BY partner.code"""  # noqa: S608 (ours)
).bindparams(bindparam("partners", type_=ARRAY(String)))


class PartnerMatch(NamedTuple):
    """The partner's plan, the reader's own plan, their score, and whether their windows miss each other."""

    plan_id: str
    own_plan: str
    score: float
    near_miss: bool


async def partner_plans(session: AsyncSession, intents: Sequence[Intent]) -> dict[int, PartnerMatch]:
    """The partner's plan in each intent's opportunity at present, by intent id."""
    near_miss = col(Opportunity.payload)["nearest_move"].as_string().is_not(None)
    query = (
        select(col(Intent.id), _PLAN, _OWN_PLAN, col(Opportunity.score), near_miss)
        .join(Opportunity, col(Opportunity.opportunity_id) == col(Intent.opportunity_id))
        .where(in_array(col(Intent.id), [intent.id for intent in intents]))
    )
    return {intent_id: PartnerMatch(*row) for intent_id, *row in await session.execute(query)}


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


@dataclass(frozen=True, slots=True)
class OverCapCount:
    """The number of matches with one partner that wait because they are over a cap; with `at_least`, there may be
    more."""

    count: int
    at_least: bool


async def over_cap_counts(session: AsyncSession, authority: str, partners: Collection[str]) -> dict[str, OverCapCount]:
    """Count the authority's matches that wait for a later email because of a cap, by partner. Matches with a
    match_only plan are not counted."""
    rows = await session.execute(_OVER_CAP, {"authority": authority, "partners": sorted(partners)})
    return {partner: OverCapCount(openly, counted == MAX_COUNTED) for partner, openly, counted in rows if openly}
