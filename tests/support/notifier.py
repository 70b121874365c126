"""A notifier on a real database and a real mail server, with a clock that the test sets."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, cast

from sqlalchemy import select

from events.cloudevents import decode
from events.notifications import NOTIFICATION_PAYLOADS, NotificationOutcome
from events.opportunities import OpportunityState
from services.domain import notification_schedule
from services.domain.links import LinkMaker
from services.domain.notification_caps import Caps
from services.local_stack.mail_sink import MailSink
from services.notifier import batching, channels, delivery_results, event_handler
from services.notifier.context import DispatchContext
from services.notifier.dispatch import dispatch_once
from services.notifier.rendering.email_message import sender
from services.store import authorities, deliveries
from services.store import intents as notifications
from services.store.authorities import AuthorityUpdate
from services.store.database import Sessions, transaction
from services.store.framework_index import FrameworkIndex
from services.store.intents import Intent, Mail, WithheldNotifications
from services.store.opportunities import Opportunity
from services.store.outbox import Outbox
from tests.unit.notifier.making import CAMDEN, LEEDS, NAMES

MONDAY_NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ADDRESS = {LEEDS: "procurement@leeds.example", CAMDEN: "buying@camden.example"}


@dataclass
class NotifierHarness:
    """A notifier with a clock that the test sets."""

    sessions: Sessions
    mailbox: MailSink
    now: datetime = MONDAY_NOON
    caps: Caps = field(default_factory=Caps)
    links: LinkMaker | None = None
    frameworks: FrameworkIndex | None = None

    def dispatch(self, **changes: Any) -> DispatchContext:
        found = DispatchContext(
            sessions=self.sessions,
            channel=channels.smtp_from_url(self.mailbox.url, timeout=5),
            sender=sender("Jointly <jointly@jointly.example>"),
            caps=self.caps,
            clock=lambda: self.now,
            chance=lambda: 1.0,
            links=self.links,
            frameworks=self.frameworks,
        )
        return replace(found, **changes)

    async def register(self, *codes: str, **fields: Any) -> None:
        async with transaction(self.sessions) as session:
            for code in codes:
                given = {
                    "name": NAMES.get(code, f"Council {code}"),
                    "mailbox": ADDRESS.get(code, f"buying@{code.lower()}.example"),
                }
                await authorities.save(session, AuthorityUpdate(code, given | fields))

    async def stands(self, *states: OpportunityState) -> None:
        """What the matcher has written."""
        async with transaction(self.sessions) as session:
            for item in states:
                await session.merge(_row(item, self.now))

    async def spoil(self, item: OpportunityState) -> None:
        """What is stored of an opportunity can't be read any more."""
        async with transaction(self.sessions) as session:
            row = await session.get(Opportunity, item.opportunity_id)
            assert row is not None
            row.payload = {"opportunity_id": item.opportunity_id}

    async def arrives(self, *states: OpportunityState, known: bool = True) -> int:
        """The matcher has written it, and its event has come; how many intents that made. `known`: the register has
        both authorities, if only by name."""
        await self.stands(*states)
        if known:
            await self._name({side.authority for item in states for side in item.plans})
        before = len(await self.intents())
        assert await self.comes(*states) == []
        return len(await self.intents()) - before

    async def comes(self, *states: OpportunityState) -> list[OpportunityState]:
        """An event comes, whether or not the matcher wrote it; those that are refused."""
        told = [
            event_handler.OpportunityEvent(f"event-{item.opportunity_id[:6]}-{item.revision}", item, cast(Any, None))
            for item in states
        ]
        refused = await event_handler.record_intents(self.sessions, told, self.now, notify_batch_seconds=60)
        return [item.state for item in refused]

    async def _name(self, codes: set[str]) -> None:
        async with transaction(self.sessions) as session:
            for code in codes - set(await authorities.by_codes(session, sorted(codes))):
                await authorities.save(session, AuthorityUpdate(code, {"name": NAMES.get(code, f"Council {code}")}))

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    async def run(self, **changes: Any) -> int:
        return await dispatch_once(self.dispatch(**changes))

    async def gather(self) -> int:
        """Freezes what is due into mails, and sends nothing."""
        return await batching.batch_due_intents(self.dispatch())

    async def prefer(self, authority: str, change: dict[str, object], opportunity_id: str) -> None:
        """Changes what an authority wants to hear."""
        partners = frozenset([str(change["mute_partner"])]) if "mute_partner" in change else None
        opportunities = frozenset([opportunity_id]) if "mute_opportunity" in change else None
        fields = {name: value for name, value in change.items() if not name.startswith("mute")}
        if "withdrawn_on" in fields:
            fields["withdrawn_on"] = self.now.date()
        async with transaction(self.sessions) as session:
            await authorities.save(session, AuthorityUpdate(authority, fields, partners, opportunities))

    async def forsaken(self) -> int:
        return await delivery_results.recover_expired(self.dispatch())

    async def claim(self) -> Mail | None:
        """Somebody claims the next mail, and does nothing with it."""
        async with transaction(self.sessions) as session:
            return await deliveries.claim_next(session, "somebody", self.now, notification_schedule.LEASE)

    def stopping_channel(self) -> "Stopping":
        return Stopping(channels.smtp_from_url(self.mailbox.url, timeout=5))

    def start(self, work: Coroutine[Any, Any, int]) -> "asyncio.Task[int]":
        """Does something beside the test."""
        return asyncio.create_task(work)

    async def held(self) -> Sequence[WithheldNotifications]:
        async with self.sessions() as session:
            return await notifications.withheld(session, self.now)

    def mails(self, to: str | None = None) -> list[EmailMessage]:
        return [mail for mail in self.mailbox.mails() if to is None or ADDRESS.get(to, to) in mail["To"]]

    async def intents(self, authority: str | None = None) -> list[Intent]:
        async with self.sessions() as session:
            rows = (await session.execute(select(Intent).order_by(Intent.id))).scalars().all()
        return [row for row in rows if authority in (None, row.authority)]

    async def all_mails(self) -> list[Mail]:
        async with self.sessions() as session:
            return list((await session.execute(select(Mail).order_by(Mail.created_at))).scalars().all())

    async def events(self) -> list[NotificationOutcome]:
        async with self.sessions() as session:
            rows = (await session.execute(select(Outbox).order_by(Outbox.id))).scalars().all()
        found = [decode(m.headers, m.value, NOTIFICATION_PAYLOADS).payload for m in (row.message() for row in rows)]
        return [payload for payload in found if isinstance(payload, NotificationOutcome)]


@dataclass
class Stopping:
    """The real way out, but it stops before it begins until it is told to go on."""

    onward: channels.Channel
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: bytes, sender: str, recipient: str) -> None:
        self.reached.set()
        await self.go_on.wait()
        await self.onward.send(message, sender, recipient)


def _row(item: OpportunityState, at: datetime) -> Opportunity:
    a, b = sorted(item.plans, key=lambda plan: plan.plan_id)
    return Opportunity(
        opportunity_id=item.opportunity_id,
        plan_a=a.plan_id,
        plan_b=b.plan_id,
        revision_a=a.revision,
        revision_b=b.revision,
        authority_a=a.authority,
        authority_b=b.authority,
        revision=item.revision,
        material_revision=item.material_revision,
        status=item.status,
        score=item.score or 0,
        band=item.band,
        payload=item.model_dump(mode="json"),
        last_notified={},
        content_hash="-",
        causation_id=None,
        generation="1",
        assessed_as_of=item.assessed_as_of,
        review_on=None,
        created_at=at,
        updated_at=at,
    )


def body(mail: EmailMessage, kind: str = "plain") -> str:
    """The text, or the HTML, of a received mail."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())
