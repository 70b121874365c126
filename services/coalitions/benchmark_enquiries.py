"""Puts benchmark requests to authorities that hold a comparable contract. The caller holds the lock of coalitions."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching.successions import dissolutions
from services.domain.benchmark_enquiries import Enquiry, Holder, choose_holders, may_ask, reminder_day
from services.domain.benchmark_requests import BenchmarkNotice, BenchmarkRequest
from services.domain.disclosure import shown_requester
from services.platform.clock import LONDON
from services.store import authorities, benchmark_notices, plans
from services.store import benchmark_enquiries as store
from services.store.authorities import Authority, Mutes

REMINDER_HOUR: Final = time(9, 0)


async def ask_holders(
    session: AsyncSession, requests: Sequence[BenchmarkRequest], today: date, at: datetime
) -> set[str]:
    """Puts these requests to holders of comparable contracts who were not asked yet; returns the ids of those put.

    `at`: the due time of the emails.
    """
    waiting = [one for one in requests if one.category and may_ask(one, today)]
    if not waiting:
        return set()
    stored = await plans.by_id(session, [one.plan_id for one in waiting])
    holders = await store.holders(session, {one.category for one in waiting if one.category}, today)
    known = await store.of_requests(session, [one.request_id for one in waiting])
    put = set()
    for request in waiting:
        plan = stored.get(request.plan_id)
        if plan is None or shown_requester(request.authority, plan.state) is None:
            continue
        willing = await _willing(session, request.authority, holders.get(request.category or "", ()), today)
        asked = {one.authority for one in known.get(request.request_id, ())}
        for enquiry in choose_holders(request, willing, asked, today):
            await _ask(session, enquiry, at)
            put.add(request.request_id)
    return put


async def _ask(session: AsyncSession, enquiry: Enquiry, at: datetime) -> None:
    await store.save(session, enquiry)
    to = (enquiry.request_id, enquiry.authority)
    await benchmark_notices.add(session, *to, BenchmarkNotice.ENQUIRY, at)
    day = reminder_day(enquiry)
    if day is not None:
        due_at = datetime.combine(day, REMINDER_HOUR, LONDON)
        await benchmark_notices.add(session, *to, BenchmarkNotice.ENQUIRY_REMINDER, due_at)


async def _willing(session: AsyncSession, requester: str, holders: Sequence[Holder], today: date) -> list[Holder]:
    """The holders who can be asked on a day for this requester: they read emails, and neither has muted the other."""
    codes = [requester, *(one.authority for one in holders)]
    register = await authorities.by_codes(session, codes)
    mutes = await authorities.mutes_of(session, codes)
    asking = register.get(requester)
    if asking is not None and not asking.takes_part(today):
        return []
    muted = mutes.get(requester, Mutes()).partners
    return [
        one
        for one in holders
        if one.authority not in muted
        and requester not in mutes.get(one.authority, Mutes()).partners
        and _reads(register.get(one.authority), today)
    ]


def _reads(row: Authority | None, today: date) -> bool:
    """Whether an authority gets emails on a day."""
    if row is None or row.mailbox is None or row.authority in dissolutions(today):
        return False
    return row.takes_part(today) and not row.is_paused(today) and (row.immediate or row.digest)
