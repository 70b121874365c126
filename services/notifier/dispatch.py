"""Intents become mails, and mails leave: gather, claim, check once more, send, record.

No database session is open while the mail server works. Any number of processes may do this at once.
"""

import asyncio
import hashlib
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Final, cast

from sqlmodel.ext.asyncio.session import AsyncSession

from events.opportunities import OpportunityState
from services.notifier import letters, message, schedule
from services.notifier.channels import Channel, ChannelError, PermanentError, TemporaryError, UnknownOutcomeError
from services.notifier.intents import Purpose, Wishes, channelled, sides
from services.notifier.outcomes import failed_event, sent_event
from services.runtime import logs, metrics
from services.store import authorities, notifications, opportunities
from services.store.authorities import Authority, Mutes
from services.store.base import Sessions, now, transaction
from services.store.notifications import Failure, Intent, Mail

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What sending needs. `chance` gives 0 to 1 for the jitter."""

    sessions: Sessions
    channel: Channel
    sender: message.Sender
    clock: Callable[[], datetime] = now
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Ready:
    """A mail that is to be sent now, to whom, and the claim it is sent under."""

    mail_id: str
    holder: str
    purpose: str
    message: EmailMessage
    recipient: str


async def round_once(dispatch: Dispatch, senders: int = 4) -> int:
    """Everything that can be done at this moment; how many mails were tried."""
    await forsaken(dispatch)
    await gather(dispatch)
    return sum(await asyncio.gather(*(_send_all(dispatch) for _ in range(senders))))


async def _send_all(dispatch: Dispatch) -> int:
    tried = 0
    while await send_next(dispatch):
        tried += 1
    return tried


# --- gathering


async def gather(dispatch: Dispatch) -> int:
    """Freezes what is due into mails; how many mails came of it."""
    made = 0
    async with dispatch.sessions() as session:
        due = await notifications.due_authorities(session, dispatch.clock())
    for authority in due:
        async with transaction(dispatch.sessions) as session:
            row = await notifications.take_authority(session, authority)
            if row is not None:
                made += await _gather_for(session, row, dispatch)
    return made


async def _gather_for(session: AsyncSession, row: Authority, dispatch: Dispatch) -> int:
    """News that is due takes along what is not yet; the week's digest and corrections wait for their own time."""
    at = dispatch.clock()
    waiting: dict[str, list[Intent]] = {"correction": [], "immediate": [], "digest": []}
    for intent in await notifications.pending(session, row.authority):
        waiting[intent.purpose].append(intent)
    due = {purpose: any(intent.due_at <= at for intent in intents) for purpose, intents in waiting.items()}
    made = 0
    if due["correction"]:
        corrections = await _settled(session, row.authority, waiting["correction"])
        made += await _freeze(session, row, "correction", corrections, dispatch)
    if due["immediate"]:
        if await _may_write_now(session, row, at):
            made += await _freeze(session, row, "immediate", waiting["immediate"], dispatch)
        else:
            _leave_for_later(row, waiting["immediate"], at)
    if due["digest"]:
        ripe = [intent for intent in waiting["digest"] if intent.due_at <= at]
        made += await _freeze(session, row, "digest", ripe, dispatch)
    return made


def _leave_for_later(row: Authority, intents: Sequence[Intent], at: datetime) -> None:
    """Enough for this week: the digest takes it; who wants no digest hears of it once the week allows."""
    for intent in intents:
        if row.digest:
            notifications.release(intent, "digest", schedule.next_digest(at), at)
        else:
            notifications.postpone(intent, at + timedelta(days=1), at)


async def _settled(session: AsyncSession, authority: str, corrections: Sequence[Intent]) -> Sequence[Intent]:
    """The corrections whose forerunner is not just being sent: whether it arrives decides about them."""
    told = await notifications.told_before(session, authority, [intent.opportunity_id for intent in corrections])
    return [intent for intent in corrections if "sending" not in told.get(intent.opportunity_id, set())]


async def _may_write_now(session: AsyncSession, row: Authority, at: datetime) -> bool:
    if not row.immediate and row.digest:
        return False
    week_ago = at - timedelta(days=7)
    count = await notifications.mails_since(session, row.authority, "immediate", week_ago)
    return count < schedule.IMMEDIATE_PER_WEEK


async def _freeze(
    session: AsyncSession, row: Authority, purpose: Purpose, intents: Sequence[Intent], dispatch: Dispatch
) -> int:
    """Puts intents into as few mails as hold them; how many."""
    at = dispatch.clock()
    size = schedule.ITEMS_IN_FULL + schedule.ITEMS_IN_A_LINE
    parts = [intents[start : start + size] for start in range(0, len(intents), size)]
    for part in parts:
        frozen = "|".join([row.authority, purpose, *(f"{intent.id}.{intent.round}" for intent in part)])
        mail_id = hashlib.sha256(frozen.encode()).hexdigest()[:32]
        mail = Mail(
            mail_id=mail_id,
            authority=row.authority,
            purpose=purpose,
            message_id=message.message_id(mail_id, dispatch.sender),
            next_attempt_at=at,
            created_at=at,
            updated_at=at,
        )
        session.add(mail)
        await session.flush()
        notifications.freeze(mail, part, at)
    return len(parts)


