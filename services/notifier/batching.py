"""Batches due intents into emails: as few as can hold them, within each authority's limits."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain import notification_schedule
from services.domain.notifications import IntentState, Purpose, WaitReason
from services.notifier.cap_enforcement import apply_caps
from services.notifier.context import DispatchContext
from services.notifier.partner_names import names_of
from services.notifier.rendering import email_message
from services.platform.clock import day_of
from services.store import deliveries, digests
from services.store import intents as notifications
from services.store.authorities import Authority
from services.store.database import transaction
from services.store.digests import Deferral
from services.store.intents import Intent, new_mail

LOOK_AHEAD: Final = timedelta(days=1)
"""An immediate email also takes intents due within this time, which is longer than any intent waits for a batch."""


async def batch_due_intents(dispatch: DispatchContext) -> int:
    """Freeze due intents into emails; return the number of emails."""
    made = 0
    async with dispatch.sessions() as session:
        due = await notifications.due_authorities(session, dispatch.clock())
    for authority in due:
        async with transaction(dispatch.sessions) as session:
            row = await notifications.lock_authority(session, authority)
            if row is not None:
                made += await _batch_for(session, row, dispatch)
    return made


async def _batch_for(session: AsyncSession, row: Authority, dispatch: DispatchContext) -> int:
    """Batch one authority's intents. Immediate ones not yet due come along; digests and corrections wait."""
    at = dispatch.clock()
    waiting: dict[str, list[Intent]] = {Purpose.CORRECTION: [], Purpose.IMMEDIATE: [], Purpose.DIGEST: []}
    ready = await notifications.to_gather(session, row.authority, at, at + LOOK_AHEAD)
    for intent in await _with_known_partners(session, ready, at):
        waiting[intent.purpose].append(intent)
    due = {purpose: any(intent.due_at <= at for intent in intents) for purpose, intents in waiting.items()}
    made = 0
    if due[Purpose.CORRECTION]:
        corrections = await _without_in_flight(session, row.authority, waiting[Purpose.CORRECTION])
        made += await _freeze(session, row, Purpose.CORRECTION, corrections, dispatch)
    if due[Purpose.IMMEDIATE]:
        if await _within_weekly_limit(session, row, at):
            within = await _within_caps(session, row, Purpose.IMMEDIATE, waiting[Purpose.IMMEDIATE], dispatch)
            made += await _freeze(session, row, Purpose.IMMEDIATE, within, dispatch)
        else:
            # Enough for this week: the digest takes it; who wants no digest hears of it once the week allows.
            await digests.defer(session, [_left(row, intent, at, 0, None) for intent in waiting[Purpose.IMMEDIATE]], at)
    if due[Purpose.DIGEST]:
        ripe = [intent for intent in waiting[Purpose.DIGEST] if intent.due_at <= at]
        within = await _within_caps(session, row, Purpose.DIGEST, ripe, dispatch)
        made += await _freeze(session, row, Purpose.DIGEST, within, dispatch)
    return made


async def _with_known_partners(session: AsyncSession, intents: Sequence[Intent], at: datetime) -> list[Intent]:
    """The intents whose partner an email can name, and all corrections. Other due intents are withheld."""
    names = await names_of(session, {intent.partner for intent in intents}, day_of(at))
    found, held = [], []
    for intent in intents:
        if intent.partner in names or intent.purpose == Purpose.CORRECTION:
            found.append(intent)
        elif intent.due_at <= at:
            held.append(_postponed(intent, at + notification_schedule.LOOK_AGAIN, WaitReason.UNKNOWN_PARTNER))
    await digests.defer(session, held, at)
    return found


async def _within_caps(
    session: AsyncSession, row: Authority, purpose: Purpose, intents: Sequence[Intent], dispatch: DispatchContext
) -> Sequence[Intent]:
    """The due intents that fit into one email. Those over a cap are spread over the next digests."""
    later = await apply_caps(session, row.authority, purpose, intents, dispatch)
    at = dispatch.clock()
    left = [_left(row, intent, at, later[intent.id], WaitReason.OVER_CAP) for intent in intents if intent.id in later]
    await digests.defer(session, left, at)
    return [intent for intent in intents if intent.id not in later]


def _left(row: Authority, intent: Intent, at: datetime, number: int, reason: str | None) -> Deferral:
    """Leave an intent to the email with this number from 0: a digest, or a day if the authority wants no digest."""
    if row.digest:
        due_at = notification_schedule.next_digest(at, later=number)
        return Deferral(_id(intent), Purpose.DIGEST, due_at, reason)
    return _postponed(intent, at + timedelta(days=1 + number), reason)


def _postponed(intent: Intent, due_at: datetime, reason: str | None) -> Deferral:
    return Deferral(_id(intent), Purpose(intent.purpose), due_at, reason)


def _id(intent: Intent) -> int:
    assert intent.id is not None, "it was read from the database"
    return intent.id


async def _without_in_flight(session: AsyncSession, authority: str, corrections: Sequence[Intent]) -> Sequence[Intent]:
    """The corrections whose earlier email is not being sent right now; its outcome decides about the others."""
    told = await notifications.told_before(session, authority, [intent.opportunity_id for intent in corrections])
    return [intent for intent in corrections if IntentState.SENDING not in told.get(intent.opportunity_id, set())]


async def _within_weekly_limit(session: AsyncSession, row: Authority, at: datetime) -> bool:
    if not row.immediate and row.digest:
        return False
    week_ago = at - timedelta(days=7)
    count = await deliveries.mails_since(session, row.authority, Purpose.IMMEDIATE, week_ago)
    return count < notification_schedule.IMMEDIATE_PER_WEEK


async def _freeze(
    session: AsyncSession, row: Authority, purpose: Purpose, intents: Sequence[Intent], dispatch: DispatchContext
) -> int:
    """Freeze intents into as few emails as can hold them; return the number of emails."""
    at = dispatch.clock()
    size = notification_schedule.MAX_ITEMS_IN_FULL + notification_schedule.MAX_ITEMS_IN_A_LINE
    parts = [intents[start : start + size] for start in range(0, len(intents), size)]
    for part in parts:
        frozen = "|".join([row.authority, purpose, *(f"{intent.id}.{intent.mail_count}" for intent in part)])
        mail_id = hashlib.sha256(frozen.encode()).hexdigest()[:32]
        message_id = email_message.message_id(mail_id, dispatch.sender)
        mail = new_mail(mail_id, row.authority, purpose, at, message_id=message_id)
        session.add(mail)
        await session.flush()
        deliveries.attach_intents(mail, part, at)
    return len(parts)
