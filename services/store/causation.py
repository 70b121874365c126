"""The effects of one plan event: opportunities, messages, intents and emails, as long as the database keeps their
rows."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.domain.ids import cause_id
from services.store import id_keys
from services.store.intents import Intent, Mail
from services.store.opportunities import Opportunity
from services.store.outbox import Outbox
from services.store.plan_log import PlanLog
from services.store.plans import PlanRecord


@dataclass(frozen=True, slots=True)
class Step:
    """One row caused by a plan event. `part`: plan log, opportunity, outbox, intent or email; `state`: its status."""

    at: datetime
    part: str
    id: str
    about: str
    state: str


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of the messages that a plan event causes."""

    opportunities: str
    notifications: str


async def steps(session: AsyncSession, event_id: str, topics: Topics) -> list[Step]:
    """Return the effects of the plan event with this id, by part; empty if the plan log lacks the event."""
    logged = select(PlanLog).where(col(PlanLog.event_id) == event_id).order_by(col(PlanLog.id))
    found: list[Step] = []
    for row in (await session.execute(logged)).scalars().all():
        found += await _of_row(session, row, topics)
    return found


async def _of_row(session: AsyncSession, row: PlanLog, topics: Topics) -> list[Step]:
    causes = {row.event_id, cause_id(await id_keys.load(session), row.event_id)}
    plan = await session.get(PlanRecord, row.plan_id)
    ends = or_(col(Opportunity.plan_a) == row.plan_id, col(Opportunity.plan_b) == row.plan_id)
    pairs = (await session.execute(select(Opportunity).where(ends).order_by(col(Opportunity.opportunity_id)))).scalars()
    known = {pair.opportunity_id: pair for pair in pairs}
    intents = (await session.execute(_intents(known, causes))).scalars().all()
    mail_ids = sorted({intent.mail_id for intent in intents if intent.mail_id})
    mails = (await session.execute(select(Mail).where(col(Mail.mail_id).in_(mail_ids)))).scalars().all()
    return [
        _logged(row, plan),
        *(_pair(pair, row.plan_id) for pair in known.values() if pair.causation_id == row.event_id),
        *await _messages(session, topics.opportunities, known, causes),
        *(_intent(intent) for intent in intents),
        *(_mail(mail) for mail in sorted(mails, key=lambda mail: (mail.created_at, mail.mail_id))),
        *await _messages(session, topics.notifications, mail_ids, None),
    ]


def _intents(opportunity_ids: Iterable[str], causes: Collection[str]) -> Select[Intent]:
    query = select(Intent).where(col(Intent.opportunity_id).in_(list(opportunity_ids)))
    return query.where(col(Intent.causation_id).in_(causes)).order_by(col(Intent.id))


async def _messages(
    session: AsyncSession, topic: str, keys: Iterable[str], causes: Collection[str] | None
) -> list[Step]:
    """Return the messages with these keys; with causes, only those that name one of them."""
    query = select(Outbox).where(col(Outbox.topic) == topic, col(Outbox.key).in_(list(keys)))
    rows: Sequence[Outbox] = (await session.execute(query.order_by(col(Outbox.id)))).scalars().all()
    return [
        Step(
            row.created_at,
            "outbox",
            row.event_id,
            f"{topic} {row.key}",
            "waiting" if row.published_at is None else f"published {row.published_at:%Y-%m-%d %H:%M:%S}",
        )
        for row in rows
        if causes is None or row.causation_id in causes
    ]


def _logged(row: PlanLog, plan: PlanRecord | None) -> Step:
    state = "not applied"
    if plan is not None and plan.revision > row.revision:
        state = f"superseded by revision {plan.revision}"
    elif plan is not None and plan.quarantined:
        state = "quarantined: its assessment failed"
    elif plan is not None:
        state = "assessed" if plan.assessed_revision >= row.revision else "still to be assessed"
    about = f"{row.event_type} {row.plan_id} revision {row.revision}"
    return Step(row.received_at, "plan log", row.event_id, about, state)


def _pair(pair: Opportunity, plan_id: str) -> Step:
    partner = pair.plan_b if pair.plan_a == plan_id else pair.plan_a
    about = f"revision {pair.revision} with {partner}"
    return Step(pair.updated_at, "opportunity", pair.opportunity_id, about, f"{pair.status}, {pair.band}")


def _intent(intent: Intent) -> Step:
    about = f"{intent.purpose}, {intent.change}, to {intent.authority} about {intent.opportunity_id}"
    state = intent.state if intent.reason is None else f"{intent.state}: {intent.reason}"
    return Step(intent.created_at, "intent", str(intent.id), about, state)


def _mail(mail: Mail) -> Step:
    state = mail.state if mail.reason is None else f"{mail.state}: {mail.reason}"
    return Step(mail.created_at, "email", mail.mail_id, f"{mail.purpose} to {mail.authority}", state)
