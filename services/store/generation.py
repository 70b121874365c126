"""The database's generation, the locks that guard its change, and the plans to reassess after one."""

from typing import Final

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from matching.plan import Status
from services.store.pipelined_queries import PipelinedQuery
from services.store.plans import PlanRecord
from services.store.sharing import is_private


class GenerationRow(SQLModel, table=True):
    """The one version of policy, statistics and model behind every decision in this database."""

    __tablename__ = "generation"

    only: bool = Field(default=True, primary_key=True)
    generation: str
    policy: str
    statistics: str
    model: str


_HELD: Final = text("SELECT generation FROM generation FOR SHARE")


def share_lock_query() -> PipelinedQuery[str | None]:
    """Query the generation and lock its row against change until the transaction ends."""
    return PipelinedQuery(_HELD, {}, lambda found: found[0][0] if found else None)


async def initialise(session: AsyncSession, mine: GenerationRow) -> GenerationRow:
    """Return the database's generation. A new database gets `mine`."""
    await session.execute(insert(GenerationRow).values(**mine.model_dump()).on_conflict_do_nothing())
    current: GenerationRow = (await session.execute(select(GenerationRow))).scalar_one()
    return current


async def read(session: AsyncSession) -> GenerationRow | None:
    """Return the database's generation without a lock."""
    return (await session.execute(select(GenerationRow))).scalar_one_or_none()


async def lock(session: AsyncSession) -> GenerationRow | None:
    """Lock the generation's row. Until the transaction ends, no matcher settles a plan."""
    return (await session.execute(select(GenerationRow).with_for_update())).scalar_one_or_none()


async def lock_plan_writes(session: AsyncSession) -> None:
    """Lock the plans table. Until the transaction ends, nobody records, settles or quarantines a plan; reads continue.

    Lock the generation's row first, as settlement does; otherwise the two deadlock.
    """
    await session.execute(text("LOCK TABLE plans IN EXCLUSIVE MODE"))


async def unassessed_after(session: AsyncSession, after: str, limit: int) -> list[str]:
    """Return plans whose newest revision has not been assessed, in id order, starting after `after`."""
    rows = await session.execute(
        select(PlanRecord.plan_id)  # type: ignore[call-overload]
        .where(
            col(PlanRecord.assessed_revision) < col(PlanRecord.revision),
            col(PlanRecord.quarantined).is_(False),
            col(PlanRecord.plan_id) > after,
        )
        .order_by(col(PlanRecord.plan_id))
        .limit(limit)
    )
    return list(rows.scalars())


async def reset_assessments(session: AsyncSession) -> None:
    """Mark every plan as not assessed, and release quarantined plans. The caller has locked all plans."""
    await session.execute(
        update(PlanRecord)
        .where(col(PlanRecord.quarantined))
        .values(matchable=(col(PlanRecord.status) == Status.ACTIVE) & ~is_private(col(PlanRecord.state)))
    )
    await session.execute(update(PlanRecord).values(assessed_revision=0, attempts=0, quarantined=False))
