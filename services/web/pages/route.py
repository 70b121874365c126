"""A plan's route record: the collaborative routes checked before a contract of its own. Every step is optional."""

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from events.responses import ResponsePayload, ResponseRoute, ResponseUndone, RouteOutcome, RouteReason, RouteStep
from matching.text.formatting import join_words
from services.application import routes as use
from services.application.group_view import GroupView
from services.application.own_groups import to_own_group
from services.application.responses import ResponseError
from services.application.routes import RouteError, RouteView
from services.domain.coalition_undo import undo_by
from services.domain.framework_prompt import check_first
from services.domain.reorganisation import name_on
from services.domain.route import STEPS, CoalitionRoutes, RouteEntry
from services.domain.route_prompt import OUTCOME_NAMES, consider_line, route_prompts
from services.store.route_records import load_coalition_routes
from services.web.access import Session
from services.web.forms import MAX_TEXT, Form, read_form
from services.web.parts import parts_of, today_of
from services.web.sending import outcome_of, response_id_of, submit_about
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()
MAX_CANDIDATES: Final = 20
STEP_CHOICES: Final[Mapping[str, str]] = {
    RouteStep.FRAMEWORK: "A framework",
    RouteStep.FRAMEWORK_COALITION: "A group that uses a framework",
    RouteStep.COALITION: "A group with a tender of its own",
    RouteStep.NEW: "A contract of our own",
}
OUTCOME_CHOICES: Final[Mapping[str, str]] = {
    RouteOutcome.CHOSEN: "We take it",
    RouteOutcome.UNSUITABLE: "We looked at it, and it does not suit",
    RouteOutcome.NONE_FOUND: "We looked for one, and found none",
    RouteOutcome.NOT_CHECKED: "We did not look",
}
REASON_CHOICES: Final[Mapping[str, str]] = {
    "": "No reason given",
    RouteReason.SCOPE: "What it covers",
    RouteReason.TERM: "How long it runs",
    RouteReason.ENTITLEMENT: "We may not use it",
    RouteReason.PRICE: "Price",
    RouteReason.FEE: "Fee",
    RouteReason.AWARD_METHOD: "How contracts are awarded",
    RouteReason.DATES: "Dates",
    RouteReason.NO_PARTNER: "No partner",
    RouteReason.LOCAL_DECISION: "A local decision",
    RouteReason.NOT_THIS_TIME: "Not this time",
}
_FORM: Final[Mapping[str, Any]] = {
    "steps": STEP_CHOICES,
    "outcomes": OUTCOME_CHOICES,
    "outcome_names": OUTCOME_NAMES,
    "reasons": REASON_CHOICES,
}
"""What the form for a step shows, on either page."""


