"""Shadow tables: a rebuild fills them while the live tables stay in use. Also the lock under which it applies them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import MetaData, Table, delete, insert, select, text, union
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.store.database import table_of
from services.store.opportunities import OPPORTUNITY_TABLE, Opportunity
from services.store.plan_log import PlanLog
from services.store.plans import PlanRecord

SCHEMA: Final = "rebuild"
_METADATA: Final = MetaData(schema=SCHEMA)
PLANS: Final[Table] = table_of(PlanRecord).to_metadata(_METADATA, schema=SCHEMA)
OPPORTUNITIES: Final[Table] = OPPORTUNITY_TABLE.to_metadata(_METADATA, schema=SCHEMA)


async def create(session: AsyncSession) -> None:
    """Create the tables empty, whatever an interrupted rebuild may have left."""
    await drop(session)
    await session.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    connection = await session.connection()
    await connection.run_sync(_METADATA.create_all)


async def drop(session: AsyncSession) -> None:
    """Drop the tables."""
    await session.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))


async def add(session: AsyncSession, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows, given by their columns, into a shadow table."""
    if rows:
        await session.execute(insert(table), rows)


@dataclass(frozen=True, slots=True)
class LoggedPlan:
    """One plan according to the log: its newest revision that counts, and its newest complete one."""

    newest: PlanLog
    whole: PlanLog | None


async def replay_chunks(
    session: AsyncSession, whole_types: Iterable[str], at_once: int
) -> AsyncIterator[list[LoggedPlan]]:
    """Read every plan of the log in id order, `at_once` at a time. The log's rows may have any order."""
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
    """Return one plan according to the log, which must hold it."""
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
    """Return every plan id in `plans`, or as the first plan in `opportunities`; sorted."""
    ids = union(select(col(PlanRecord.plan_id)), select(Opportunity.plan_a))
    return sorted((await session.execute(ids)).scalars())


async def opportunities_of(session: AsyncSession, plan_ids: Sequence[str]) -> list[Opportunity]:
    """Return all opportunities, active or withdrawn, whose first plan is one of these."""
    rows = await session.execute(select(Opportunity).where(Opportunity.plan_a.in_(plan_ids)))
    return list(rows.scalars())


async def shadow_plans(session: AsyncSession, plan_ids: Iterable[str]) -> dict[str, PlanRecord]:
    """Return the rebuilt rows of these plans."""
    rows = await session.execute(select(PLANS).where(PLANS.c.plan_id.in_(list(plan_ids))))
    return {row.plan_id: PlanRecord(**row._mapping) for row in rows}


async def shadow_opportunities(session: AsyncSession, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the rebuilt columns of these opportunities."""
    rows = await session.execute(select(OPPORTUNITIES).where(OPPORTUNITIES.c.opportunity_id.in_(keys)))
    return {row.opportunity_id: dict(row._mapping) for row in rows}


async def ids_in_log(session: AsyncSession, plan_ids: Sequence[str]) -> set[str]:
    """Return which of these plans the log holds."""
    rows = await session.execute(select(col(PlanLog.plan_id)).where(col(PlanLog.plan_id).in_(plan_ids)).distinct())
    return set(rows.scalars())


async def remove_plans(session: AsyncSession, plan_ids: Sequence[str]) -> None:
    """Delete plans that the log does not hold."""
    await session.execute(delete(PlanRecord).where(col(PlanRecord.plan_id).in_(plan_ids)))
