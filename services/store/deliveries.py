"""Emails. One sender at a time claims an email; each transition of an email also moves its intents."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.domain.notifications import UNDELIVERED, DeliveryFailure, EmailState, IntentState, Purpose
from services.store.database import in_array
from services.store.intents import Intent, Mail, set_state


def attach_intents(mail: Mail, intents: Sequence[Intent], at: datetime) -> None:
    """Freeze intents in an email. From now on they are sent together, or not at all."""
    for intent in intents:
        intent.mail_id = mail.mail_id
        intent.mail_count += 1
        set_state(intent, IntentState.QUEUED, at)


async def mails_since(session: AsyncSession, authority: str, purpose: Purpose, since: datetime) -> int:
    """Count the emails of one purpose sent, or being sent, to the authority since a moment."""
    query = select(func.count()).where(
        col(Mail.authority) == authority,
        col(Mail.purpose) == purpose,
        col(Mail.created_at) > since,
        col(Mail.state).not_in((EmailState.FAILED, EmailState.CANCELLED)),
    )
    return int((await session.execute(query)).scalar_one())


async def earlier_messages(session: AsyncSession, mail: Mail, opportunity_ids: Sequence[str]) -> list[str]:
    """The Message-IDs of earlier emails that told, or may have told, the authority of these opportunities, oldest
    first."""
    query = (
        select(col(Mail.message_id))
        .join(Intent, col(Intent.mail_id) == col(Mail.mail_id))
        .where(
            col(Mail.authority) == mail.authority,
            col(Mail.mail_id) != mail.mail_id,
            col(Mail.state).in_((EmailState.SENT, EmailState.AMBIGUOUS)),
            in_array(col(Intent.opportunity_id), opportunity_ids),
        )
        .group_by(col(Mail.message_id))
        .order_by(func.min(col(Mail.created_at)), col(Mail.message_id))
    )
    return list((await session.execute(query)).scalars())


async def claim_next(session: AsyncSession, lease_owner: str, at: datetime, lease: timedelta) -> Mail | None:
    """Claim the next email to send, for the length of the lease. Emails that another sender holds are skipped."""
    ready = and_(col(Mail.state).in_((EmailState.QUEUED, EmailState.AMBIGUOUS)), col(Mail.next_attempt_at) <= at)
    forsaken = and_(col(Mail.state) == EmailState.CLAIMED, col(Mail.lease_until) < at)
    query = select(Mail).where(or_(ready, forsaken)).order_by(col(Mail.next_attempt_at)).limit(1)
    mail = (await session.execute(query.with_for_update(skip_locked=True))).scalar_one_or_none()
    if mail is not None:
        mail.state, mail.updated_at = EmailState.CLAIMED, at
        mail.lease_owner, mail.lease_until = lease_owner, at + lease
    return mail


async def get_leased(session: AsyncSession, mail_id: str, lease_owner: str) -> Mail | None:
    """Return the email, locked, if this sender still holds it."""
    mail = await session.get(Mail, mail_id, with_for_update=True)
    return mail if mail is not None and mail.lease_owner == lease_owner else None


async def expired_sending(session: AsyncSession, at: datetime) -> Mail | None:
    """Return an email whose lease expired while it was being sent, locked. Nobody knows whether it arrived."""
    query = select(Mail).where(col(Mail.state) == EmailState.SENDING, col(Mail.lease_until) < at).limit(1)
    return (await session.execute(query.with_for_update(skip_locked=True))).scalar_one_or_none()


async def other_waiting(session: AsyncSession, mail: Mail) -> bool:
    """Return whether another email of the same purpose still waits for the authority."""
    query = select(func.count()).where(
        col(Mail.authority) == mail.authority,
        col(Mail.purpose) == mail.purpose,
        col(Mail.mail_id) != mail.mail_id,
        col(Mail.state).in_(UNDELIVERED),
    )
    return bool((await session.execute(query)).scalar_one())


def is_due(at: datetime) -> ColumnElement[bool]:
    """Return a condition: the email is due, or was tried before. A reminder waits for its day."""
    return or_(col(Mail.attempts) > 0, col(Mail.next_attempt_at) <= at)


async def waiting_mails(session: AsyncSession, at: datetime) -> dict[str, int]:
    """Count the emails that are due and neither sent nor failed, by state."""
    query = (
        select(col(Mail.state), func.count())
        .where(col(Mail.state).in_(UNDELIVERED), is_due(at))
        .group_by(col(Mail.state))
    )
    return {state: count for state, count in await session.execute(query)}  # noqa: C416 (rows are not pairs)


async def failed_mails(session: AsyncSession, limit: int) -> Sequence[Mail]:
    """Return the failed emails, newest first."""
    query = select(Mail).where(col(Mail.state) == EmailState.FAILED).order_by(col(Mail.updated_at).desc()).limit(limit)
    return (await session.execute(query)).scalars().all()


def mark_sending(mail: Mail, told: Sequence[Intent], at: datetime) -> None:
    """Mark the email as being sent. Commit this before contacting the mail server."""
    mail.state, mail.updated_at = EmailState.SENDING, at
    mail.attempts += 1
    for intent in told:
        set_state(intent, IntentState.SENDING, at)


def mark_sent(mail: Mail, intents: Sequence[Intent], at: datetime) -> None:
    """Mark the email as sent: the mail server accepted it. Valid even after the sender's lease has expired."""
    arrived = (
        (IntentState.SENDING, IntentState.AMBIGUOUS) if mail.state == EmailState.AMBIGUOUS else (IntentState.SENDING,)
    )
    _settle(mail, EmailState.SENT, at)
    for intent in intents:
        if intent.state in arrived:
            set_state(intent, IntentState.SENT, at)


