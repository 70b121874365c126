"""Receipts: one email to the acting authority for each act that counted. It says how to take the act back."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.coalition_undo import can_undo, undo_by
from services.domain.notifications import WaitReason
from services.notifier.coalition_handler import thread_id
from services.notifier.context import DispatchContext, ReadyEmail
from services.notifier.delivery_results import close_unsent
from services.notifier.page_links import links_for
from services.notifier.partner_names import UNNAMED, names_of
from services.notifier.rendering import coalition_email, email_message
from services.notifier.rendering.receipt_view import receipt_letter
from services.platform.clock import day_of
from services.store import coalition_bars, coalition_notices, coalitions, deliveries, plans, responses
from services.store.authorities import Authority
from services.store.database import transaction
from services.store.intents import Mail, new_mail
from services.store.opportunities import Opportunity
from services.store.responses import ResponseRow

AT_ONCE: Final = 100
_OTHER_PAGES: Final = frozenset({"introduced", responses.ROUTE})
"""Acts that the page of a group or a match does not take back."""


async def batch_due_receipts(dispatch: DispatchContext) -> int:
    """Make an email for each act without a receipt; return their number."""
    at = dispatch.clock()
    async with transaction(dispatch.sessions) as session:
        acts = await responses.without_receipt(session, AT_ONCE)
        for act in acts:
            mail_id = coalition_notices.new_mail_id()
            session.add(
                new_mail(
                    mail_id,
                    act.authority,
                    coalition_notices.PURPOSE,
                    at,
                    message_id=email_message.message_id(mail_id, dispatch.sender),
                    coalition_id=act.subject_id if act.subject == "coalition" else None,
                )
            )
            await session.flush()
            act.receipt_mail_id = mail_id
    return len(acts)


async def begin(
    session: AsyncSession,
    dispatch: DispatchContext,
    mail: Mail,
    act: ResponseRow,
    lease_owner: str,
    row: Authority | None,
    at: datetime,
) -> ReadyEmail | None:
    """Compose the receipt and mark it as being sent; None if nobody can get it.

    A pause does not delay it: somebody acted in the authority's name just now.
    """
    if row is None or row.mailbox is None:
        await close_unsent(session, mail, [], row, at, WaitReason.NO_MAILBOX)
        return None
    opportunity = await session.get(Opportunity, act.subject_id) if act.subject == "opportunity" else None
    # Emails never name a match_only plan before both agree, not even the reader's own.
    closed = opportunity is not None and opportunity.payload["score"] is None
    plan = (await plans.by_id(session, [act.plan_id])).get(act.plan_id) if act.plan_id and not closed else None
    title = (plan.state or {}).get("title", "") if plan is not None else ""
    party = act.payload.get("acting_party") or act.payload.get("party")
    said_by = (await names_of(session, [party], day_of(at))).get(party, UNNAMED) if party else ""
    links = links_for(dispatch.links, row) if _has_page(act, closed) else None
    letter = receipt_letter(
        row.authority,
        row.name,
        act,
        title,
        undo_by(act.received_on),
        party=said_by,
        named=not closed,
        on_page=links is not None,
        can_undo=await _can_undo(session, act),
    )
    letter = links.in_coalition_letter(letter) if links else letter
    deliveries.mark_sending(mail, [], at)
    thread = thread_id(dispatch.sender, act.subject_id, row.authority)
    composed = coalition_email.compose(letter, dispatch.sender, row.mailbox, mail, thread, at)
    return ReadyEmail(mail.mail_id, lease_owner, mail.purpose, email_message.as_bytes(composed), row.mailbox)


def _has_page(act: ResponseRow, closed: bool) -> bool:
    """Whether the page of the act's group or match takes it back. A party has no such page."""
    about_group = act.subject in ("coalition", "opportunity") and act.plan_id is not None
    return about_group and not closed and act.kind not in _OTHER_PAGES


async def _can_undo(session: AsyncSession, act: ResponseRow) -> bool:
    """Whether the act's coalition lets it be taken back. Acts elsewhere have their own rules."""
    record = responses.act_record(act)
    row = await coalitions.load(session, act.subject_id) if record is not None else None
    if record is None or row is None:
        return True
    bars = await coalition_bars.load_bars(session, [record.change.plan_id], row.coalition_id)
    return can_undo(row.coalition, record, act.received_on, bars)
