"""Notices to members of coalitions. The notifier sends each notice once, in its own email."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Column, Identity, UniqueConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.domain.coalition_notices import Notice
from services.store.database import timestamp
from services.store.intents import new_mail

PURPOSE = "coalition"
"""The purpose of emails about coalitions."""


class CoalitionNotice(SQLModel, table=True):
    """One notice to one member, and the email that carries it."""

    __tablename__ = "coalition_notices"
    __table_args__ = (UniqueConstraint("coalition_id", "authority", "kind", "occasion", name="coalition_notices_once"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    coalition_id: str
    authority: str
    plan_id: str
    kind: str
    occasion: str
    mail_id: str = Field(foreign_key="notification_mails.mail_id", index=True)
    created_at: datetime = Field(sa_column=timestamp())


def new_mail_id() -> str:
    """The id of a new email."""
    return uuid.uuid4().hex


async def add(
    session: AsyncSession,
    coalition_id: str,
    notices: Sequence[tuple[Notice, datetime]],
    message_id: Callable[[str, Notice, bool], str],
    at: datetime,
) -> list[Notice]:
    """Insert missing notices, each with an email that is due when the notice is. Returns the new notices.

    `message_id` builds the Message-ID of an email from its id, the notice, and whether the authority gets its first of
    this kind.
    """
    added = []
    for notice, due_at in notices:
        mail_id = new_mail_id()
        found = await session.execute(
            select(col(CoalitionNotice.occasion)).where(
                col(CoalitionNotice.coalition_id) == coalition_id,
                col(CoalitionNotice.authority) == notice.authority,
                col(CoalitionNotice.kind) == notice.kind.value,
            )
        )
        known = set(found.scalars())
        if notice.occasion in known:
            continue
        session.add(
            new_mail(
                mail_id,
                notice.authority,
                PURPOSE,
                at,
                due_at=due_at,
                message_id=message_id(mail_id, notice, not known),
                coalition_id=coalition_id,
            )
        )
        await session.flush()
        await session.execute(
            insert(CoalitionNotice).values(
                coalition_id=coalition_id,
                authority=notice.authority,
                plan_id=notice.plan_id,
                kind=notice.kind.value,
                occasion=notice.occasion,
                mail_id=mail_id,
                created_at=at,
            )
        )
        added.append(notice)
    return added


async def of_mail(session: AsyncSession, mail_id: str) -> CoalitionNotice:
    """Return the notice that an email carries."""
    found = await session.execute(select(CoalitionNotice).where(col(CoalitionNotice.mail_id) == mail_id))
    return found.scalar_one()