# --- sending


async def send_next(dispatch: Dispatch) -> bool:
    """Claims, checks and sends one mail; False where there is none."""
    holder = uuid.uuid4().hex
    async with transaction(dispatch.sessions) as session:
        mail = await notifications.claim(session, holder, dispatch.clock(), schedule.LEASE)
    if mail is None:
        return False
    ready = await begin(dispatch, mail.mail_id, holder)
    if ready is not None:
        await _send(dispatch, ready)
    return True


async def begin(dispatch: Dispatch, mail_id: str, holder: str) -> Ready | None:
    """The moment of sending: what of the mail still holds and is still wanted, composed and recorded as being
    sent. None where nothing is, or the mail is not ours any more."""
    at = dispatch.clock()
    async with transaction(dispatch.sessions) as session:
        mail = await notifications.held_mail(session, mail_id, holder)
        if mail is None or mail.state != "claimed":
            return None
        row = (await authorities.by_codes(session, [mail.authority])).get(mail.authority)
        intents = await notifications.locked_in(session, mail_id)
        if row is None or row.mailbox is None or (row.paused_until and row.paused_until > at.date()):
            _put_off(session, mail, intents, row, at)
            return None
        items = await _still_to_tell(session, mail, row, intents, at)
        if not items:
            _close(session, mail, intents, row, at, "nothing-left")
            return None
        letter = letters.letter(row.authority, row.name, mail.purpose, [item for _, item in items])
        notifications.start_sending(mail, [intent for intent, _ in items], at)
        composed = message.compose(letter, dispatch.sender, row.mailbox, mail_id, mail.message_id, at)
        return Ready(mail_id, holder, mail.purpose, composed, row.mailbox)


def _put_off(session: AsyncSession, mail: Mail, intents: Sequence[Intent], row: Authority | None, at: datetime) -> None:
    """The mailbox has gone or paused since: everything becomes held again, and visible as such."""
    for intent in intents:
        if intent.state == "queued":
            notifications.release(intent, cast(Purpose, intent.purpose), at, at)
    _close(session, mail, intents, row, at, "paused" if row and row.mailbox else "no-mailbox")


def _close(
    session: AsyncSession, mail: Mail, intents: Sequence[Intent], row: Authority | None, at: datetime, reason: str
) -> None:
    """Ends a mail that is not to be sent (again)."""
    if mail.ambiguities:
        # It may have arrived all the same: it ends as what it is, unknown.
        notifications.record_failed(mail, intents, at, "ambiguous", reason)
        session.add(failed_event(mail, row.mailbox_ref if row else "", intents, at))
        metrics.MAILS.labels(purpose=mail.purpose, outcome="failed-ambiguous").inc()
    else:
        notifications.record_cancelled(mail, at, reason)
        metrics.MAILS.labels(purpose=mail.purpose, outcome="cancelled").inc()


async def _still_to_tell(
    session: AsyncSession, mail: Mail, row: Authority, intents: Sequence[Intent], at: datetime
) -> list[tuple[Intent, letters.Item]]:
    """The intents that hold now, as items; the others are cancelled, or given to another mail."""
    open_ = [intent for intent in intents if intent.state in ("queued", "ambiguous")]
    ids = [intent.opportunity_id for intent in open_]
    states = await opportunities.by_ids(session, ids)
    told = await notifications.told_before(session, row.authority, [i.opportunity_id for i in open_ if i.needs_told])
    partners = await authorities.by_codes(session, [intent.partner for intent in open_])
    mailboxes = {code: p.mailbox for code, p in partners.items() if p.mailbox and not _withdrawn(p, at)}
    muted = (await authorities.mutes_of(session, [row.authority])).get(row.authority, Mutes())
    wishes = Wishes(row.immediate, row.digest, takes_part=not _withdrawn(row, at))
    found = []
    for intent in open_:
        reason = _no_longer(intent, states.get(intent.opportunity_id), muted, told)
        purpose = channelled(cast(Purpose, mail.purpose), wishes) if reason is None else None
        if reason is None and purpose == mail.purpose:
            state = OpportunityState.model_validate(states[intent.opportunity_id].payload)
            other = next(other for own, other in sides(state) if own.authority == row.authority)
            contact = letters.contact_of(state, other, mailboxes)
            found.append((intent, letters.item(state, row.authority, intent.band, intent.change, contact)))
        elif intent.state == "queued" and purpose is not None:
            notifications.release(intent, purpose, schedule.next_digest(at), at)
        elif intent.state == "queued":
            notifications.cancel(intent, reason or "not-wanted", at)
            metrics.INTENTS_CANCELLED.labels(reason=reason or "not-wanted").inc()
    return found


