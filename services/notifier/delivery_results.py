"""Records the result of an attempt to send, with its event if the result is final."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain import notification_schedule
from services.domain.notifications import CancelReason, DeliveryFailure, EmailState, IntentState, Purpose, WaitReason
from services.notifier.channels import ChannelError, PermanentError, TemporaryError, UnknownOutcomeError
from services.notifier.context import DispatchContext, ReadyEmail
from services.notifier.delivery_events import failed_event, sent_event
from services.platform import logs, metrics
from services.platform.clock import day_of
from services.store import deliveries, saved_searches
from services.store import intents as notifications
from services.store.addressees import addressee
from services.store.authorities import Authority
from services.store.database import transaction
from services.store.intents import Intent, Mail

LOGGED_IDS: Final = 20
"""The most ids of each kind in a log line. An email can tell of more opportunities."""

log: Final = logs.get(__name__)


async def record_result(dispatch: DispatchContext, ready: ReadyEmail, error: ChannelError | None) -> None:
    """Record the result of an attempt, with its event if the result is final."""
    mail_id = ready.mail_id
    async with transaction(dispatch.sessions) as session:
        mail = await deliveries.get_leased(session, mail_id, ready.lease_owner)
        if mail is None or mail.state not in (EmailState.SENDING, EmailState.AMBIGUOUS):
            log.warning("outcome of an email that another notifier has taken over", mail_id=mail_id)
            return
        if mail.state == EmailState.AMBIGUOUS and error is not None:
            return
        intents = await notifications.locked_in(session, mail_id)
        row = await addressee(session, mail.authority, day_of(dispatch.clock()))
        await _apply_result(session, mail, intents, row.mailbox_ref if row else "", dispatch, error)


async def _apply_result(
    session: AsyncSession,
    mail: Mail,
    intents: Sequence[Intent],
    ref: str,
    dispatch: DispatchContext,
    error: ChannelError | None,
) -> None:
    at = dispatch.clock()
    if error is None:
        told = [intent for intent in intents if intent.state in (IntentState.SENDING, IntentState.AMBIGUOUS)]
        deliveries.mark_sent(mail, intents, at)
        session.add(sent_event(mail, ref, told, at))
        _measure(mail, told, at)
        outcome = "sent"
    elif isinstance(error, UnknownOutcomeError) and mail.unknown_outcomes == 0:
        deliveries.mark_ambiguous(
            mail, intents, at, at + notification_schedule.backoff(mail.attempts, dispatch.chance())
        )
        outcome = "ambiguous"
    elif isinstance(error, TemporaryError) and at - mail.created_at < notification_schedule.GIVE_UP_AFTER:
        next_attempt_at = at + notification_schedule.backoff(mail.attempts, dispatch.chance())
        deliveries.mark_retry(mail, intents, at, next_attempt_at, error.reason)
        outcome = "temporary"
    else:
        failure = _failure(mail, error)
        deliveries.mark_failed(mail, intents, at, failure, error.reason)
        session.add(failed_event(mail, ref, intents, at))
        outcome = f"failed-{failure}"
    metrics.EMAILS.labels(purpose=mail.purpose, outcome=outcome).inc()
    tell = log.warning if error is not None and outcome != "temporary" else log.info
    tell(
        "email",
        mail_id=mail.mail_id,
        authority=mail.authority,
        purpose=mail.purpose,
        outcome=outcome,
        reason=error.reason if error else None,
        attempts=mail.attempts,
        event_ids=sorted({intent.source_event_id for intent in intents})[:LOGGED_IDS],
        causation_ids=sorted({intent.causation_id for intent in intents if intent.causation_id})[:LOGGED_IDS],
    )


def _failure(mail: Mail, error: ChannelError) -> DeliveryFailure:
    if mail.unknown_outcomes:
        # Whatever the second attempt's result, the first one may have arrived.
        return DeliveryFailure.AMBIGUOUS
    if isinstance(error, PermanentError):
        return DeliveryFailure.PERMANENT
    return DeliveryFailure.AMBIGUOUS if isinstance(error, UnknownOutcomeError) else DeliveryFailure.TEMPORARY


def _measure(mail: Mail, told: Sequence[Intent], at: datetime) -> None:
    if mail.purpose != Purpose.DIGEST:
        for intent in told:
            metrics.OPPORTUNITY_TO_EMAIL.observe(max(0.0, (at - intent.created_at).total_seconds()))


async def recover_expired(dispatch: DispatchContext) -> int:
    """Retry emails whose sender died while sending, or give them up as unknown; return their number."""
    found = 0
    while await _forsaken(dispatch):
        found += 1
    return found


async def _forsaken(dispatch: DispatchContext) -> bool:
    """Recover one such email in its own transaction: intents are locked in id order, which two emails would break."""
    at = dispatch.clock()
    async with transaction(dispatch.sessions) as session:
        mail = await deliveries.expired_sending(session, at)
        if mail is None:
            return False
        intents = await notifications.locked_in(session, mail.mail_id)
        row = await addressee(session, mail.authority, day_of(dispatch.clock()))
        lost = UnknownOutcomeError("sender-vanished")
        await _apply_result(session, mail, intents, row.mailbox_ref if row else "", dispatch, lost)
    return True


async def give_up(dispatch: DispatchContext, mail_id: str, lease_owner: str, reason: str) -> None:
    """Give up an email that raised an unexpected error before sending, so that it does not block the others."""
    async with transaction(dispatch.sessions) as session:
        mail = await deliveries.get_leased(session, mail_id, lease_owner)
        if mail is not None and mail.state == EmailState.CLAIMED:
            intents = await notifications.locked_in(session, mail_id)
            row = await addressee(session, mail.authority, day_of(dispatch.clock()))
            await _apply_result(
                session, mail, intents, row.mailbox_ref if row else "", dispatch, PermanentError(reason)
            )


async def close_unsent(
    session: AsyncSession,
    mail: Mail,
    intents: Sequence[Intent],
    row: Authority | None,
    at: datetime,
    reason: CancelReason | WaitReason,
) -> None:
    """End an email that must not be sent (again). It leaves its news of saved searches to another one."""
    if mail.unknown_outcomes:
        # An earlier attempt may have arrived, so the outcome stays unknown.
        deliveries.mark_failed(mail, intents, at, DeliveryFailure.AMBIGUOUS, reason)
        session.add(failed_event(mail, row.mailbox_ref if row else "", intents, at))
        metrics.EMAILS.labels(purpose=mail.purpose, outcome="failed-ambiguous").inc()
    else:
        deliveries.mark_cancelled(mail, at, reason)
        if mail.purpose == Purpose.DIGEST:
            await saved_searches.release(session, mail.mail_id)
        metrics.EMAILS.labels(purpose=mail.purpose, outcome="cancelled").inc()
