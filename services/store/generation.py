"""Generations: under which the database stands, the locks that move it, and what is to be assessed anew."""

from typing import Final

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.pipelined_queries import Query
from services.store.plans import PlanRecord


class GenerationRow(SQLModel, table=True):
    """The one version of policy, statistics and model under which everything in this database was decided."""

    __tablename__ = "generation"

    only: bool = Field(default=True, primary_key=True)
    generation: str
    policy: str
    statistics: str
    model: str


_HELD: Final = text("SELECT generation FROM generation FOR SHARE")


def share_lock_query() -> Query[str | None]:
    """Under which generation this database stands; held against change until the transaction ends."""
    return Query(_HELD, {}, lambda found: found[0][0] if found else None)


async def initialise(session: AsyncSession, mine: GenerationRow) -> GenerationRow:
    """The database's generation; `mine` where the database is new and had none."""
    await session.execute(insert(GenerationRow).values(**mine.model_dump()).on_conflict_do_nothing())
    current: GenerationRow = (await session.execute(select(GenerationRow))).scalar_one()
    return current


async def read(session: AsyncSession) -> GenerationRow | None:
    """Under which generation this database stands, for who only looks: nothing is locked."""
    return (await session.execute(select(GenerationRow))).scalar_one_or_none()


async def lock(session: AsyncSession) -> GenerationRow | None:
    """The generation's row, locked: nobody settles anything until the transaction ends."""
    return (await session.execute(select(GenerationRow).with_for_update())).scalar_one_or_none()


async def lock_plan_writes(session: AsyncSession) -> None:
    """Nobody records, settles or sets aside a plan until this transaction ends; reading goes on.

    Take the generation's row first, as settling does, or the two wait for each other.
    """
    await session.execute(text("LOCK TABLE plans IN EXCLUSIVE MODE"))


async def unassessed_after(session: AsyncSession, after: str, limit: int) -> list[str]:
    """Plans whose newest revision has not been assessed, in the order of their ids from behind `after`."""
    rows = await session.execute(
        select(PlanRecord.plan_id)  # type: ignore[call-overload]
        .where(
            col(PlanRecord.matched_revision) < col(PlanRecord.revision),
            col(PlanRecord.quarantined).is_(False),
            col(PlanRecord.plan_id) > after,
        )
        .order_by(col(PlanRecord.plan_id))
        .limit(limit)
    )
    return list(rows.scalars())


def is_matchable(plan: PlanRecord) -> bool:
    """Whether a plan would be searchable had its assessment never failed."""
    return plan.status == "active" and plan.state is not None and plan.state["sharing"] != "private"


async def reset_assessments(session: AsyncSession) -> None:
    """Every plan counts as not assessed; those set aside are given another chance. The caller holds all plans."""
    shared = col(PlanRecord.state)["sharing"].as_string() != "private"
    await session.execute(
        update(PlanRecord)
        .where(col(PlanRecord.quarantined))
        .values(searchable=(col(PlanRecord.status) == "active") & shared)
    )
    await session.execute(update(PlanRecord).values(matched_revision=0, attempts=0, quarantined=False))
