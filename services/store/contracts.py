"""Shared contracts: the newest revision of each. A withdrawn contract keeps no content."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Index, func, null, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from events.contracts import ContractPublished
from services.store.database import json_column, table_of, timestamp
from services.store.plan_log import RecordOutcome


class ContractStatus(StrEnum):
    """Whether an authority shares a contract."""

    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class ContractRow(SQLModel, table=True):
    """The newest revision of a contract. `payload` is null once it is withdrawn."""

    __tablename__ = "contracts"
    __table_args__ = (
        # A request for a benchmark looks for the contracts of its category.
        Index(
            "contracts_category",
            text("left(payload #>> '{cpv,0}', 5)"),
            postgresql_where=text("status = 'published'"),
        ),
    )

    contract_id: str = Field(primary_key=True)
    authority: str = Field(index=True)
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    status: str
    payload: Any = Field(default=None, sa_column=json_column(nullable=True))
    content_hash: str
    event_id: str
    received_at: datetime = Field(sa_column=timestamp())


async def record(session: AsyncSession, row: ContractRow) -> RecordOutcome:
    """Write a revision unless the same or a later one exists; return the outcome.

    The result does not depend on the order of revisions, and a repeated one changes nothing.
    """
    statement = insert(table_of(ContractRow)).values(**row.model_dump())
    newer = {name: statement.excluded[name] for name in row.model_dump() if name != "contract_id"}
    written = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["contract_id"], set_=newer, where=col(ContractRow.revision) < statement.excluded.revision
        ).returning(col(ContractRow.contract_id))
    )
    if written.scalar_one_or_none() is not None:
        return RecordOutcome.APPLIED
    revision, content_hash = (
        await session.execute(
            select(col(ContractRow.revision), col(ContractRow.content_hash)).where(
                col(ContractRow.contract_id) == row.contract_id
            )
        )
    ).one()
    if revision > row.revision:
        return RecordOutcome.SUPERSEDED
    return RecordOutcome.DUPLICATE if content_hash == row.content_hash else RecordOutcome.CONFLICT


async def published(session: AsyncSession, authority: str | None = None) -> list[ContractRow]:
    """All shared contracts, or those of one authority, by id."""
    statement = select(ContractRow).where(col(ContractRow.status) == ContractStatus.PUBLISHED.value)
    if authority is not None:
        statement = statement.where(col(ContractRow.authority) == authority)
    return list((await session.execute(statement.order_by(col(ContractRow.contract_id)))).scalars())


async def load_published(session: AsyncSession, contract_id: str) -> ContractPublished | None:
    """The shared facts of one contract; None if it is not shared."""
    row = await session.get(ContractRow, contract_id)
    return ContractPublished.model_validate(row.payload) if row is not None and row.payload is not None else None


async def priced(session: AsyncSession) -> list[ContractRow]:
    """All contracts shared with prices, or with a reason for none, by id."""
    payload = col(ContractRow.payload)
    statement = select(ContractRow).where(
        col(ContractRow.status) == ContractStatus.PUBLISHED.value,
        or_(func.jsonb_array_length(payload["prices"]) > 0, payload["withheld"].astext.is_not(None)),
    )
    return list((await session.execute(statement.order_by(col(ContractRow.contract_id)))).scalars())


async def count_of(session: AsyncSession, authority: str) -> int:
    """The number of contracts that an authority shares."""
    return len(await published(session, authority))


async def forget_authority(session: AsyncSession, authority: str) -> int:
    """Delete the content of an authority's contracts, like a withdrawal; return their number.

    Revisions and hashes stay, so a redelivered event restores nothing.
    """
    forgotten = await session.execute(
        update(ContractRow)
        .where(col(ContractRow.authority) == authority, col(ContractRow.status) == ContractStatus.PUBLISHED.value)
        .values(status=ContractStatus.WITHDRAWN.value, payload=null())
        .returning(col(ContractRow.contract_id))
    )
    return len(forgotten.all())
