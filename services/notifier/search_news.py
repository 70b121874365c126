"""Looks once a week for plans that have come to fit councils' saved searches. The weekly email tells of them."""

import uuid
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching.plan import Status
from services.domain.disclosure import PlanFacts, plan_facts
from services.domain.notification_schedule import next_digest
from services.domain.notifications import Purpose
from services.domain.reorganisation import waits_for_person
from services.notifier.context import DispatchContext
from services.notifier.partner_names import UNNAMED, names_of
from services.notifier.rendering import email_message
from services.notifier.rendering.search_section import SearchSection, search_section
from services.platform import logs, retry
from services.platform.clock import day_of
from services.store import deliveries, plans, saved_searches
from services.store import intents as notifications
from services.store.addressees import addressee, mutes_for
from services.store.authorities import Authority, Mutes
from services.store.database import transaction
from services.store.intents import Mail, new_mail
from services.store.plans import PlanRecord

EVERY_SECONDS: Final = 600.0
LOOK_AHEAD: Final = timedelta(hours=1)
"""The look comes this long before the weekly email. That long after it, an email for its findings still goes out."""

log: Final = logs.get(__name__)


async def look_for_ever(dispatch: DispatchContext) -> None:
    """Look again and again; a fault that passes waits for the next round."""
    failure = "looking for saved searches failed, next round will try again"
    await retry.repeat(lambda: look_for_hits(dispatch), EVERY_SECONDS, failure, log)


async def look_for_hits(dispatch: DispatchContext) -> int:
    """Look for every authority whose weekly look is due; return the number of new hits.

    An authority that gets no weekly email otherwise gets one for its hits, around the hour of the weekly email. What
    a later look finds, for example after a pause, waits for the next week.
    """
    at = dispatch.clock()
    email_at = next_digest(at + LOOK_AHEAD, later=-1)
    before = email_at - LOOK_AHEAD
    async with dispatch.sessions() as session:
        due = await saved_searches.due(session, before)
    found = 0
    for authority in due:
        async with transaction(dispatch.sessions) as session:
            if await _reader(session, authority, at) is not None:
                found += await saved_searches.look(session, authority, before, at)
    if at < email_at + LOOK_AHEAD:
        await _add_emails(dispatch, at, max(at, email_at))
    return found


async def _add_emails(dispatch: DispatchContext, at: datetime, due_at: datetime) -> None:
    """Add an email for each authority with untold hits that no weekly email until `due_at` could tell of."""
    async with dispatch.sessions() as session:
        untold = await saved_searches.without_email(session, due_at)
    for authority in untold:
        async with transaction(dispatch.sessions) as session:
            reader = await _reader(session, authority, at)
            # Another notifier may have added the email since.
            if reader is not None and await saved_searches.without_email(session, due_at, authority):
                mail_id = uuid.uuid4().hex
                message_id = email_message.message_id(mail_id, dispatch.sender)
                session.add(new_mail(mail_id, authority, Purpose.DIGEST, at, due_at=due_at, message_id=message_id))


async def sections(
    session: AsyncSession, mail: Mail, row: Authority, at: datetime, *, alone: bool
) -> tuple[SearchSection, ...]:
    """What a weekly email tells of its reader's saved searches. From now on its hits belong to this email.

    If it tells of nothing else (`alone`), it leaves them to another weekly email that waits. A plan that is no longer
    shared openly, or whose council the reader has muted, is dropped: it was never told of.
    """
    today = day_of(at)
    if mail.purpose != Purpose.DIGEST or not _wants_news(row, today):
        return ()
    if alone and await deliveries.other_waiting(session, mail):
        return ()
    searches = await saved_searches.hits_for(session, row.authority, mail.mail_id)
    stored = await plans.by_id(session, {hit.plan_id for _, hits in searches for hit in hits})
    names = await names_of(session, {plan.authority for plan in stored.values()}, today)
    muted = await mutes_for(session, row.authority, today) if stored else Mutes()
    found = []
    for search, hits in searches:
        shown = []
        for hit in hits:
            plan = stored.get(hit.plan_id)
            facts = _shown_facts(plan, muted, at)
            if plan is None or facts is None:
                await session.delete(hit)
            else:
                hit.mail_id = mail.mail_id
                shown.append((plan.authority, names.get(plan.authority, UNNAMED), facts))
        if shown:
            found.append(search_section(search.name, shown))
    return tuple(found)


def _shown_facts(plan: PlanRecord | None, muted: Mutes, at: datetime) -> PlanFacts | None:
    """What the reader may see of a plan now; None if it is not to be told of."""
    if plan is None or plan.status != Status.ACTIVE or plan.authority in muted.partners:
        return None
    return None if waits_for_person(plan.authority, day_of(at)) else plan_facts(plan.state)


async def _reader(session: AsyncSession, authority: str, at: datetime) -> Authority | None:
    """Who gets the authority's weekly email, with the authority's row locked; None if nobody does now."""
    if await notifications.lock_authority(session, authority) is None:
        return None
    row = await addressee(session, authority, day_of(at))
    reached = row is not None and row.mailbox is not None and not row.is_paused(day_of(at))
    return row if row is not None and reached and _wants_news(row, day_of(at)) else None


def _wants_news(row: Authority, today: date) -> bool:
    return row.digest and row.takes_part(today)
