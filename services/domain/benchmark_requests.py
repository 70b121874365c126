"""When an extension asks for a benchmark, until when, what answers it, and whether it went ahead without one. Pure."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from matching.calendar import add_working_days, nation_of
from services.domain.benchmark_cells import BenchmarkCell
from services.domain.deadlines import reminder_days
from services.domain.ids import text_hash

FREE_MONTHS: Final = 12
"""Months past a contract's first end, all extensions together, up to which none asks for a benchmark."""

ANSWER_DAYS: Final = 10
"""Working days until a request is answered, if only by the word that there is no benchmark."""


class BenchmarkStatus(StrEnum):
    """What became of a request."""

    REQUESTED = "requested"
    SUPPLIED = "supplied"
    NONE_AVAILABLE = "none-available"
    WITHHELD = "withheld"


class ExtensionDecision(StrEnum):
    """What an authority decides once it has looked at the benchmark."""

    EXTEND = "extend"
    EXTEND_SHORTER = "extend-shorter"
    TENDER = "tender"
    TENDER_JOINTLY = "tender-jointly"


class PlanStanding(StrEnum):
    """Where the plan to extend stands."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    AWARDED = "awarded"


class BenchmarkNotice(StrEnum):
    """The emails about a request, each sent once."""

    REQUEST = "request"
    REMINDER = "reminder"
    WITHOUT = "without-benchmark"


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """The request that one extension makes. `months`: past the first end, this extension included."""

    request_id: str
    plan_id: str
    authority: str
    category: str | None
    months: int
    current_end: date
    requested_on: date
    due_on: date
    status: BenchmarkStatus = BenchmarkStatus.REQUESTED
    answered_on: date | None = None
    decision: ExtensionDecision | None = None
    decided_on: date | None = None


def months_past(first_end: date, end: date) -> int:
    """Months that a contract runs past its first end; a month that has begun counts."""
    months = (end.year - first_end.year) * 12 + end.month - first_end.month
    both_last = _is_last_of_month(first_end) and _is_last_of_month(end)
    return max(0, months + (end.day > first_end.day and not both_last))


def request_benchmark(
    plan_id: str,
    *,
    category: str | None,
    months: int,
    ends: tuple[date, date],
    today: date,
) -> BenchmarkRequest | None:
    """The request of an extension by `months`; None where all extensions together stay within twelve months.

    `ends`: the contract's first and present last day. The Act's limit of 10 per cent is another test.
    """
    first_end, current_end = ends
    total = months_past(first_end, current_end) + months
    if total <= FREE_MONTHS:
        return None
    authority = plan_id.split(":", 1)[0]
    return BenchmarkRequest(
        request_id=text_hash(f"benchmark request\n{plan_id}\n{current_end}")[:32],
        plan_id=plan_id,
        authority=authority,
        category=category,
        months=total,
        current_end=current_end,
        requested_on=today,
        due_on=add_working_days(today, ANSWER_DAYS, {nation_of(authority)}),
    )


def answer_request(request: BenchmarkRequest, cells: Sequence[BenchmarkCell], today: date) -> BenchmarkRequest:
    """The request as the published cells of its category answer it.

    A cell with a median supplies it at once. Where there is none by the due day, prices are withheld or none are there:
    both meet the duty to ask.
    """
    if request.status is not BenchmarkStatus.REQUESTED:
        return request
    if any(cell.median is not None for cell in cells):
        return replace(request, status=BenchmarkStatus.SUPPLIED, answered_on=today)
    if today <= request.due_on:
        return request
    withheld = any(cell.withheld for cell in cells)
    status = BenchmarkStatus.WITHHELD if withheld else BenchmarkStatus.NONE_AVAILABLE
    return replace(request, status=status, answered_on=today)


def decide(request: BenchmarkRequest, decision: ExtensionDecision, today: date) -> BenchmarkRequest:
    """The request with the authority's decision; a later one takes the place of an earlier one."""
    return replace(request, decision=decision, decided_on=today)


def is_overdue(request: BenchmarkRequest, plan: PlanStanding, today: date) -> bool:
    """Whether the authority's decision is awaited and the due day has passed."""
    return plan is PlanStanding.ACTIVE and request.decision is None and today > request.due_on


def is_without_benchmark(request: BenchmarkRequest, plan: PlanStanding, today: date) -> bool:
    """Whether the contract was extended and nobody recorded a decision on a benchmark before.

    A plan that is awarded was carried out; one that still stands when the contract has ended was, too.
    """
    if plan is PlanStanding.WITHDRAWN or request.decision is not None:
        return False
    return plan is PlanStanding.AWARDED or today > request.current_end


def due_notices(
    request: BenchmarkRequest, plan: PlanStanding, today: date
) -> list[tuple[BenchmarkNotice, date | None]]:
    """What the authority is to be told, each with its day, None for at once. A decision ends it."""
    if is_without_benchmark(request, plan, today):
        return [(BenchmarkNotice.WITHOUT, None)]
    if not is_current(BenchmarkNotice.REQUEST, request, plan, today):
        return []
    days = reminder_days(request.requested_on, request.due_on, {nation_of(request.authority)})
    reminders: list[tuple[BenchmarkNotice, date | None]] = [(BenchmarkNotice.REMINDER, day) for day in days[-1:]]
    return [(BenchmarkNotice.REQUEST, None), *reminders]


def is_current(kind: BenchmarkNotice, request: BenchmarkRequest, plan: PlanStanding, today: date) -> bool:
    """Whether a notice still holds."""
    if kind is BenchmarkNotice.WITHOUT:
        return is_without_benchmark(request, plan, today)
    return plan is PlanStanding.ACTIVE and request.decision is None and today <= request.current_end


def _is_last_of_month(day: date) -> bool:
    return day.day == calendar.monthrange(day.year, day.month)[1]
