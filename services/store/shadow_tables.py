"""The tables that a rebuild fills beside the live ones, and the lock under which it takes over."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import MetaData, Table, delete, insert, select, text, union
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from services.store.database import table_of
from services.store.opportunities import Opportunity
from services.store.plans import PlanLog, PlanRecord

SCHEMA: Final = "rebuild"
_METADATA: Final = MetaData(schema=SCHEMA)
PLANS: Final[Table] = table_of(PlanRecord).to_metadata(_METADATA, schema=SCHEMA)
OPPORTUNITIES: Final[Table] = table_of(Opportunity).to_metadata(_METADATA, schema=SCHEMA)


async def create(session: AsyncSession) -> None:
    """Makes the tables empty, whatever an interrupted rebuild may have left."""
    await drop(session)
    await session.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    connection = await session.connection()
    await connection.run_sync(_METADATA.create_all)


async def drop(session: AsyncSession) -> None:
    """Removes the tables."""
    await session.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))


async def add(session: AsyncSession, table: Table, rows: Sequence[SQLModel]) -> None:
    """Writes rows of the model whose table this is a copy of."""
    if rows:
        await session.execute(insert(table), [row.model_dump() for row in rows])


@dataclass(frozen=True, slots=True)
class LoggedPlan:
    """What the log says of one plan: its newest revision that counts, and the newest that holds the whole plan."""

    newest: PlanLog
    whole: PlanLog | None


async def replay_chunks(
    session: AsyncSession, whole_types: Iterable[str], at_once: int
) -> AsyncIterator[list[LoggedPlan]]:
    """Every plan of the log, in the order of ids, `at_once` at a time. The log may have grown in any order."""
    after = ""
    while True:
        ids = select(col(PlanLog.plan_id)).where(col(PlanLog.plan_id) > after).distinct()
        chunk = list((await session.execute(ids.order_by(col(PlanLog.plan_id)).limit(at_once))).scalars())
        if not chunk:
            return
        newest = await _newest(session, chunk, None)
        whole = await _newest(session, chunk, list(whole_types))
        yield [LoggedPlan(newest[plan_id], whole.get(plan_id)) for plan_id in chunk]
        after = chunk[-1]


async def logged_plan(session: AsyncSession, plan_id: str, whole_types: Iterable[str]) -> LoggedPlan:
    """What the log says of one plan that it knows."""
    newest = await _newest(session, [plan_id], None)
    whole = await _newest(session, [plan_id], list(whole_types))
    return LoggedPlan(newest[plan_id], whole.get(plan_id))


async def _newest(session: AsyncSession, chunk: Sequence[str], types: list[str] | None) -> dict[str, PlanLog]:
    query = select(PlanLog).where(col(PlanLog.plan_id).in_(chunk), col(PlanLog.annulled_by).is_(None))
    if types is not None:
        query = query.where(col(PlanLog.event_type).in_(types))
    query = query.order_by(col(PlanLog.plan_id), col(PlanLog.revision).desc()).ext(distinct_on(col(PlanLog.plan_id)))
    return {row.plan_id: row for row in (await session.execute(query)).scalars()}


async def all_ids(session: AsyncSession) -> list[str]:
    """Every plan id that the plans, or the opportunities as a first side, know; sorted."""
    ids = union(select(col(PlanRecord.plan_id)), select(col(Opportunity.plan_a)))
    return sorted((await session.execute(ids)).scalars())


async def opportunities_of(session: AsyncSession, plan_ids: Sequence[str]) -> list[Opportunity]:
    """All opportunities, standing or withdrawn, whose first plan is one of these."""
    rows = await session.execute(select(Opportunity).where(col(Opportunity.plan_a).in_(plan_ids)))
    return list(rows.scalars())


async def shadow_plans(session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, PlanRecord]:
    """These plans as the rebuild has them."""
    rows = await session.execute(select(PLANS).where(PLANS.c.plan_id.in_(list(plan_ids))))
    return {row.plan_id: PlanRecord(**row._mapping) for row in rows}


async def shadow_opportunities(session: AsyncSession, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The columns of these opportunities as the rebuild has them."""
    rows = await session.execute(select(OPPORTUNITIES).where(OPPORTUNITIES.c.opportunity_id.in_(keys)))
    return {row.opportunity_id: dict(row._mapping) for row in rows}


async def ids_in_log(session: AsyncSession, plan_ids: Sequence[str]) -> set[str]:
    """Which of these plans the log knows."""
    rows = await session.execute(select(col(PlanLog.plan_id)).where(col(PlanLog.plan_id).in_(plan_ids)).distinct())
    return set(rows.scalars())


async def remove_plans(session: AsyncSession, plan_ids: Sequence[str]) -> None:
    """Removes plans that the log does not know."""
    await session.execute(delete(PlanRecord).where(col(PlanRecord.plan_id).in_(plan_ids)))
