"""Published benchmark cells. A quarter is published once and never changes."""

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.domain.benchmark_cells import BenchmarkCell, Quarter
from services.store.database import json_column, now, table_of, timestamp

_CELLS: TypeAdapter[list[BenchmarkCell]] = TypeAdapter(list[BenchmarkCell])


class BenchmarkQuarter(SQLModel, table=True):
    """All cells of one quarter. The row never changes: a later contract counts in the next quarter."""

    __tablename__ = "benchmark_quarters"

    quarter: str = Field(primary_key=True)
    cells: Any = Field(sa_column=json_column())
    published_at: datetime = Field(sa_column=timestamp())


async def is_published(session: AsyncSession, quarter: Quarter) -> bool:
    """Whether the cells of a quarter are published."""
    return await session.get(BenchmarkQuarter, str(quarter)) is not None


async def publish(session: AsyncSession, quarter: Quarter, cells: list[BenchmarkCell]) -> bool:
    """Publish the cells of a quarter unless they are published already; return whether this call did."""
    row = BenchmarkQuarter(quarter=str(quarter), cells=_CELLS.dump_python(cells, mode="json"), published_at=now())
    written = await session.execute(
        insert(table_of(BenchmarkQuarter))
        .values(**row.model_dump())
        .on_conflict_do_nothing()
        .returning(col(BenchmarkQuarter.quarter))
    )
    return written.scalar_one_or_none() is not None


async def cells(session: AsyncSession, category: str, quarter: Quarter | None = None) -> list[BenchmarkCell]:
    """The cells of a category in a quarter, or in the newest published one."""
    statement = select(col(BenchmarkQuarter.cells))
    if quarter is not None:
        statement = statement.where(col(BenchmarkQuarter.quarter) == str(quarter))
    found = await session.execute(statement.order_by(col(BenchmarkQuarter.quarter).desc()).limit(1))
    published = _CELLS.validate_python(found.scalar_one_or_none() or [])
    return [cell for cell in published if cell.key.category == category]
