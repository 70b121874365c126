"""The second and fifth principles in numbers: benchmarks before long extensions, and shared contracts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from events.benchmarks import ExtensionDecision
from events.responses import EnquiryAnswer
from matching.plan import Status
from services.domain.benchmark_requests import BenchmarkRequest, BenchmarkStatus, decide, is_without_benchmark
from services.domain.programme.records import RecordedDecision, RecordedEnquiry, RevisionKind, SharedContract
from services.domain.programme.shares import PlanHistory

_STANDING = {
    RevisionKind.STATE: Status.ACTIVE,
    RevisionKind.WITHDRAWN: Status.WITHDRAWN,
    RevisionKind.AWARDED: Status.AWARDED,
}


@dataclass(frozen=True, slots=True)
class Extensions:
    """Extensions beyond twelve months: the outcome of their benchmark requests, and those without a decision."""

    asked: int
    by_status: Mapping[BenchmarkStatus, int]
    decided: int
    without: int


@dataclass(frozen=True, slots=True)
class Enquiries:
    """Benchmark requests put to other authorities: how often, how many answers came, and how many with a price."""

    asked: int
    answers: int
    supplied: int


@dataclass(frozen=True, slots=True)
class Contracts:
    """Shared contracts: with prices or a reason for none, with ratings, and by the tiers that may see them."""

    shared: int
    prices: int
    withheld: int
    rated: int
    signatories: int
    public: int


def extensions(
    requests: Sequence[BenchmarkRequest],
    decisions: Sequence[RecordedDecision],
    plans: Mapping[str, PlanHistory],
    as_of: date,
) -> Extensions:
    """The requests made by a day, in their state on that day."""
    found = [_on_day(one, decisions, as_of) for one in requests if one.requested_on <= as_of]
    standing = {one.plan_id: _STANDING[plans[one.plan_id].last.kind] for one in found if one.plan_id in plans}
    return Extensions(
        asked=len(found),
        by_status=Counter(one.status for one in found),
        decided=sum(one.decision is not None for one in found),
        without=sum(is_without_benchmark(one, standing.get(one.plan_id, Status.WITHDRAWN), as_of) for one in found),
    )


def enquiries(recorded: Sequence[RecordedEnquiry], as_of: date) -> Enquiries:
    """The questions put by a day, and the last answer to each by then. `recorded` is in the order of arrival."""
    last = {(one.request_id, one.authority): one.answer for one in recorded if one.on <= as_of}
    answers = [answer for answer in last.values() if answer is not None]
    return Enquiries(len(last), len(answers), answers.count(EnquiryAnswer.SUPPLIED))


def contracts(shared: Sequence[SharedContract], as_of: date) -> Contracts:
    """The contracts shared by a day."""
    found = [one for one in shared if one.on <= as_of]
    return Contracts(
        shared=len(found),
        prices=sum(one.has_prices for one in found),
        withheld=sum(one.is_withheld for one in found),
        rated=sum(one.is_rated for one in found),
        signatories=sum((one.signatories_from or date.max) <= as_of for one in found),
        public=sum((one.public_from or date.max) <= as_of for one in found),
    )


def _on_day(request: BenchmarkRequest, decisions: Sequence[RecordedDecision], as_of: date) -> BenchmarkRequest:
    """The request without later events: answers and decisions after the day."""
    answered = request.answered_on is not None and request.answered_on <= as_of
    bare = BenchmarkRequest(
        request_id=request.request_id,
        plan_id=request.plan_id,
        authority=request.authority,
        category=request.category,
        months=request.months,
        current_end=request.current_end,
        requested_on=request.requested_on,
        due_on=request.due_on,
        status=request.status if answered else BenchmarkStatus.REQUESTED,
        answered_on=request.answered_on if answered else None,
    )
    for one in decisions:
        if one.request_id == request.request_id and one.on <= as_of:
            bare = decide(bare, ExtensionDecision(one.decision), one.on)
    return bare
