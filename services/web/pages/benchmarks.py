"""Benchmarks: of a plan to extend, with the council's decision, and of a category.

Prices appear only after a button is pressed: each look is an entry of the audit log, and opening a page is none.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from events.benchmarks import ExtensionDecision
from services.application import benchmarks, extensions, home
from services.application.acts import submit
from services.application.benchmarks import Benchmark, BenchmarkError
from services.application.extensions import ExtensionRecord
from services.application.responses import ResponseError
from services.domain.audit import Channel
from services.domain.benchmark_requests import BenchmarkStatus
from services.domain.reorganisation import name_on
from services.web.access import Session
from services.web.forms import Form, read_form
from services.web.parts import today_of
from services.web.sending import outcome_of, response_id_of
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()
STATUS_TEXTS: Final[Mapping[BenchmarkStatus, str]] = {
    BenchmarkStatus.REQUESTED: "Asked for; no benchmark yet",
    BenchmarkStatus.SUPPLIED: "There is one: look at it below",
    BenchmarkStatus.NONE_AVAILABLE: "None is available. You have asked, and that is enough",
    BenchmarkStatus.WITHHELD: "Others withhold their prices. You have asked, and that is enough",
}
DECISIONS: Final[Mapping[str, str]] = {
    ExtensionDecision.EXTEND: "Extend as planned",
    ExtensionDecision.EXTEND_SHORTER: "Extend, but for less time",
    ExtensionDecision.TENDER: "Tender alone",
    ExtensionDecision.TENDER_JOINTLY: "Tender with others",
}
NO_CODE: Final = "Enter a CPV code of 5 to 8 digits, for example 48450000"


@router.get("/p/{plan_id}/benchmark")
async def show(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """Show the extension's request, and a button that reveals the benchmark."""
    outcome = await outcome_of(request, council.authority)
    sent = bool(request.query_params.get("sent"))
    return await _of_plan(request, session, council, plan_id, sent=sent, outcome=outcome)


@router.post("/p/{plan_id}/benchmark")
async def look(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """Show the benchmark, and record that the council looked at it."""
    await _require_own(request, session, council, plan_id)
    try:
        found = await _read(request, session, council, plan_id)
    except BenchmarkError:
        # The plan names no CPV code. The council may know one, and ask by it.
        return RedirectResponse("/benchmarks", 303)
    return await _of_plan(request, session, council, plan_id, found=found)


@router.post("/p/{plan_id}/benchmark/decide")
async def decide(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """Record the council's decision about its extension."""
    record = await _extension(request, session, council, plan_id)
    if record is None:
        raise HTTPException(404)
    form = Form(await read_form(request))
    response_id = response_id_of(form)
    decision = form.choice("decision", DECISIONS, "Choose what you decide")
    if form.errors:
        return await _of_plan(request, session, council, plan_id, status=400, form=form)
    try:
        payload = await extensions.build_decision(session, record.request.request_id, council.authority, decision)
    except ResponseError:
        raise HTTPException(409) from None
    await submit(session, payload.model_copy(update={"response_id": response_id}), council.actor)
    return RedirectResponse(f"/p/{plan_id}/benchmark?sent={response_id}", 303)


@router.get("/benchmarks")
async def ask(request: Request, council: Council) -> Response:
    """Ask for a category."""
    return _category(request, council, Form(FormData()))


@router.post("/benchmarks")
async def look_at_category(request: Request, session: Session, council: Council) -> Response:
    """Show the benchmark of a category, and record that the council looked at it."""
    form = Form(await read_form(request))
    code = form.text("cpv", label="a CPV code")
    if form.errors or ":" in code:
        form.errors["cpv"] = NO_CODE
        return _category(request, council, form, status=400)
    try:
        found = await _read(request, session, council, code)
    except BenchmarkError:
        form.errors["cpv"] = NO_CODE
        return _category(request, council, form, status=400)
    return _category(request, council, form, found=found)


async def _require_own(request: Request, session: Session, council: Council, plan_id: str) -> home.OwnPlan:
    found = await home.load_plan(session, council.authority, plan_id, today_of(request))
    if found is None:
        raise HTTPException(404)
    return found[0]


async def _read(request: Request, session: Session, council: Council, about: str) -> Benchmark:
    return await benchmarks.read_benchmark(
        session,
        about,
        reader=council.authority,
        channel=Channel.BROWSER,
        actor=council.actor,
        today=today_of(request),
    )


async def _extension(request: Request, session: Session, council: Council, plan_id: str) -> ExtensionRecord | None:
    """The newest request caused by an extension of the council's plan."""
    day = today_of(request)
    found = [
        record
        for record in await extensions.list_extensions(session, council.authority, day)
        if record.request.plan_id == plan_id
    ]
    return max(found, key=lambda record: record.request.current_end, default=None)


async def _of_plan(
    request: Request,
    session: Session,
    council: Council,
    plan_id: str,
    *,
    status: int = 200,
    form: Form | None = None,
    **values: Any,
) -> Response:
    own = await _require_own(request, session, council, plan_id)
    form = form or Form(FormData())
    return render(
        request,
        "plan_benchmark.html",
        status=status,
        plan=own,
        extension=await _extension(request, session, council, plan_id),
        statuses=STATUS_TEXTS,
        decisions=DECISIONS,
        suppressed=benchmarks.SUPPRESSED,
        name_of=partial(name_on, day=today_of(request)),
        form=form,
        response_id=str(uuid4()),
        page_errors=bool(form.errors),
        section="home",
        **values,
    )


def _category(
    request: Request, council: Council, form: Form, status: int = 200, found: Benchmark | None = None
) -> Response:
    return render(
        request,
        "benchmarks.html",
        status=status,
        council=council,
        found=found,
        suppressed=benchmarks.SUPPRESSED,
        name_of=partial(name_on, day=today_of(request)),
        form=form,
        page_errors=bool(form.errors),
        section="prices",
    )
