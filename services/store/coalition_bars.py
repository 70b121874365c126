"""Reads what keeps plans out of coalitions, for `services.domain.coalition_bars`."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from events.coalitions import MemberState
from services.domain.coalition import HOLDING, Coalition
from services.domain.coalition_bars import Bars, plan_change
from services.store import coalitions, plans
from services.store.coalitions import CoalitionMemberRow, CoalitionRow
from services.store.database import in_array


async def elsewhere(session: AsyncSession, plan_ids: Collection[str], coalition_id: str) -> frozenset[str]:
    """Return those of these plans that are in another coalition that has formed."""
    found = await session.execute(
        select(col(CoalitionMemberRow.plan_id))
        .join(CoalitionRow, col(CoalitionRow.coalition_id) == col(CoalitionMemberRow.coalition_id))
        .where(
            in_array(col(CoalitionMemberRow.plan_id), plan_ids),
            col(CoalitionMemberRow.coalition_id) != coalition_id,
            col(CoalitionMemberRow.state) == MemberState.ACCEPTED.value,
            col(CoalitionRow.status).in_([status.value for status in HOLDING]),
        )
    )
    return frozenset(found.scalars())


async def load_bars(session: AsyncSession, plan_ids: Collection[str], coalition_id: str) -> Bars:
    """Return what keeps these plans out of a coalition."""
    stored = await plans.by_id(session, plan_ids)
    changes = {plan_id: plan_change(plan.status, plan.state) for plan_id, plan in stored.items()}
    return Bars(
        elsewhere=await elsewhere(session, plan_ids, coalition_id),
        changed={plan_id: change for plan_id, change in changes.items() if change is not None},
    )


async def load_undo_bars(session: AsyncSession, coalition: Coalition, plan_ids: Collection[str] = ()) -> Bars:
    """Return what keeps the plans of a coalition, and further ones, out of it when an act in it is taken back."""
    concerned = {*plan_ids, *(member.plan_id for member in coalition.members)}
    bars = await load_bars(session, concerned, coalition.coalition_id)
    if coalition.is_living:
        return bars
    others = [row.coalition for row in await coalitions.living_with(session, concerned)]
    groups = {one.coalition_id: frozenset(member.plan_id for member in one.current) for one in others}
    return replace(bars, groups=groups)