@router.get("/p/{plan_id}/route")
async def show(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """The record, what there is to look at, and a form for one more step."""
    outcome = await outcome_of(request, council.authority)
    view = await _own(session, council, plan_id)
    sent = bool(request.query_params.get("sent"))
    return await _page(request, session, view, Form(FormData()), sent=sent, outcome=outcome)


@router.post("/p/{plan_id}/route")
async def record(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """Record one step."""
    view = await _own(session, council, plan_id)
    form = Form(await read_form(request))
    values, coalition_id = _read(form, view)
    if form.errors:
        return await _page(request, session, view, form, status=400)
    values.setdefault("asked_at", today_of(request))
    page = f"/c/{coalition_id}" if coalition_id and form.text("page") == "group" else f"/p/{plan_id}/route"
    return await _submit(session, council, view, coalition_id, (ResponseRoute, values), page)


@router.post("/p/{plan_id}/route/undo")
async def undo(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """Take a step back."""
    view = await _own(session, council, plan_id)
    undoes = Form(await read_form(request)).text("response_id")
    found = next((one for one in _undoable(request, view) if one.response_id == undoes), None)
    if found is None:
        raise HTTPException(409)
    said = ResponseUndone, {"undoes": undoes}
    return await _submit(session, council, view, found.coalition_id, said, f"/p/{plan_id}/route")


@router.get("/p/{plan_id}/route/note")
async def note(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """The record as half a page of plain text, for the file."""
    view = await _own(session, council, plan_id)
    lines = use.audit_note(view, today_of(request))
    return PlainTextResponse("\n".join(lines) + "\n")


async def route_values(session: AsyncSession, group: GroupView, day: date) -> dict[str, Any]:
    """What the page of a coalition shows of routes: its members' records, the prompt, and the choices of its form."""
    routes = await _routes(session, group)
    return {
        "names": _names(group, routes, day),
        "routes": routes.by_step,
        "consider": consider_line(routes, inviter_checked=bool(group.route)),
        **_FORM,
        "response_id": str(uuid4()),
    }


async def lines_for_group(session: AsyncSession, group: GroupView, day: date) -> tuple[str, ...]:
    """The routes of a coalition, one a line: those that members have checked, and those that nobody has.

    There is none for a pair, an ended group, or a plan that is only proposed to the group.
    """
    if group.subject.kind != "coalition" or group.closed or not group.own.state:
        return ()
    routes = await _routes(session, group)
    return route_prompts(routes, _names(group, routes, day), inviter_checked=bool(group.route))


async def _routes(session: AsyncSession, group: GroupView) -> CoalitionRoutes:
    subject = group.subject
    return await load_coalition_routes(session, subject.plan_id, subject.subject_id, group.visible_plans)


def _names(group: GroupView, routes: CoalitionRoutes, day: date) -> dict[str, str]:
    """The names of the authorities that recorded a route; the reader's own is "Your council"."""
    recorded = {one.authority for entries in routes.by_step.values() for one in entries}
    return {code: name_on(code, day) for code in recorded} | {group.authority: "Your council"}


async def _own(session: AsyncSession, council: Council, plan_id: str) -> RouteView:
    try:
        view = await use.load_record(session, plan_id)
    except RouteError:
        raise HTTPException(404) from None
    if view.authority != council.authority:
        raise HTTPException(404)
    return view


def _undoable(request: Request, view: RouteView) -> list[RouteEntry]:
    """The steps that the council itself recorded, as long as they can be taken back."""
    today = today_of(request)
    return [one for one in view.record.entries if one.authority == view.authority and today <= undo_by(one.recorded_on)]


def _read(form: Form, view: RouteView) -> tuple[dict[str, Any], str | None]:
    """The values of a step, and the coalition that it is recorded for. Invalid fields are in `form.errors`."""
    response_id = response_id_of(form)
    coalitions = {row.coalition_id: "" for row in view.coalitions}
    subject = form.choice("subject", {"plan": "", **coalitions}, "Choose what you record it for") if coalitions else ""
    candidates = [line.strip() for line in form.text("candidates", MAX_TEXT).splitlines() if line.strip()]
    if len(candidates) > MAX_CANDIDATES or any(len(line) > 200 for line in candidates):
        form.errors["candidates"] = f"Use {MAX_CANDIDATES} lines or fewer, each of 200 characters or fewer"
    values: dict[str, Any] = {
        "response_id": response_id,
        "step": form.choice("step", STEP_CHOICES, "Choose a route"),
        "outcome": form.choice("outcome", OUTCOME_CHOICES, "Choose what came of it"),
        "reason": form.choice("reason", REASON_CHOICES, "Choose a reason from the list") or None,
        "by": form.text("by", label="your position"),
        "candidates": candidates,
        "note": form.text("note", MAX_TEXT),
    }
    asked_at = form.optional_day("asked_at", "the day")
    if asked_at is not None:
        values["asked_at"] = asked_at
    return values, subject if subject in coalitions else None


async def _submit(
    session: AsyncSession,
    council: Council,
    view: RouteView,
    coalition_id: str | None,
    said: tuple[type[ResponsePayload], dict[str, Any]],
    page: str,
) -> Response:
    """Send a response and lead back to the page that it was given on."""
    try:
        subject = await use.subject_of(session, view.plan_id, coalition_id)
    except ResponseError:
        raise HTTPException(409) from None
    response_id = await submit_about(session, subject, (council.authority, council.actor), *said)
    return RedirectResponse(f"{page}?sent={response_id}", 303)


async def _page(
    request: Request, session: AsyncSession, view: RouteView, form: Form, status: int = 200, **values: Any
) -> Response:
    index = parts_of(request).frameworks
    usable = (await index.usable(session, [view.plan_id])).get(view.plan_id, {}) if index else {}
    chosen_new = view.record.chosen is RouteStep.NEW
    called = partial(name_on, day=today_of(request))
    return render(
        request,
        "route.html",
        status=status,
        view=view,
        entries={step: view.record.entry(step) for step in STEPS},
        check_first=check_first(len(usable)),
        frameworks=[f"{title} ({reference})" for reference, title in usable.items()],
        missing=[STEP_CHOICES[step].lower() for step in view.record.missing] if chosen_new else [],
        groups={
            row.coalition_id: join_words([called(one.authority) for one in row.coalition.current])
            for row in view.coalitions
        },
        own_groups=[to_own_group(row.coalition, view.plan_id, today_of(request)) for row in view.coalitions],
        undoable={one.response_id for one in _undoable(request, view)},
        name_of=called,
        form=form,
        response_id=str(uuid4()),
        page_errors=bool(form.errors),
        section="home",
        **_FORM,
        **values,
    )
