"""Puts benchmark requests to authorities that hold a comparable contract. The caller holds the lock of coalitions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching.plan import Status
from matching.successions import dissolutions
from services.domain.benchmark_enquiries import Enquiry, Holder, choose_holders, may_ask, reminder_day
from services.domain.benchmark_requests import BenchmarkNotice, BenchmarkRequest
from services.domain.disclosure import shown_requester
from services.platform.clock import LONDON
from services.store import authorities, benchmark_notices, plans
from services.store import benchmark_enquiries as store
from services.store.authorities import Authority, Mutes, is_muted_between

REMINDER_HOUR: Final = time(9, 0)


@dataclass(frozen=True, slots=True)
class Register:
    """The register's rows and mutes of all authorities that a sweep looks at."""

    rows: Mapping[str, Authority]
    mutes: Mapping[str, Mutes]

    def willing(self, requester: str, holders: Sequence[Holder], today: date) -> list[Holder]:
        """The holders who can be asked for this requester: they read emails, and neither has muted the other."""
        asking = self.rows.get(requester)
        if asking is not None and not asking.takes_part(today):
            return []
        return [
            one
            for one in holders
            if not is_muted_between(self.mutes, requester, one.authority)
            and _reads(self.rows.get(one.authority), today)
        ]


async def ask_holders(
    session: AsyncSession, requests: Sequence[BenchmarkRequest], today: date, at: datetime
) -> set[str]:
    """Put these requests to holders of comparable contracts who were not asked yet; return the ids of those put.

    `at`: the due time of the emails.
    """
    waiting = await _askable(session, requests, today)
    if not waiting:
        return set()
    holders = await store.holders(session, {one.category for one in waiting if one.category}, today)
    known = await store.of_requests(session, [one.request_id for one in waiting])
    register = await _register(session, waiting, holders)
    put: set[str] = set()
    asked_now: Counter[str] = Counter()
    for request in waiting:
        # A holder that this sweep has already asked comes last, so that the requests do not all go to the same eight.
        found = [
            replace(one, last_asked=today, times_asked=one.times_asked + times)
            if (times := asked_now[one.authority])
            else one
            for one in register.willing(request.authority, holders.get(request.category or "", ()), today)
        ]
        asked = {one.authority for one in known.get(request.request_id, ())}
        for enquiry in choose_holders(request, found, asked, today):
            await _ask(session, enquiry, at)
            asked_now[enquiry.authority] += 1
            put.add(request.request_id)
    return put


async def _askable(session: AsyncSession, requests: Sequence[BenchmarkRequest], today: date) -> list[BenchmarkRequest]:
    """The requests that may be put to others: their plans stand and are shared in some way."""
    found = [one for one in requests if one.category and may_ask(one, today)]
    stored = await plans.by_id(session, [one.plan_id for one in found])
    active = {plan_id: plan.state for plan_id, plan in stored.items() if plan.status == Status.ACTIVE}
    return [one for one in found if shown_requester(one.authority, active.get(one.plan_id)) is not None]


async def _register(
    session: AsyncSession, requests: Sequence[BenchmarkRequest], holders: Mapping[str, Sequence[Holder]]
) -> Register:
    codes = {one.authority for one in requests} | {one.authority for found in holders.values() for one in found}
    return Register(
        await authorities.by_codes(session, sorted(codes)), await authorities.mutes_of(session, sorted(codes))
    )


async def _ask(session: AsyncSession, enquiry: Enquiry, at: datetime) -> None:
    await store.save(session, enquiry)
    to = (enquiry.request_id, enquiry.authority)
    await benchmark_notices.add(session, *to, BenchmarkNotice.ENQUIRY, at)
    day = reminder_day(enquiry)
    if day is not None:
        due_at = datetime.combine(day, REMINDER_HOUR, LONDON)
        await benchmark_notices.add(session, *to, BenchmarkNotice.ENQUIRY_REMINDER, due_at)


def _reads(row: Authority | None, today: date) -> bool:
    """Whether an authority gets emails about prices on a day."""
    if row is None or row.mailbox is None or row.authority in dissolutions(today):
        return False
    return row.takes_part(today) and row.benchmarks and not row.is_paused(today)
