"""Checks an email about a coalition just before sending, and composes it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionState
from services.domain.charter_scope import is_about_ict
from services.domain.coalition_notices import NoticeKind, is_current
from services.domain.disclosure import is_open
from services.domain.notifications import CancelReason
from services.domain.route import CoalitionRoutes
from services.notifier.coalition_handler import thread_id
from services.notifier.context import DispatchContext, ReadyEmail
from services.notifier.delivery_results import close_unsent
from services.notifier.page_links import links_for
from services.notifier.partner_names import names_of
from services.notifier.recipient import recipient_of
from services.notifier.rendering import coalition_email, email_message
from services.notifier.rendering.coalition_view import coalition_letter
from services.platform.clock import day_of
from services.store import coalition_notices, coalitions, deliveries, plans
from services.store.addressees import addressees
from services.store.authorities import Authority
from services.store.intents import Mail
from services.store.plans import PlanRecord
from services.store.route_records import load_coalition_routes


async def begin(
    session: AsyncSession, dispatch: DispatchContext, mail: Mail, lease_owner: str, row: Authority | None, at: datetime
) -> ReadyEmail | None:
    """Compose the email and mark it as being sent; None if it is outdated, or has no recipient yet."""
    notice = await coalition_notices.of_mail(session, mail.mail_id)
    stored = await coalitions.load(session, notice.coalition_id)
    kind, today = NoticeKind(notice.kind), day_of(at)
    if stored is None or not is_current(stored.coalition, notice.plan_id, kind, today):
        await close_unsent(session, mail, [], row, at, CancelReason.SUPERSEDED)
        return None
    if row is not None and not row.coalitions:
        await close_unsent(session, mail, [], row, at, CancelReason.NOT_WANTED)
        return None
    recipient = await recipient_of(session, mail, row, at)
    if recipient is None:
        return None
    authority, mailbox = recipient
    state = CoalitionState.model_validate(stored.payload)
    codes = [member.authority for member in state.members]
    convener = state.invitation.convened_by if state.invitation else None
    names = await names_of(session, {*codes, *([convener] if convener else [])}, today)
    register = await addressees(session, codes, today)
    mailboxes = {code: entry.mailbox for code, entry in register.items() if entry.mailbox}
    stored_plans = await plans.by_id(session, [member.plan_id for member in state.members])
    routes = await _routes(session, state, notice.plan_id, stored_plans)
    own = stored_plans.get(notice.plan_id)
    signed_on = authority.signed_on if is_about_ict([own.state if own else None]) else None
    letter = coalition_letter(state, notice.plan_id, kind, authority.name, names, mailboxes, signed_on, routes)
    links = links_for(dispatch.links, authority)
    letter = links.in_coalition_letter(letter) if links else letter
    deliveries.mark_sending(mail, [], at)
    thread = thread_id(dispatch.sender, notice.coalition_id, authority.authority)
    composed = coalition_email.compose(letter, dispatch.sender, mailbox, mail, thread, at)
    if links:
        links.add_one_click(composed, coalition_notices.PURPOSE)
    return ReadyEmail(mail.mail_id, lease_owner, mail.purpose, email_message.as_bytes(composed), mailbox)


async def _routes(
    session: AsyncSession, state: CoalitionState, plan_id: str, stored: Mapping[str, PlanRecord]
) -> CoalitionRoutes:
    """The routes that the reader may see: its own, and others' while both plans are shared openly."""
    open_plans = {key for key, plan in stored.items() if is_open(plan.state)}
    visible = {plan_id, *open_plans} if plan_id in open_plans else {plan_id}
    return await load_coalition_routes(session, plan_id, state.coalition_id, visible)
