"""Asks authorities once a month whether plans that they have not confirmed for half a year are still true."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.charter_scope import is_about_ict
from services.domain.notifications import CancelReason
from services.notifier.context import DispatchContext, ReadyEmail
from services.notifier.delivery_results import close_unsent
from services.notifier.notice_sending import begin_notice
from services.notifier.page_links import PageLinks
from services.notifier.recipient import recipient_of
from services.notifier.rendering.confirmation_email import ConfirmationLetter, confirmation_letter
from services.platform import logs, retry
from services.platform.clock import day_of
from services.store import intents as notifications
from services.store import plan_confirmations
from services.store.addressees import addressee
from services.store.authorities import Authority
from services.store.database import transaction
from services.store.intents import Mail

EVERY_SECONDS: Final = 3600.0

log: Final = logs.get(__name__)


async def ask_for_ever(dispatch: DispatchContext) -> None:
    """Look again and again; a fault that passes waits for the next round."""
    failure = "asking for confirmations failed, next round will try again"
    await retry.repeat(lambda: ask_confirmations(dispatch), EVERY_SECONDS, failure, log)


async def ask_confirmations(dispatch: DispatchContext) -> int:
    """Make an email for each authority that has plans to confirm; return their number."""
    at = dispatch.clock()
    today = day_of(at)
    async with dispatch.sessions() as session:
        asked = set(await plan_confirmations.to_ask(session, today))
        waiting = {plan.authority for plan in await plan_confirmations.unconfirmed(session, today)} if asked else set()
    made = 0
    for authority in sorted(asked & waiting):
        async with transaction(dispatch.sessions) as session:
            row = await notifications.lock_authority(session, authority)
            # Another notifier may have asked since.
            if row is None or not await plan_confirmations.to_ask(session, today, authority):
                continue
            reader = await addressee(session, authority, today)
            if reader is not None and reader.mailbox is not None:
                plan_confirmations.add_email(session, row, today, at)
                made += 1
    return made


async def begin(
    session: AsyncSession, dispatch: DispatchContext, mail: Mail, lease_owner: str, row: Authority | None, at: datetime
) -> ReadyEmail | None:
    """The email composed and recorded as being sent; None where nothing is left to ask, or nobody to ask yet."""
    today = day_of(at)
    plans = await plan_confirmations.unconfirmed(session, today, mail.authority)
    if not plans or (row is not None and not row.confirmations):
        await close_unsent(
            session, mail, [], row, at, CancelReason.NOTHING_LEFT if not plans else CancelReason.NOT_WANTED
        )
        return None
    recipient = await recipient_of(session, mail, row, at)
    if recipient is None:
        return None
    ict = is_about_ict([plan.state for plan in plans])

    def letter(authority: Authority, links: PageLinks | None) -> ConfirmationLetter:
        signed_on, link = authority.signed_on if ict else None, links.confirm() if links else None
        return confirmation_letter(plans, authority.authority, authority.name, signed_on, link)

    return begin_notice(dispatch, mail, lease_owner, recipient, letter, at)
