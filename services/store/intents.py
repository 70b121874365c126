"""Notification intents, the emails that carry them, and every transition between their states.

An intent is one notification to one authority: a material revision of an opportunity. An email freezes intents under
one Message-ID. Withdrawals and senders both change intents, so each locks their rows first, in id order.

Intent: pending -> queued (frozen in an email) -> sending -> sent | failed | ambiguous (nobody knows whether it
arrived). Before sending it may become cancelled, with a reason.

Email: queued -> claimed -> sending -> sent | failed | cancelled. A claim is one sender's lease. The sender commits
`sending` before it contacts the mail server. An email is ambiguous if its sender vanished or lost the connection while
sending; the notifier then tries once more under the same Message-ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    UniqueConstraint,
    and_,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from services.domain.notifications import POSSIBLY_SENT, EmailState, IntentState, Purpose, WaitReason
from services.platform.clock import day_of
from services.store.addressees import addressee_code
from services.store.authorities import Authority
from services.store.database import in_array, limit_idle_in_transaction, timestamp
from services.store.opportunities import Opportunity

_AUTHORITIES_AT_ONCE: Final = 200


class Intent(SQLModel, table=True):
    """One notification to one authority. `possibly_delivered` stays true once the outcome of an attempt is unknown.

    `only_if_notified`: it only makes sense to a reader of an earlier email (a correction, a weakening). `mail_count`
    counts the emails it was frozen into. `occasion` is empty if the opportunity's state caused it, else it names the
    act of an authority that did. `source_event_id` is the id of the event that caused it, `causation_id` that of the
    plan event behind that.
    """

    __tablename__ = "notification_intents"
    __table_args__ = (
        UniqueConstraint(
            "opportunity_id",
            "material_revision",
            "authority",
            "channel",
            "occasion",
            name="notification_intents_once",
        ),
        Index("notification_intents_due", "authority", "due_at", postgresql_where=text("state = 'pending'")),
        Index(
            "notification_intents_over_cap",
            "authority",
            "partner",
            postgresql_where=text(f"state = 'pending' AND reason = '{WaitReason.OVER_CAP}'"),
        ),
        Index("notification_intents_mail", "mail_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    opportunity_id: str
    material_revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    authority: str
    partner: str
    channel: str = Field(default="email")
    purpose: str
    band: str
    change: str
    occasion: str = Field(default="")
    only_if_notified: bool = Field(default=False)
    possibly_delivered: bool = Field(default=False)
    state: str = Field(default=IntentState.PENDING)
    reason: str | None = Field(default=None)
    mail_count: int = Field(default=0)
    mail_id: str | None = Field(default=None, foreign_key="notification_mails.mail_id")
    source_event_id: str
    causation_id: str | None = Field(default=None)
    due_at: datetime = Field(sa_column=timestamp())
    created_at: datetime = Field(sa_column=timestamp())
    updated_at: datetime = Field(sa_column=timestamp())


class Mail(SQLModel, table=True):
    """One email to one authority. The sender `lease_owner` has its lease until `lease_until`. `unknown_outcomes` counts
    the attempts that may have delivered it."""

    __tablename__ = "notification_mails"
    __table_args__ = (
        Index(
            "notification_mails_next",
            "next_attempt_at",
            postgresql_where=text("state IN ('queued', 'claimed', 'sending', 'ambiguous')"),
        ),
        Index("notification_mails_authority", "authority", "created_at"),
    )

    mail_id: str = Field(primary_key=True)
    authority: str
    channel: str = Field(default="email")
    purpose: str
    coalition_id: str | None = Field(default=None, description="the coalition that the email is about, if any")
    message_id: str
    state: str = Field(default=EmailState.QUEUED)
    attempts: int = Field(default=0)
    unknown_outcomes: int = Field(default=0)
    next_attempt_at: datetime = Field(sa_column=timestamp())
    lease_owner: str | None = Field(default=None)
    lease_until: datetime | None = Field(default=None, sa_column=timestamp(nullable=True))
    failure: str | None = Field(default=None)
    reason: str | None = Field(default=None)
    created_at: datetime = Field(sa_column=timestamp())
    updated_at: datetime = Field(sa_column=timestamp())


def new_mail(
    mail_id: str,
    authority: str,
    purpose: str,
    at: datetime,
    *,
    due_at: datetime | None = None,
    message_id: str = "",
    coalition_id: str | None = None,
) -> Mail:
    """Make an email that is due at `due_at`, or now. Without a `message_id` the notifier sets it when it sends."""
    return Mail(
        mail_id=mail_id,
        authority=authority,
        purpose=purpose,
        coalition_id=coalition_id,
        message_id=message_id,
        next_attempt_at=due_at or at,
        created_at=at,
        updated_at=at,
    )


async def add(session: AsyncSession, intents: Sequence[Intent]) -> int:
    """Insert missing intents in key order, so that two concurrent writers can't deadlock. Returns the number
    inserted."""
    if not intents:
        return 0
    columns = [name for name in Intent.model_fields if name != "id"]
    ordered = sorted(intents, key=lambda intent: (intent.opportunity_id, intent.material_revision, intent.authority))
    rows = [{name: getattr(intent, name) for name in columns} for intent in ordered]
    statement = insert(Intent).on_conflict_do_nothing(constraint="notification_intents_once").returning(col(Intent.id))
    return len((await session.execute(statement, rows)).scalars().all())


async def locked_of(session: AsyncSession, opportunity_ids: Sequence[str]) -> Sequence[Intent]:
    """Return every intent about these opportunities, locked."""
    await limit_idle_in_transaction(session)
    query = select(Intent).where(in_array(col(Intent.opportunity_id), opportunity_ids))
    return (await session.execute(query.order_by(col(Intent.id)).with_for_update())).scalars().all()


async def for_opportunities(session: AsyncSession, opportunity_ids: Sequence[str]) -> Sequence[Intent]:
    """Return every intent about these opportunities, without a lock."""
    query = select(Intent).where(in_array(col(Intent.opportunity_id), opportunity_ids))
    return (await session.execute(query.order_by(col(Intent.id)))).scalars().all()


async def locked_in(session: AsyncSession, mail_id: str) -> Sequence[Intent]:
    """Return the intents frozen in an email, locked."""
    await limit_idle_in_transaction(session)
    query = select(Intent).where(col(Intent.mail_id) == mail_id)
    return (await session.execute(query.order_by(col(Intent.id)).with_for_update())).scalars().all()


@dataclass(frozen=True, slots=True)
class Stand:
    """The current state of an opportunity, and its two authorities."""

    revision: int
    material_revision: int
    authorities: frozenset[str]


async def current_stands(session: AsyncSession, opportunity_ids: Sequence[str]) -> dict[str, Stand]:
    """Return the current state of each of these opportunities that exists."""
    names = ("opportunity_id", "revision", "material_revision", "authority_a", "authority_b")
    query = select(*(getattr(Opportunity, name) for name in names))
    rows = await session.execute(query.where(in_array(col(Opportunity.opportunity_id), opportunity_ids)))
    return {key: Stand(revision, material, frozenset(both)) for key, revision, material, *both in rows}


_ACTORS: Final = text(
    "SELECT o.opportunity_id, p.authority FROM opportunities o JOIN plans p ON p.plan_id IN (o.plan_a, o.plan_b)"
    " AND p.event_id = o.causation_id WHERE o.opportunity_id = ANY(:ids)"
)


async def actors(session: AsyncSession, opportunity_ids: Sequence[str]) -> dict[str, str]:
    """The authority whose plan event caused the state of each opportunity, unless that plan has a later event."""
    rows = await session.execute(_ACTORS, {"ids": list(opportunity_ids)})
    return {opportunity_id: authority for opportunity_id, authority in rows}  # noqa: C416 (rows are no pairs)


def cancel(intent: Intent, reason: str, at: datetime) -> None:
    """Cancel an intent, with a reason in one word."""
    set_state(intent, IntentState.CANCELLED, at, reason)


def release(intent: Intent, purpose: Purpose, due_at: datetime, at: datetime) -> None:
    """Release an intent from its email, so that another email can carry it."""
    intent.purpose, intent.due_at, intent.mail_id = purpose, due_at, None
    set_state(intent, IntentState.PENDING, at)


def set_state(intent: Intent, state: str, at: datetime, reason: str | None = None) -> None:
    """Change an intent's state. Only this module and `deliveries` call it."""
    intent.state, intent.reason, intent.updated_at = state, reason, at