def mark_retry(mail: Mail, intents: Sequence[Intent], at: datetime, next_attempt_at: datetime, reason: str) -> None:
    """Schedule a retry: the mail server refused the email for now."""
    _settle(mail, EmailState.AMBIGUOUS if mail.unknown_outcomes else EmailState.QUEUED, at, reason=reason)
    mail.next_attempt_at = next_attempt_at
    for intent in _under_way(intents):
        set_state(intent, IntentState.AMBIGUOUS if intent.possibly_delivered else IntentState.QUEUED, at)


def mark_failed(mail: Mail, intents: Sequence[Intent], at: datetime, failure: DeliveryFailure, reason: str) -> None:
    """Mark the email as failed for good."""
    _settle(mail, EmailState.FAILED, at, reason=reason)
    mail.failure = failure
    for intent in intents:
        if intent.state in (IntentState.QUEUED, IntentState.SENDING):
            unknown = intent.possibly_delivered or failure == DeliveryFailure.AMBIGUOUS
            set_state(intent, IntentState.AMBIGUOUS if unknown else IntentState.FAILED, at, reason)


def mark_ambiguous(mail: Mail, intents: Sequence[Intent], at: datetime, next_attempt_at: datetime) -> None:
    """Mark the email as ambiguous: nobody knows whether the server accepted it. One retry follows, under the same
    Message-ID."""
    mail.unknown_outcomes += 1
    _settle(mail, EmailState.AMBIGUOUS, at, reason="outcome-unknown")
    mail.next_attempt_at = next_attempt_at
    for intent in _under_way(intents):
        intent.possibly_delivered = True
        set_state(intent, IntentState.AMBIGUOUS, at)


def mark_cancelled(mail: Mail, at: datetime, reason: str) -> None:
    """Cancel an email that has no intents left."""
    _settle(mail, EmailState.CANCELLED, at, reason=reason)


def _settle(mail: Mail, state: str, at: datetime, *, reason: str | None = None) -> None:
    mail.state, mail.reason, mail.updated_at, mail.lease_until = state, reason, at, None


def _under_way(intents: Sequence[Intent]) -> Sequence[Intent]:
    return [intent for intent in intents if intent.state == IntentState.SENDING]
