"""Extensions that asked for a benchmark: where each stands, and the decision that its authority records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import ResponseDecided
from services.application.responses import ResponseError, Subject, build
from services.domain.benchmark_requests import BenchmarkRequest, PlanStanding, is_overdue, is_without_benchmark
from services.store import benchmark_requests as store


@dataclass(frozen=True, slots=True)
class ExtensionRecord:
    """A request, where its plan stands, and what is wrong with it as of a day."""

    request: BenchmarkRequest
    plan: PlanStanding
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
            "decision": request.decision.value if request.decision else None,
            "decided_on": request.decided_on.isoformat() if request.decided_on else None,
            "plan": self.plan.value,
            "decision_overdue": self.overdue,
            "extended_without_benchmark": self.without_benchmark,
        }


async def list_extensions(session: AsyncSession, authority: str | None, today: date) -> Sequence[ExtensionRecord]:
    """The extensions that asked for a benchmark, those due first; of one authority or, for the office, of all."""
    found = await store.listed(session, authority)
    return [
        ExtensionRecord(request, plan, is_overdue(request, plan, today), is_without_benchmark(request, plan, today))
        for request, plan in found
    ]


async def build_decision(session: AsyncSession, request_id: str, authority: str, decision: str) -> ResponseDecided:
    """The response that records a decision. Raises ResponseError where the request is not there or another's."""
    row = await store.load(session, request_id)
    if row is None or row.authority != authority:
        raise ResponseError(f"{authority} made no request {request_id}; `jointly extensions list` shows them")
    subject = Subject("benchmark", request_id, row.revision, row.plan_id)
    payload = build(ResponseDecided, {**subject.fields(authority), "decision": decision})
    assert isinstance(payload, ResponseDecided)
    return payload
