"""Benchmark requests of extensions: when one is made, its due day, its answer, and the authority's decision. Pure."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from events.benchmarks import ExtensionDecision
from matching.calendar import add_working_days, nation_of
from matching.plan import Status
from services.domain.benchmark_cells import BenchmarkCell
from services.domain.deadlines import reminder_days

FREE_MONTHS: Final = 12
"""Extensions need no benchmark until a contract runs this many months past its first end, all extensions together."""

ANSWER_DAYS: Final = 10
"""Working days to answer a request. The answer may be that no benchmark is available."""


class BenchmarkStatus(StrEnum):
    """The outcome of a request."""

    REQUESTED = "requested"
    SUPPLIED = "supplied"
    NONE_AVAILABLE = "none-available"
    WITHHELD = "withheld"


class BenchmarkNotice(StrEnum):
    """The emails about a request, each sent once: to its authority, and enquiries to the authorities that it asks."""

    REQUEST = "request"
    REMINDER = "reminder"
    ANSWERS = "answers"
    WITHOUT = "without-benchmark"
    ENQUIRY = "enquiry"
    ENQUIRY_REMINDER = "enquiry-reminder"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many other authorities a request was put to, and their answers."""

    asked: int = 0
    answers: int = 0
    supplied: int = 0
    withheld: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all that were asked have answered."""
        return 0 < self.asked == self.answers


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """The request for one extension. `months` counts past the first end and includes this extension.

    `others`: the answers of the authorities that it was put to.
    """

    request_id: str
    plan_id: str
    authority: str
    category: str | None
    months: int
    current_end: date
    requested_on: date
    due_on: date
    status: BenchmarkStatus = BenchmarkStatus.REQUESTED
    others: Tally = Tally()
    answered_on: date | None = None
    decision: ExtensionDecision | None = None
    decided_on: date | None = None


def months_past(first_end: date, end: date) -> int:
    """Months that a contract runs past its first end; a month that has begun counts."""
    months = (end.year - first_end.year) * 12 + end.month - first_end.month
    both_last = _is_last_of_month(first_end) and _is_last_of_month(end)
    return max(0, months + (end.day > first_end.day and not both_last))


def request_benchmark(
    request_id: str,
    plan_id: str,
    *,
    category: str | None,
    months: int,
    ends: tuple[date, date],
    today: date,
) -> BenchmarkRequest | None:
    """Create the request for an extension by `months`; None if all extensions together stay within twelve months.

    `request_id` must be unguessable: those who are asked see it, and not always who asks. `ends`: the contract's first
    and current last day. The Act's limit of 10 per cent is a separate test.
    """
    first_end, current_end = ends
    total = months_past(first_end, current_end) + months
    if total <= FREE_MONTHS:
        return None
    authority = plan_id.split(":", 1)[0]
    return BenchmarkRequest(
        request_id=request_id,
        plan_id=plan_id,
        authority=authority,
        category=category,
        months=total,
        current_end=current_end,
        requested_on=today,
        due_on=add_working_days(today, ANSWER_DAYS, {nation_of(authority)}),
    )


def answer_request(
    request: BenchmarkRequest, cells: Sequence[BenchmarkCell], others: Tally, today: date
) -> BenchmarkRequest:
    """Answers the request from the published cells of its category, and from the authorities that it was put to.

    A cell with a median answers it immediately. Otherwise it waits until all that were asked have answered, or the due
    day has passed. Without a price, prices are withheld or not available; both meet the duty to ask.
    """
    if request.status is not BenchmarkStatus.REQUESTED:
        return request
    request = replace(request, others=others)
    if any(cell.median is not None for cell in cells):
        return replace(request, status=BenchmarkStatus.SUPPLIED, answered_on=today)
    if today <= request.due_on and not others.is_complete:
        return request
    if others.supplied:
        return replace(request, status=BenchmarkStatus.SUPPLIED, answered_on=today)
    withheld = others.withheld or any(cell.withheld for cell in cells)
    status = BenchmarkStatus.WITHHELD if withheld else BenchmarkStatus.NONE_AVAILABLE
    return replace(request, status=status, answered_on=today)


def decide(request: BenchmarkRequest, decision: ExtensionDecision, today: date) -> BenchmarkRequest:
    """Record the authority's decision; a later one replaces an earlier one."""
    return replace(request, decision=decision, decided_on=today)


def is_overdue(request: BenchmarkRequest, plan: Status, today: date) -> bool:
    """Whether the due day has passed without the authority's decision."""
    return plan is Status.ACTIVE and request.decision is None and today > request.due_on


def is_without_benchmark(request: BenchmarkRequest, plan: Status, today: date) -> bool:
    """Whether the contract was extended without a recorded decision.

    A plan that was awarded was carried out. So was a plan that is still active when the contract has ended.
    """
    if plan is Status.WITHDRAWN or request.decision is not None:
        return False
    return plan is Status.AWARDED or today > request.current_end


def due_notices(request: BenchmarkRequest, plan: Status, today: date) -> list[tuple[BenchmarkNotice, date | None]]:
    """The notices due to the authority, each with its day; None means immediately. A decision ends them."""
    if is_without_benchmark(request, plan, today):
        return [(BenchmarkNotice.WITHOUT, None)]
    if not is_current(BenchmarkNotice.REQUEST, request, plan, today):
        return []
    days = reminder_days(request.requested_on, request.due_on, {nation_of(request.authority)})
    reminders: list[tuple[BenchmarkNotice, date | None]] = [(BenchmarkNotice.REMINDER, day) for day in days[-1:]]
    heard = bool(request.others.asked) and request.status is not BenchmarkStatus.REQUESTED
    answers: list[tuple[BenchmarkNotice, date | None]] = [(BenchmarkNotice.ANSWERS, None)] if heard else []
    return [(BenchmarkNotice.REQUEST, None), *reminders, *answers]


def is_current(kind: BenchmarkNotice, request: BenchmarkRequest, plan: Status, today: date) -> bool:
    """Whether a notice is still true."""
    if kind is BenchmarkNotice.WITHOUT:
        return is_without_benchmark(request, plan, today)
    return plan is Status.ACTIVE and request.decision is None and today <= request.current_end


def _is_last_of_month(day: date) -> bool:
    return day.day == calendar.monthrange(day.year, day.month)[1]
