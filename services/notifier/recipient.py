"""Whether an email that one notice fills can go out now: to whom, later, or not at all."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.notifications import CancelReason
from services.notifier.delivery_results import close_unsent
from services.platform.clock import day_of
from services.store import deliveries
from services.store.authorities import Authority
from services.store.intents import Mail

LOOK_AGAIN: Final = timedelta(hours=6)
"""When an email to an authority without a mailbox, or that has paused, is looked at again."""


class Recipient(NamedTuple):
    """An authority that wants the email, and its mailbox."""

    authority: Authority
    mailbox: str


def recipient_of(session: AsyncSession, mail: Mail, row: Authority | None, at: datetime) -> Recipient | None:
    """The recipient. None where there is no mailbox yet or the authority has paused: the email is put off. None, and
    the email is closed, where the authority wants none."""
    today = day_of(at)
    if row is None or row.mailbox is None or row.is_paused(today):
        deliveries.mark_retry(mail, [], at, at + LOOK_AGAIN, "paused" if row and row.mailbox else "no-mailbox")
        return None
    if not (row.immediate or row.digest) or not row.takes_part(today):
        close_unsent(session, mail, [], row, at, CancelReason.NOT_WANTED)
        return None
    return Recipient(row, row.mailbox)
