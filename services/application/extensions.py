"""Extensions that asked for a benchmark: their state, and the decision that the authority records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import ResponseDecided
from matching.plan import Status
from services.application.responses import ResponseError, Subject, build
from services.domain.benchmark_requests import BenchmarkRequest, is_overdue, is_without_benchmark
from services.store import benchmark_requests as store


@dataclass(frozen=True, slots=True)
class ExtensionRecord:
    """A request with the state of its plan, and whether it is overdue or went without a benchmark, as of a day."""

    request: BenchmarkRequest
    plan: Status
    overdue: bool
    without_benchmark: bool

    def as_json(self) -> dict[str, Any]:
        """The record for a program."""
        request = self.request
        return {
            "request_id": request.request_id,
            "plan_id": request.plan_id,
            "authority": request.authority,
            "category": request.category,
            "months": request.months,
            "current_end": request.current_end.isoformat(),
            "requested_on": request.requested_on.isoformat(),
            "due_on": request.due_on.isoformat(),
            "status": request.status.value,
            "asked": request.others.asked,
            "answers": request.others.answers,
            "supplied": request.others.supplied,
            "decision": request.decision.value if request.decision else None,
            "decided_on": request.decided_on.isoformat() if request.decided_on else None,
            "plan": self.plan.value,
            "decision_overdue": self.overdue,
            "extended_without_benchmark": self.without_benchmark,
        }


async def list_extensions(session: AsyncSession, authority: str | None, today: date) -> Sequence[ExtensionRecord]:
    """The extensions that asked for a benchmark, earliest due day first; of one authority, or all for the office."""
    found = await store.listed(session, authority)
    return [
        ExtensionRecord(request, plan, is_overdue(request, plan, today), is_without_benchmark(request, plan, today))
        for request, plan in found
    ]


async def build_decision(session: AsyncSession, request_id: str, authority: str, decision: str) -> ResponseDecided:
    """Build the response that records a decision. Raises ResponseError if the authority made no such request."""
    row = await store.load(session, request_id)
    if row is None or row.authority != authority:
        raise ResponseError(f"{authority} made no request {request_id}; `jointly extensions list` shows them")
    subject = Subject("benchmark", request_id, row.revision, row.plan_id)
    payload = build(ResponseDecided, {**subject.fields(authority), "decision": decision})
    assert isinstance(payload, ResponseDecided)
    return payload