async def told_before(session: AsyncSession, authority: str, opportunity_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return the states of the authority's intents that were sent, by opportunity."""
    query = select(col(Intent.opportunity_id), col(Intent.state)).where(
        col(Intent.authority) == authority,
        in_array(col(Intent.opportunity_id), opportunity_ids),
        or_(col(Intent.state).in_(POSSIBLY_SENT), col(Intent.possibly_delivered)),
    )
    found: dict[str, set[str]] = {}
    for opportunity_id, state in await session.execute(query):
        found.setdefault(opportunity_id, set()).add(state)
    return found


async def due_authorities(session: AsyncSession, at: datetime) -> Sequence[str]:
    """Return registered authorities that have intents due and a mailbox to write to, not paused."""
    recipient = aliased(Authority)
    due = exists().where(
        col(Intent.authority) == col(Authority.authority),
        col(Intent.state) == IntentState.PENDING,
        col(Intent.due_at) <= at,
    )
    query = (
        select(col(Authority.authority))
        .join(recipient, col(recipient.authority) == addressee_code(col(Authority.authority), day_of(at)))
        .where(
            col(recipient.mailbox).is_not(None),
            or_(col(recipient.paused_until).is_(None), col(recipient.paused_until) <= day_of(at)),
            due,
        )
        .limit(_AUTHORITIES_AT_ONCE)
    )
    return (await session.execute(query)).scalars().all()


async def lock_authority(session: AsyncSession, authority: str) -> Authority | None:
    """Lock the authority's row, or return None if another process holds it. One notifier batches for an authority at a
    time."""
    query = select(Authority).where(col(Authority.authority) == authority).with_for_update(skip_locked=True)
    return (await session.execute(query)).scalar_one_or_none()


async def to_gather(session: AsyncSession, authority: str, at: datetime, ahead: datetime) -> Sequence[Intent]:
    """Return the authority's due intents, and its immediate ones due before `ahead`; locked.

    An intent over a cap is left out until it is due.
    """
    await limit_idle_in_transaction(session)
    waiting = col(Intent.authority) == authority, col(Intent.state) == IntentState.PENDING, col(Intent.due_at) <= ahead
    along = and_(col(Intent.purpose) == Purpose.IMMEDIATE, col(Intent.reason).is_distinct_from(WaitReason.OVER_CAP))
    query = select(Intent).where(*waiting, or_(col(Intent.due_at) <= at, along))
    return (await session.execute(query.order_by(col(Intent.id)).with_for_update())).scalars().all()


@dataclass(frozen=True, slots=True)
class WithheldNotifications:
    """Intents withheld from an authority without a mailbox or with a pause; with `unknown-partner`, those about this
    authority, which nobody receives."""

    authority: str
    why: WaitReason
    intents: int
    oldest: datetime


async def withheld(session: AsyncSession, at: datetime) -> Sequence[WithheldNotifications]:
    """Return withheld notifications by authority, the longest waiting first."""
    query = (
        select(col(Intent.authority), col(Authority.mailbox), func.count(), func.min(col(Intent.created_at)))
        .join(Authority, col(Authority.authority) == addressee_code(col(Intent.authority), day_of(at)), isouter=True)
        .where(
            col(Intent.state) == IntentState.PENDING,
            or_(col(Authority.mailbox).is_(None), col(Authority.paused_until) > day_of(at)),
        )
        .group_by(col(Intent.authority), col(Authority.mailbox))
        .order_by(func.min(col(Intent.created_at)))
    )
    rows = await session.execute(query)
    found = [
        WithheldNotifications(code, WaitReason.PAUSED if mailbox else WaitReason.NO_MAILBOX, count, oldest)
        for code, mailbox, count, oldest in rows
    ]
    return found + await _about_unknown(session)


async def _about_unknown(session: AsyncSession) -> list[WithheldNotifications]:
    oldest = func.min(col(Intent.created_at))
    query = (
        select(col(Intent.partner), func.count(), oldest)
        .where(col(Intent.state) == IntentState.PENDING, col(Intent.reason) == WaitReason.UNKNOWN_PARTNER)
        .group_by(col(Intent.partner))
        .order_by(oldest)
    )
    return [
        WithheldNotifications(code, WaitReason.UNKNOWN_PARTNER, count, since)
        for code, count, since in await session.execute(query)
    ]


async def requeue_failed(session: AsyncSession, authority: str, at: datetime) -> int:
    """Retry the failed intents of an authority whose mailbox changed. Those that no longer hold are dropped later."""
    failed = select(col(Intent.id)).where(col(Intent.authority) == authority, col(Intent.state) == IntentState.FAILED)
    ids = (await session.execute(failed.order_by(col(Intent.id)).with_for_update())).scalars().all()
    again = update(Intent).where(in_array(col(Intent.id), ids))
    await session.execute(again.values(state=IntentState.PENDING, reason=None, mail_id=None, due_at=at, updated_at=at))
    return len(ids)
