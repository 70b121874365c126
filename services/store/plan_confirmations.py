"""Plans that their authorities have not confirmed for months, and which authorities to ask about them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from events.topics import NOTICES
from services.domain.programme.shares import STALE_DAYS
from services.store.authorities import Authority
from services.store.intents import new_mail
from services.store.sharing import shared_sql

PURPOSE: Final = "confirmation"
"""The purpose of emails that ask whether plans are still true."""
ASK_AGAIN_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class UnconfirmedPlan:
    """A shared plan, as it stands, and the day on which its authority last sent something of it."""

    plan_id: str
    authority: str
    last_sent: date
    state: Any


# The same plans as `services.domain.programme.shares.stale`: days are those of the clocks of the United Kingdom.
_STALE: Final = text(
    "SELECT p.plan_id, p.authority, max((l.received_at AT TIME ZONE 'Europe/London')::date) AS last_sent, p.state"  # noqa: S608 (ours)
    " FROM plans p JOIN plan_log l USING (plan_id)"
    f" WHERE p.status = 'active' AND {shared_sql('p.state')} AND l.annulled_by IS NULL"
    " AND l.origin ->> 'topic' IS DISTINCT FROM :notices"
    " AND (CAST(:authority AS text) IS NULL OR p.authority = :authority)"
    " GROUP BY p.plan_id HAVING max((l.received_at AT TIME ZONE 'Europe/London')::date) < :before"
    " ORDER BY last_sent, p.plan_id"
)
_TO_ASK: Final = text(
    "SELECT authority FROM authorities WHERE confirmations"
    " AND (confirmation_asked_on IS NULL OR confirmation_asked_on <= :asked_before)"
    " AND (CAST(:authority AS text) IS NULL OR authority = :authority) ORDER BY authority"
)


async def unconfirmed(session: AsyncSession, as_of: date, authority: str | None = None) -> list[UnconfirmedPlan]:
    """The shared plans that nothing was sent of for six months, the oldest first; of one authority, or of all."""
    values = {
        "notices": NOTICES.name,
        "authority": authority,
        "before": as_of - timedelta(days=STALE_DAYS),
    }
    return [UnconfirmedPlan(*row) for row in await session.execute(_STALE, values)]


async def to_ask(session: AsyncSession, today: date, authority: str | None = None) -> Sequence[str]:
    """The authorities that want to be asked and were not within the last month.

    With an `authority`: only this one, if it is among them.
    """
    values = {"asked_before": today - timedelta(days=ASK_AGAIN_DAYS), "authority": authority}
    return (await session.execute(_TO_ASK, values)).scalars().all()


def add_email(session: AsyncSession, row: Authority, today: date, at: datetime) -> None:
    """Add the email that asks an authority, whose row the caller has locked. The sender gives it its Message-ID."""
    row.confirmation_asked_on = today
    session.add(new_mail(uuid.uuid4().hex, row.authority, PURPOSE, at))
