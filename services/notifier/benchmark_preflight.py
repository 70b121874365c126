"""Checks an email about an extension's benchmark just before sending, and composes it.

It goes to the authority that extends, or to one that is asked for its prices.
"""

from datetime import date, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching.plan import Status
from services.domain.benchmark_enquiries import is_wanted
from services.domain.benchmark_requests import BenchmarkNotice, BenchmarkRequest, is_current
from services.domain.charter_scope import is_about_ict
from services.domain.disclosure import shown_requester
from services.domain.notifications import CancelReason
from services.notifier.context import DispatchContext, ReadyEmail
from services.notifier.delivery_results import close_unsent
from services.notifier.notice_sending import Compose, begin_notice
from services.notifier.partner_names import UNNAMED, names_of
from services.notifier.recipient import recipient_of
from services.notifier.rendering import benchmark_email
from services.platform.clock import day_of
from services.store import authorities, benchmark_enquiries, benchmark_notices, benchmark_requests, plans
from services.store.authorities import Authority, is_muted_between
from services.store.intents import Mail

ENQUIRIES: Final = (BenchmarkNotice.ENQUIRY, BenchmarkNotice.ENQUIRY_REMINDER)


async def begin(
    session: AsyncSession, dispatch: DispatchContext, mail: Mail, lease_owner: str, row: Authority | None, at: datetime
) -> ReadyEmail | None:
    """Compose the email and mark it as being sent; None if it is outdated, or has no recipient yet."""
    notice = await benchmark_notices.of_mail(session, mail.mail_id)
    kind, today = BenchmarkNotice(notice.kind), day_of(at)
    stored = await benchmark_requests.load_standing(session, notice.request_id)
    compose: Compose | None = None
    if stored is not None:
        letter = _enquiry if kind in ENQUIRIES else _own
        compose = await letter(session, mail.authority, kind, stored, today)
    if compose is None:
        await close_unsent(session, mail, [], row, at, CancelReason.SUPERSEDED)
        return None
    if row is not None and not row.benchmarks:
        await close_unsent(session, mail, [], row, at, CancelReason.NOT_WANTED)
        return None
    recipient = await recipient_of(session, mail, row, at)
    if recipient is None:
        return None
    return begin_notice(dispatch, mail, lease_owner, recipient, compose, at)


async def _own(
    session: AsyncSession,
    _: str,
    kind: BenchmarkNotice,
    stored: tuple[BenchmarkRequest, Status],
    today: date,
) -> Compose | None:
    """An email to the authority that extends; None if it is outdated."""
    request = stored[0]
    if not is_current(kind, *stored, today):
        return None
    plan = (await plans.by_id(session, [request.plan_id])).get(request.plan_id)
    state = (plan.state if plan else None) or {}
    ict = is_about_ict([state])
    return lambda row, links: benchmark_email.benchmark_letter(
        request,
        kind,
        state.get("title", ""),
        row.name,
        row.signed_on if ict else None,
        links.benchmark(request.plan_id) if links else None,
        ict=ict,
    )


async def _enquiry(
    session: AsyncSession,
    authority: str,
    kind: BenchmarkNotice,
    stored: tuple[BenchmarkRequest, Status],
    today: date,
) -> Compose | None:
    """An email to an authority that is asked; None if its answer is no longer wanted, or the two mute each other."""
    request, standing = stored
    enquiry = await benchmark_enquiries.load(session, request.request_id, authority)
    if enquiry is None or not is_wanted(enquiry, request, standing, today):
        return None
    plan = (await plans.by_id(session, [request.plan_id])).get(request.plan_id)
    requester = shown_requester(request.authority, plan.state if plan else None)
    mutes = await authorities.mutes_of(session, [authority, request.authority])
    if requester is None or is_muted_between(mutes, authority, request.authority):
        return None
    code = requester.authority
    name = (await names_of(session, {code}, today)).get(code, UNNAMED) if code else ""
    asked, ict = enquiry, is_about_ict([plan.state if plan else None])
    return lambda row, links: benchmark_email.enquiry_letter(
        asked,
        kind,
        requester,
        name,
        (row.name, row.signed_on if ict else None),
        links.enquiry(request.request_id) if links else None,
    )
