"""Framework agreements as reference data from `jointly frameworks import`, one row per lot."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from matching.frameworks import FrameworkLot
from services.store.database import in_array, json_column, now, timestamp

_LOT: Final = TypeAdapter(FrameworkLot)


class FrameworkLotRow(SQLModel, table=True):
    """One lot of a framework agreement; `content` is the engine's `FrameworkLot`."""

    __tablename__ = "framework_lots"

    framework: str = Field(primary_key=True)
    lot: str = Field(primary_key=True)
    content: Any = Field(sa_column=json_column())
    updated_at: datetime = Field(sa_column=timestamp())


async def all_lots(session: AsyncSession) -> list[FrameworkLot]:
    """Every lot, by framework and lot."""
    found = await session.execute(
        select(FrameworkLotRow).order_by(col(FrameworkLotRow.framework), col(FrameworkLotRow.lot))
    )
    return [_LOT.validate_python(row.content) for row in found.scalars()]


async def replace_frameworks(session: AsyncSession, lots: Sequence[FrameworkLot]) -> dict[str, int]:
    """Replace frameworks completely, and remove their lots that are not among these. Returns the counts of added,
    changed, unchanged and removed lots."""
    names = {lot.framework for lot in lots}
    found = await session.execute(
        select(FrameworkLotRow).where(in_array(col(FrameworkLotRow.framework), names)).with_for_update()
    )
    rows = {(row.framework, row.lot): row for row in found.scalars()}
    tally = {"added": 0, "changed": 0, "unchanged": 0, "removed": 0}
    for lot in lots:
        content = _LOT.dump_python(lot, mode="json")
        row = rows.pop((lot.framework, lot.lot), None)
        if row is None:
            session.add(FrameworkLotRow(framework=lot.framework, lot=lot.lot, content=content, updated_at=now()))
            tally["added"] += 1
        elif row.content == content:
            tally["unchanged"] += 1
        else:
            row.content, row.updated_at = content, now()
            tally["changed"] += 1
    for row in rows.values():
        await session.delete(row)
        tally["removed"] += 1
    return tally


async def touch(session: AsyncSession) -> None:
    """Mark the register as changed, so that processes reload it."""
    await session.execute(update(FrameworkLotRow).values(updated_at=now()))


async def remove_framework(session: AsyncSession, framework: str) -> int:
    """Remove a framework with its lots; return the number of lots."""
    done = await session.execute(
        delete(FrameworkLotRow).where(col(FrameworkLotRow.framework) == framework).returning(col(FrameworkLotRow.lot))
    )
    return len(done.all())
