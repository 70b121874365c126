"""Turns coalition events into notices to the members. Consuming an event twice changes nothing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import partial
from typing import Final

from aiokafka import ConsumerRecord as Record

from events.cloudevents import EnvelopeError, decode
from events.coalitions import COALITION_PAYLOADS, CoalitionState
from events.dead_letters import DeadLetterReason
from services.domain.coalition_notices import Notice, NoticeKind, plan_notices
from services.domain.ids import event_id
from services.notifier.rendering.email_message import Sender, message_id
from services.platform import logs, metrics
from services.platform.clock import LONDON, day_of
from services.store import advisory_locks, coalition_notices, coalitions
from services.store.database import Sessions, limit_idle_in_transaction, transaction

UNKNOWN: Final = "the database has no such coalition at this revision: it did not come from the coalitions process"
REMINDER_HOUR: Final = time(9, 0)

Refuse = Callable[[Record, DeadLetterReason, str], Awaitable[None]]

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class CoalitionEvents:
    """The handler's dependencies."""

    sessions: Sessions
    sender: Sender
    refuse: Refuse
    clock: Callable[[], datetime]

    async def handle(self, records: Sequence[Record]) -> None:
        """Handle a batch. The database holds the coalitions; an event only names the one to read."""
        with metrics.HANDLING.labels(process="notifier").time():
            for record in records:
                if record.value is None:
                    continue
                try:
                    event = decode(record.headers, record.value, COALITION_PAYLOADS)
                except EnvelopeError as error:
                    await self.refuse(record, error.reason, str(error))
                    continue
                assert isinstance(event.payload, CoalitionState)
                if not await self._note(event.payload):
                    await self.refuse(record, DeadLetterReason.UNKNOWN_SUBJECT, UNKNOWN)
        metrics.EVENTS_IN.labels(family="coalitions").inc(len(records))

    async def _note(self, state: CoalitionState) -> bool:
        """Write the notices due for a coalition; False if the database never had this revision."""
        at = self.clock()
        async with transaction(self.sessions) as session:
            await limit_idle_in_transaction(session)
            await advisory_locks.wait_for(session, advisory_locks.COALITION_NOTICES)
            row = await coalitions.load(session, state.coalition_id)
            if row is None or row.revision < state.revision:
                return False
            coalition = row.coalition
            today = day_of(at)
            due = [(one, self._due_at(one, at)) for one in plan_notices(coalition, row.status_by, today)]
            make_id = partial(notice_message_id, self.sender, state.coalition_id)
            added = await coalition_notices.add(session, state.coalition_id, due, make_id, at)
        for notice in added:
            log.info("notice", coalition_id=state.coalition_id, authority=notice.authority, kind=notice.kind.value)
        return True

    def _due_at(self, notice: Notice, at: datetime) -> datetime:
        if notice.due_on is None:
            return at
        return datetime.combine(notice.due_on, REMINDER_HOUR, LONDON)


def notice_message_id(sender: Sender, coalition_id: str, mail_id: str, notice: Notice, first: bool) -> str:
    """The Message-ID of a notice. That of the first invitation is derived from the coalition, so that later emails can
    refer to it."""
    if notice.kind is NoticeKind.INVITATION and first:
        return thread_id(sender, coalition_id, notice.authority)
    return message_id(mail_id, sender)


def thread_id(sender: Sender, coalition_id: str, authority: str) -> str:
    """The Message-ID that all emails to one authority about one coalition refer to."""
    # Short: a longer one is folded onto its own line, which some email programs misread.
    return f"<{event_id('thread', coalition_id, authority)}@{sender.domain}>"
