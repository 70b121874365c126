"""Decides whether an email that carries one notice can go out now, later, or never."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.notifications import CancelReason, WaitReason
from services.notifier.delivery_results import close_unsent
from services.platform.clock import day_of
from services.store import deliveries
from services.store.authorities import Authority
from services.store.intents import Mail

LOOK_AGAIN: Final = timedelta(hours=6)
"""The wait before the next check of an email whose authority has no mailbox or has paused."""


class Recipient(NamedTuple):
    """An authority that can get the email now, with its mailbox."""

    authority: Authority
    mailbox: str


async def recipient_of(session: AsyncSession, mail: Mail, row: Authority | None, at: datetime) -> Recipient | None:
    """Return the recipient. None, and the email is put off, if there is no mailbox yet or the authority has paused.
    None, and the email is closed, if the authority has withdrawn."""
    today = day_of(at)
    if row is None or row.mailbox is None or row.is_paused(today):
        deliveries.mark_retry(
            mail, [], at, at + LOOK_AGAIN, WaitReason.PAUSED if row and row.mailbox else WaitReason.NO_MAILBOX
        )
        return None
    if not row.takes_part(today):
        await close_unsent(session, mail, [], row, at, CancelReason.NOT_WANTED)
        return None
    return Recipient(row, row.mailbox)
