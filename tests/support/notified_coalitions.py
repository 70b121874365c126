"""Matcher, coalitions process and notifier without Kafka, on a real database and a real mail server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any, Final

from events.dead_letters import DeadLetterReason
from events.plans import PlanPayload
from events.topics import COALITIONS
from services.coalitions.opportunity_handler import OpportunityHandler
from services.local_stack.mail_sink import MailSink
from services.notifier import event_handler
from services.notifier.coalition_handler import CoalitionEvents
from services.notifier.rendering.email_message import sender
from services.platform.settings import Settings
from services.store.database import make_engine, make_sessions
from tests.support.coalitions import AS_OF, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, CoalitionsHarness
from tests.support.matcher import make_matcher
from tests.support.notifier import NotifierHarness

THREE: Final = (LEEDS, BRADFORD, KIRKLEES)
INVITED_AT: Final = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


@dataclass
class Line:
    """Matcher, coalitions process and notifier, one after the other."""

    harness: CoalitionsHarness
    notifier: NotifierHarness
    refused: list[DeadLetterReason]
    read_up_to: int = 0

    async def deliver(self, *, day: date | None = None, hour: int = 12) -> None:
        """The notifier reads what there is of coalitions, and sends what is due."""
        if day is not None:
            self.notifier.now = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        await self.events.handle(await self.records())
        await self.notifier.run()

    @property
    def events(self) -> CoalitionEvents:
        async def refuse(_: Any, reason: DeadLetterReason, __: str) -> None:
            self.refused.append(reason)

        return CoalitionEvents(
            self.harness.sessions, sender("Jointly <jointly@jointly.example>"), refuse, lambda: self.notifier.now
        )

    async def records(self) -> list[Any]:
        """The coalition events written since this was asked last."""
        rows = await self.harness.rows(
            f"SELECT id, headers, value FROM outbox WHERE topic = '{COALITIONS.name}' AND id > {self.read_up_to}"
            " ORDER BY id"
        )
        self.read_up_to = max([self.read_up_to, *(row.id for row in rows)])
        return [
            SimpleNamespace(
                topic=COALITIONS.name,
                partition=0,
                offset=row.id,
                headers=[(name, value.encode()) for name, value in row.headers],
                value=bytes(row.value),
            )
            for row in rows
        ]

    def to(self, authority: str) -> list[EmailMessage]:
        """The mails to one authority about coalitions, in the order in which they came; without receipts."""
        return [mail for mail in self._about_coalitions(authority) if not is_receipt(mail)]

    def receipts(self, authority: str) -> list[EmailMessage]:
        """The receipts of one authority's acts."""
        return [mail for mail in self._about_coalitions(authority) if is_receipt(mail)]

    def _about_coalitions(self, authority: str) -> list[EmailMessage]:
        mails = self.notifier.mails()
        found = [mail for mail in mails if authority.lower() in mail["To"] and "coalitions" in (mail["List-Id"] or "")]
        return sorted(found, key=lambda mail: datetime.strptime(mail["Date"], "%a, %d %b %Y %H:%M:%S %z"))

    async def plans(self, *payloads: PlanPayload) -> None:
        """Plans are matched; first the coalitions process, then the notifier reads what came of it."""
        await self.harness.matcher.handle([self.harness.record(payload) for payload in payloads])
        records = await self.harness.opportunity_records()
        await OpportunityHandler(self.harness.sessions, self.harness.settings).handle(records)
        await self.note(records)

    async def note(self, records: list[Any]) -> None:
        """The notifier reads opportunity events."""
        told = [event_handler.read(record) for record in records]
        await event_handler.record_intents(self.harness.sessions, told, self.notifier.now, notify_batch_seconds=60)

    def subjects(self) -> dict[str, list[str]]:
        """The subjects of the mails to each authority."""
        return {authority: [mail["Subject"] for mail in self.to(authority)] for authority in THREE}


@asynccontextmanager
async def open_line(database_url: str, mailbox: MailSink) -> AsyncIterator[Line]:
    """A line on an empty database, whose four councils are registered."""
    engine = make_engine(database_url)
    sessions, settings = make_sessions(engine), Settings(as_of=AS_OF)
    harness = CoalitionsHarness(await make_matcher(sessions, settings), sessions, settings)
    notifier = NotifierHarness(sessions, mailbox, now=INVITED_AT)
    for authority in (*THREE, CALDERDALE):
        address = f"buying@{authority.lower()}.example"
        await notifier.register(authority, mailbox=address, name=f"Council {authority}", signed_on=date(2026, 4, 1))
    yield Line(harness, notifier, [])
    await engine.dispose()


def is_receipt(mail: EmailMessage) -> bool:
    """Whether a mail is the receipt of its reader's own act."""
    return ": noted, " in mail["Subject"]
