"""Pages of one authority's plans, opportunities and coalitions. Every query names the authority.

Pages are cut by key, so that each row appears once, even if rows are added meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.store.coalitions import CoalitionMemberRow, CoalitionRow
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord
from services.store.sharing import is_private


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of a list to read: rows after a key, at most `limit`, with these statuses, changed since then."""

    after: str = ""
    limit: int = 100
    statuses: Sequence[str] | None = None
    changed_since: datetime | None = None


async def plans(session: AsyncSession, authority: str, cut: Cut) -> Sequence[PlanRecord]:
    """The authority's plans, by id. Plans known only by their withdrawal or award are left out."""
    wanted = [
        col(PlanRecord.authority) == authority,
        col(PlanRecord.state).is_not(None),
        *_narrowed(cut, PlanRecord.plan_id, PlanRecord.status, PlanRecord.received_at),
    ]
    query = select(PlanRecord).where(*wanted).order_by(col(PlanRecord.plan_id)).limit(cut.limit)
    return (await session.execute(query)).scalars().all()


async def plan(session: AsyncSession, authority: str, plan_id: str) -> PlanRecord | None:
    """One plan, if it is the authority's."""
    query = select(PlanRecord).where(
        col(PlanRecord.plan_id) == plan_id,
        col(PlanRecord.authority) == authority,
        col(PlanRecord.state).is_not(None),
    )
    found: PlanRecord | None = (await session.execute(query)).scalar_one_or_none()
    return found


async def opportunities(session: AsyncSession, authority: str, cut: Cut) -> Sequence[Opportunity]:
    """The opportunities of the authority's plans, by id, without those of plans that are private now."""
    wanted = [
        *_own_pairs(authority),
        *_narrowed(cut, Opportunity.opportunity_id, Opportunity.status, Opportunity.updated_at),
    ]
    query = select(Opportunity).where(*wanted).order_by(col(Opportunity.opportunity_id)).limit(cut.limit)
    return (await session.execute(query)).scalars().all()


async def opportunity(session: AsyncSession, authority: str, opportunity_id: str) -> Opportunity | None:
    """One opportunity, if one of its plans is the authority's."""
    query = select(Opportunity).where(col(Opportunity.opportunity_id) == opportunity_id, *_own_pairs(authority))
    found: Opportunity | None = (await session.execute(query)).scalar_one_or_none()
    return found


async def coalitions(session: AsyncSession, authority: str, cut: Cut) -> Sequence[CoalitionRow]:
    """The coalitions of which the authority is or was a member, by id."""
    wanted = [
        _own_coalition(authority),
        *_narrowed(cut, CoalitionRow.coalition_id, CoalitionRow.status, CoalitionRow.updated_at),
    ]
    query = select(CoalitionRow).where(*wanted).order_by(col(CoalitionRow.coalition_id)).limit(cut.limit)
    return (await session.execute(query)).scalars().all()


async def coalition(session: AsyncSession, authority: str, coalition_id: str) -> CoalitionRow | None:
    """One coalition, if the authority is or was a member."""
    query = select(CoalitionRow).where(col(CoalitionRow.coalition_id) == coalition_id, _own_coalition(authority))
    found: CoalitionRow | None = (await session.execute(query)).scalar_one_or_none()
    return found


def _narrowed(cut: Cut, key: Any, status: Any, changed_at: Any) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [col(key) > cut.after]
    if cut.statuses is not None:
        wanted.append(col(status).in_(cut.statuses))
    if cut.changed_since is not None:
        wanted.append(col(changed_at) >= cut.changed_since)
    return wanted


def _own_pairs(authority: str) -> list[ColumnElement[bool]]:
    private = exists().where(
        col(PlanRecord.plan_id).in_([col(Opportunity.plan_a), col(Opportunity.plan_b)]),
        # Of a forgotten plan there is nothing left to hide.
        col(PlanRecord.state).is_not(None),
        is_private(col(PlanRecord.state)),
    )
    own = or_(col(Opportunity.authority_a) == authority, col(Opportunity.authority_b) == authority)
    return [and_(own, ~private), col(Opportunity.tombstoned_at).is_(None)]


def _own_coalition(authority: str) -> ColumnElement[bool]:
    own = select(col(CoalitionMemberRow.coalition_id)).where(col(CoalitionMemberRow.authority) == authority)
    return col(CoalitionRow.coalition_id).in_(own)
