"""Benchmark requests for extensions beyond twelve months: created, answered by published cells, and decided."""

from datetime import date, datetime, time
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.benchmarks import BENCHMARK_PAYLOADS
from events.cloudevents import Event, encode
from events.responses import ResponseDecided
from events.topics import BENCHMARKS
from matching.plan import Sharing
from services.coalitions.writing import lock
from services.domain.benchmark_cells import category_of
from services.domain.benchmark_requests import (
    BenchmarkRequest,
    ExtensionDecision,
    answer_request,
    decide,
    due_notices,
    request_benchmark,
)
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason
from services.domain.ids import event_id
from services.platform import logs
from services.platform.clock import LONDON
from services.store import benchmark_notices, benchmarks, outbox, plans
from services.store import benchmark_requests as store
from services.store.benchmark_requests import Extension
from services.store.database import Sessions, now, transaction

_KINDS: Final = {payload.type.split(".")[2]: payload for payload in BENCHMARK_PAYLOADS}

REMINDER_HOUR: Final = time(9, 0)

log: Final = logs.get(__name__)


async def sweep_requests(sessions: Sessions, today: date, at: datetime | None = None) -> None:
    """Creates missing requests, answers requests from published cells or on their due day, and adds due notices.

    `at`: the due time of immediate emails; the current time by default.
    """
    async with transaction(sessions) as session:
        await lock(session)
        for extension in await store.unasked_extensions(session):
            request = _request(extension, today)
            if request is not None:
                await _write(session, request, None)
        for row in await store.unanswered(session):
            request = row.request
            cells = await benchmarks.cells(session, request.category) if request.category else []
            answered = answer_request(request, cells, today)
            if answered != request:
                await _write(session, answered, None)
        for request, plan in await store.undecided(session):
            for kind, day in due_notices(request, plan, today):
                due_at = datetime.combine(day, REMINDER_HOUR, LONDON) if day else at or now()
                await benchmark_notices.add(session, request, kind, due_at)


async def record_decision(session: AsyncSession, payload: ResponseDecided, today: date, cause: str | None) -> None:
    """Records an authority's decision. The caller holds the lock. Raises AnswerRefusedError."""
    row = await store.load(session, payload.subject_id)
    if row is None or row.plan_id != payload.plan_id:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"plan {payload.plan_id} made no request {payload.subject_id}"
        )
    await _write(session, decide(row.request, ExtensionDecision(payload.decision), today), cause)


def _request(extension: Extension, today: date) -> BenchmarkRequest | None:
    state: Any = extension.state
    codes = state.get("cpv") or ()
    current_end = date.fromisoformat(state["current_contract"]["end"])
    return request_benchmark(
        extension.plan_id,
        category=category_of(codes[0]) if codes else None,
        months=state["extension"]["months"],
        ends=(min(extension.first_end, current_end), current_end),
        today=today,
    )


async def _write(session: AsyncSession, request: BenchmarkRequest, cause: str | None) -> None:
    """Writes a request, and its event unless the plan is private."""
    revision = await store.save(session, request)
    log.info("benchmark request", request_id=request.request_id, status=request.status.value, revision=revision)
    plan = (await plans.by_id(session, [request.plan_id])).get(request.plan_id)
    sharing = (plan.state or {}).get("sharing", "private") if plan else "private"
    if sharing == Sharing.PRIVATE:
        return
    kind = _KINDS[request.status.value]
    payload = kind(
        request_id=request.request_id,
        revision=revision,
        authority=request.authority,
        plan_id=request.plan_id if sharing == Sharing.OPEN else None,
        category=request.category,
        months=request.months,
        requested_on=request.requested_on,
        due_on=request.due_on,
        answered_on=request.answered_on,
        decision=request.decision.value if request.decision else None,
        decided_on=request.decided_on,
    )
    event = Event(
        id=event_id("benchmark", request.request_id, revision),
        type=kind.type,
        source="/benchmarks",
        subject=request.request_id,
        time=now(),
        payload=payload,
        causation_id=cause,
    )
    session.add(outbox.to_outbox_row(BENCHMARKS.name, event.id, encode(event, request.request_id)))
