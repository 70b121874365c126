"""Benchmark requests of extensions beyond twelve months: made, answered by cells or other authorities, decided."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from events.benchmarks import BENCHMARK_PAYLOADS
from events.cloudevents import Event, encode
from events.responses import ResponseDecided, ResponseEnquiry
from events.topics import BENCHMARKS
from services.coalitions.benchmark_enquiries import REMINDER_HOUR, ask_holders
from services.coalitions.writing import lock
from services.domain.benchmark_cells import category_of
from services.domain.benchmark_enquiries import answer_enquiry, tally
from services.domain.benchmark_requests import (
    BenchmarkRequest,
    BenchmarkStatus,
    answer_request,
    decide,
    due_notices,
    request_benchmark,
)
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason
from services.domain.disclosure import shown_requester
from services.domain.ids import event_id
from services.platform import logs
from services.platform.clock import LONDON
from services.store import benchmark_enquiries, benchmark_notices, benchmarks, contracts, outbox, plans
from services.store import benchmark_requests as store
from services.store.benchmark_requests import Extension
from services.store.database import Sessions, now, transaction

_KINDS: Final = {payload.type.split(".")[2]: payload for payload in BENCHMARK_PAYLOADS}

log: Final = logs.get(__name__)


def random_id(_: str) -> str:
    """The id of a request for a plan. An id made from the plan would tell who asks to those who guess the plan."""
    return uuid4().hex


async def sweep_requests(
    sessions: Sessions, today: date, at: datetime | None = None, new_id: Callable[[str], str] = random_id
) -> None:
    """Create missing requests, answer those that have an answer or are due, put the others to holders of comparable
    contracts, and adds due notices.

    `at`: the due time of immediate emails; the current time by default. `new_id` makes the id of a plan's request.
    """
    at = at or now()
    async with transaction(sessions) as session:
        await lock(session)
        for extension in await store.unasked_extensions(session):
            request = _request(extension, new_id(extension.plan_id), today)
            if request is not None:
                await _write(session, request, None)
        waiting = await _answer(session, [row.request for row in await store.unanswered(session)], today)
        put = await ask_holders(session, waiting, today, at)
        await _answer(session, [one for one in waiting if one.request_id in put], today)
        for request, plan in await store.undecided(session):
            for kind, day in due_notices(request, plan, today):
                due_at = datetime.combine(day, REMINDER_HOUR, LONDON) if day else at
                await benchmark_notices.add(session, request.request_id, request.authority, kind, due_at)


async def record_decision(session: AsyncSession, payload: ResponseDecided, today: date, cause: str | None) -> None:
    """Record an authority's decision. The caller holds the lock. Raises AnswerRefusedError."""
    row = await store.load(session, payload.subject_id)
    if row is None or row.plan_id != payload.plan_id:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"plan {payload.plan_id} made no request {payload.subject_id}"
        )
    await _write(session, decide(row.request, payload.decision, today), cause)


async def record_enquiry_answer(
    session: AsyncSession, payload: ResponseEnquiry, today: date, cause: str | None
) -> None:
    """Record the answer of an authority that was asked. The caller holds the lock. Raises AnswerRefusedError."""
    row = await store.load(session, payload.subject_id)
    if row is None:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"the authority was not asked about the request {payload.subject_id}"
        )
    enquiry = await benchmark_enquiries.load(session, payload.subject_id, payload.authority)
    named = await contracts.load_published(session, payload.contract_id) if payload.contract_id else None
    await benchmark_enquiries.save(session, answer_enquiry(enquiry, row.request, payload.outcome, named, today))
    await _answer(session, [row.request], today, cause)


async def _answer(
    session: AsyncSession, requests: Sequence[BenchmarkRequest], today: date, cause: str | None = None
) -> list[BenchmarkRequest]:
    """Brings requests up to date with cells, enquiries and the day; returns those still without an answer."""
    enquiries = await benchmark_enquiries.of_requests(session, [one.request_id for one in requests])
    waiting = []
    for request in requests:
        cells = await benchmarks.cells(session, request.category) if request.category else []
        answered = answer_request(request, cells, tally(enquiries.get(request.request_id, ())), today)
        if answered != request:
            await _write(session, answered, cause)
        if answered.status is BenchmarkStatus.REQUESTED:
            waiting.append(answered)
    return waiting


def _request(extension: Extension, request_id: str, today: date) -> BenchmarkRequest | None:
    state: Any = extension.state
    codes = state.get("cpv") or ()
    current_end = date.fromisoformat(state["current_contract"]["end"])
    return request_benchmark(
        request_id,
        extension.plan_id,
        category=category_of(codes[0]) if codes else None,
        months=state["extension"]["months"],
        ends=(min(extension.first_end, current_end), current_end),
        today=today,
    )


async def _write(session: AsyncSession, request: BenchmarkRequest, cause: str | None) -> None:
    """Write a request, and its event unless the plan is private."""
    revision = await store.save(session, request)
    log.info("benchmark request", request_id=request.request_id, status=request.status.value, revision=revision)
    plan = (await plans.by_id(session, [request.plan_id])).get(request.plan_id)
    shown = shown_requester(request.authority, plan.state if plan else None)
    if shown is None:
        return
    kind = _KINDS[request.status.value]
    payload = kind(
        request_id=request.request_id,
        revision=revision,
        # With `category` and `due_on`, a name here would tell those who are asked without one who asks.
        authority=shown.authority,
        plan_id=request.plan_id if shown.authority else None,
        category=request.category,
        months=request.months,
        requested_on=request.requested_on,
        due_on=request.due_on,
        asked=request.others.asked,
        answers=request.others.answers,
        supplied=request.others.supplied,
        answered_on=request.answered_on,
        decision=request.decision,
        decided_on=request.decided_on,
    )
    event = Event(
        id=event_id("benchmark", request.request_id, revision),
        type=kind.type,
        source="/benchmarks",
        subject=request.request_id,
        time=now(),
        payload=payload,
        # The id of an answer may derive from its content, which names the plan.
        causation_id=cause if shown.authority else None,
    )
    session.add(outbox.to_outbox_row(BENCHMARKS.name, event.id, encode(event, request.request_id)))
