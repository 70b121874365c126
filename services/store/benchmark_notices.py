"""Notices to authorities about benchmarks of extensions: each is sent once, in an email of its own."""

import uuid
from datetime import datetime

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.domain.benchmark_requests import BenchmarkNotice
from services.store.database import now, timestamp
from services.store.intents import new_mail

PURPOSE = "benchmark"
"""The purpose of emails about benchmarks."""


class BenchmarkNoticeRow(SQLModel, table=True):
    """One notice and its email. The row outlives the email, so that no notice is repeated after a purge."""

    __tablename__ = "benchmark_notices"
    __table_args__ = (UniqueConstraint("request_id", "authority", "kind", name="benchmark_notices_once"),)

    mail_id: str = Field(primary_key=True)
    request_id: str
    authority: str
    kind: str
    created_at: datetime = Field(sa_column=timestamp())


async def add(session: AsyncSession, request_id: str, authority: str, kind: BenchmarkNotice, due_at: datetime) -> bool:
    """Write a notice unless it exists, with an email that is due at `due_at`; return whether it was new.

    The caller holds the lock of coalitions. The notifier sets the Message-ID when it sends the email.
    """
    known = select(col(BenchmarkNoticeRow.mail_id)).where(
        col(BenchmarkNoticeRow.request_id) == request_id,
        col(BenchmarkNoticeRow.authority) == authority,
        col(BenchmarkNoticeRow.kind) == kind.value,
    )
    if (await session.execute(known)).scalar() is not None:
        return False
    mail_id, at = uuid.uuid4().hex, now()
    session.add(new_mail(mail_id, authority, PURPOSE, at, due_at=due_at))
    session.add(
        BenchmarkNoticeRow(mail_id=mail_id, request_id=request_id, authority=authority, kind=kind.value, created_at=at)
    )
    await session.flush()
    return True


async def of_mail(session: AsyncSession, mail_id: str) -> BenchmarkNoticeRow:
    """The notice that an email carries."""
    found = await session.execute(select(BenchmarkNoticeRow).where(col(BenchmarkNoticeRow.mail_id) == mail_id))
    return found.scalar_one()
