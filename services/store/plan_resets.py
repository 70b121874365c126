"""Plans reset by an operator: the revisions annulled, the person who decided it, the time and the reason.

The plan log keeps everything. Annulled revisions name the reset that annulled them, so a rebuild reaches the same plan.
Their numbers stay used, so a redelivered event is a duplicate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Column, Identity, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.database import timestamp
from services.store.plan_log import PlanLog


class PlanReset(SQLModel, table=True):
    """One reset of a plan from one revision to another."""

    __tablename__ = "plan_resets"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    plan_id: str = Field(index=True)
    from_revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    to_revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    operator: str
    reason: str
    at: datetime = Field(sa_column=timestamp())


@dataclass(frozen=True, slots=True)
class LoggedRevision:
    """One revision in the plan log. `annulled_by` names the reset that annulled it."""

    revision: int
    event_type: str
    received_at: datetime
    annulled_by: int | None


async def revisions_of(session: AsyncSession, plan_id: str) -> Sequence[LoggedRevision]:
    """Return every revision of a plan in the log, the highest first."""
    query = select(
        col(PlanLog.revision), col(PlanLog.event_type), col(PlanLog.received_at), col(PlanLog.annulled_by)
    ).where(col(PlanLog.plan_id) == plan_id)
    found = await session.execute(query.order_by(col(PlanLog.revision).desc()))
    return [LoggedRevision(*row) for row in found]


async def resets_of(session: AsyncSession, plan_id: str) -> Sequence[PlanReset]:
    """Return every reset of a plan, the newest first."""
    query = select(PlanReset).where(col(PlanReset.plan_id) == plan_id)
    return (await session.execute(query.order_by(col(PlanReset.id).desc()))).scalars().all()


async def annul(session: AsyncSession, reset: PlanReset) -> int:
    """Record a reset and annul every higher revision; returns their number. The caller has locked the plan."""
    session.add(reset)
    await session.flush()
    above = (
        col(PlanLog.plan_id) == reset.plan_id,
        col(PlanLog.revision) > reset.to_revision,
        col(PlanLog.annulled_by).is_(None),
    )
    statement = update(PlanLog).where(*above).values(annulled_by=reset.id).returning(col(PlanLog.id))
    return len((await session.execute(statement)).scalars().all())