def _no_longer(
    intent: Intent, stands: opportunities.Opportunity | None, muted: Mutes, told: dict[str, set[str]]
) -> str | None:
    """Why an intent is not to be told any more, in a word; None where it is."""
    if stands is None or stands.material_revision != intent.material_revision:
        return "superseded"
    if (stands.status == "withdrawn") != (intent.change == "withdrawn"):
        return "superseded"
    if muted.cover(intent.partner, intent.opportunity_id):
        return "muted"
    if intent.needs_told and not told.get(intent.opportunity_id):
        return "never-told"
    return None


def _withdrawn(row: Authority, at: datetime) -> bool:
    return row.withdrawn_on is not None and row.withdrawn_on <= at.date()


async def _send(dispatch: Dispatch, ready: Ready) -> None:
    started = time.monotonic()
    error: ChannelError | None = None
    try:
        async with asyncio.timeout(schedule.SEND_TIMEOUT.total_seconds()):
            await dispatch.channel.send(ready.message, dispatch.sender.mailbox, ready.recipient)
    except ChannelError as failure:
        error = failure
    except TimeoutError:
        error = UnknownOutcomeError("timeout")
    metrics.SENDING.observe(time.monotonic() - started)
    await record(dispatch, ready, error)


async def record(dispatch: Dispatch, ready: Ready, error: ChannelError | None) -> None:
    """Writes down what became of an attempt, with its event where that is final."""
    mail_id = ready.mail_id
    async with transaction(dispatch.sessions) as session:
        mail = await notifications.held_mail(session, mail_id, ready.holder)
        if mail is None or mail.state not in ("sending", "ambiguous"):
            log.warning("outcome of a mail that somebody else has taken over", mail_id=mail_id)
            return
        if mail.state == "ambiguous" and error is not None:
            return
        intents = await notifications.locked_in(session, mail_id)
        row = (await authorities.by_codes(session, [mail.authority])).get(mail.authority)
        await _settle(session, mail, intents, row.mailbox_ref if row else "", dispatch, error)


async def _settle(
    session: AsyncSession,
    mail: Mail,
    intents: Sequence[Intent],
    ref: str,
    dispatch: Dispatch,
    error: ChannelError | None,
) -> None:
    at = dispatch.clock()
    if error is None:
        told = [intent for intent in intents if intent.state in ("sending", "ambiguous")]
        notifications.record_sent(mail, intents, at)
        session.add(sent_event(mail, ref, told, at))
        _measure(mail, told, at)
        outcome = "sent"
    elif isinstance(error, UnknownOutcomeError) and mail.ambiguities == 0:
        notifications.record_ambiguous(mail, intents, at, at + schedule.wait(mail.attempts, dispatch.chance()))
        outcome = "ambiguous"
    elif isinstance(error, TemporaryError) and at - mail.created_at < schedule.GIVE_UP_AFTER:
        next_attempt_at = at + schedule.wait(mail.attempts, dispatch.chance())
        notifications.record_later(mail, intents, at, next_attempt_at, error.reason)
        outcome = "temporary"
    else:
        failure = _failure(error)
        notifications.record_failed(mail, intents, at, failure, error.reason)
        session.add(failed_event(mail, ref, intents, at))
        outcome = f"failed-{failure}"
    metrics.MAILS.labels(purpose=mail.purpose, outcome=outcome).inc()
    log.info(
        "mail",
        mail_id=mail.mail_id,
        authority=mail.authority,
        purpose=mail.purpose,
        outcome=outcome,
        reason=error.reason if error else None,
        attempts=mail.attempts,
        event_ids=sorted({intent.cause for intent in intents})[:20],
    )


def _failure(error: ChannelError) -> Failure:
    if isinstance(error, PermanentError):
        return "permanent"
    return "ambiguous" if isinstance(error, UnknownOutcomeError) else "temporary"


def _measure(mail: Mail, told: Sequence[Intent], at: datetime) -> None:
    if mail.purpose != "digest":
        for intent in told:
            metrics.OPPORTUNITY_TO_MAIL.observe(max(0.0, (at - intent.created_at).total_seconds()))


async def forsaken(dispatch: Dispatch) -> int:
    """Mails whose sender vanished while sending: tried once more, or given up as unknown; how many there were."""
    at = dispatch.clock()
    async with transaction(dispatch.sessions) as session:
        mails = await notifications.vanished(session, at)
        for mail in mails:
            intents = await notifications.locked_in(session, mail.mail_id)
            row = (await authorities.by_codes(session, [mail.authority])).get(mail.authority)
            lost = UnknownOutcomeError("sender-vanished")
            await _settle(session, mail, intents, row.mailbox_ref if row else "", dispatch, lost)
    return len(mails)
