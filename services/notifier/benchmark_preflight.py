"""Checks an email about an extension's benchmark just before sending, and composes it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.benchmark_requests import BenchmarkNotice, is_current
from services.domain.notifications import CancelReason
from services.notifier.context import DispatchContext, ReadyEmail
from services.notifier.delivery_results import close_unsent
from services.notifier.recipient import recipient_of
from services.notifier.rendering import benchmark_email, email_message
from services.platform.clock import day_of
from services.store import benchmark_notices, benchmark_requests, deliveries, plans
from services.store.authorities import Authority
from services.store.intents import Mail


async def begin(
    session: AsyncSession, dispatch: DispatchContext, mail: Mail, holder: str, row: Authority | None, at: datetime
) -> ReadyEmail | None:
    """Composes the email and marks it as being sent; None if it is outdated, or has no recipient yet."""
    notice = await benchmark_notices.of_mail(session, mail.mail_id)
    kind, today = BenchmarkNotice(notice.kind), day_of(at)
    stored = await benchmark_requests.load_standing(session, notice.request_id)
    if stored is None or not is_current(kind, *stored, today):
        close_unsent(session, mail, [], row, at, CancelReason.SUPERSEDED)
        return None
    recipient = recipient_of(session, mail, row, at)
    if recipient is None:
        return None
    authority, mailbox = recipient
    request = stored[0]
    plan = (await plans.by_id(session, [request.plan_id])).get(request.plan_id)
    title = (plan.state or {}).get("title", "") if plan else ""
    letter = benchmark_email.benchmark_letter(request, kind, title, authority.name, authority.signed_on)
    deliveries.mark_sending(mail, [], at)
    mail.message_id = mail.message_id or email_message.message_id(mail.mail_id, dispatch.sender)
    composed = email_message.compose_notice("benchmark", letter, dispatch.sender, mailbox, mail.message_id, at)
    return ReadyEmail(mail.mail_id, holder, mail.purpose, email_message.as_bytes(composed), mailbox)
