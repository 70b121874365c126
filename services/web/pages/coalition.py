"""A coalition's page, and a page for each act of a signed-in council that explains its consequences."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from events.responses import (
    DOCUMENT_URL,
    MembershipAct,
    ResponseDates,
    ResponseDocument,
    ResponseInvited,
    ResponseMembership,
    ResponsePayload,
)
from matching.calendar import nations_of
from services.application.coalition_history import load_history
from services.application.group_view import GroupView
from services.domain.deadlines import DEFAULT_REPLY_DAYS, REPLY_PERIODS, CoalitionDates, reply_periods
from services.web import answer_texts as texts
from services.web.access import Reader, Session, group_of
from services.web.act_texts import ACTS
from services.web.forms import MAX_TEXT, Form, read_form
from services.web.group_heading import group_heading
from services.web.pages.route import route_values
from services.web.parts import today_of
from services.web.sending import outcome_of, response_id_of, send_response
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()
MAX_URL: Final = 500
REPLY_DAYS: Final = {str(days): f"{days} working days" for days in REPLY_PERIODS}


@router.get("/c/{subject}")
async def show(request: Request, session: Session, council: Council, subject: str) -> Response:
    """The coalition: members, dates, documents, decisions, history."""
    reader = Reader(council.authority, subject, f"/c/{subject}", council.actor)
    group = await group_of(request, session, reader)
    if group.subject.kind != "coalition":
        return RedirectResponse(f"/o/{subject}", 303)
    return render(
        request,
        "coalition.html",
        section="home",
        reader=reader,
        group=group,
        heading=group_heading(group),
        history=await load_history(session, group),
        texts=texts,
        acts=ACTS,
        sent=bool(request.query_params.get("sent")),
        outcome=await outcome_of(request, council.authority),
        **(await route_values(session, group, today_of(request)) if group.own.state else {}),
    )


@router.get("/c/{subject}/do/{act}")
async def ask(request: Request, session: Session, council: Council, subject: str, act: str) -> Response:
    """Explain one act and ask for the values that it needs."""
    reader, group = await _acting(request, session, council, subject, act)
    return _ask(request, reader, group, act, Form(FormData()))


@router.post("/c/{subject}/do/{act}")
async def do(request: Request, session: Session, council: Council, subject: str, act: str) -> Response:
    """Perform the act."""
    reader, group = await _acting(request, session, council, subject, act)
    form = Form(await read_form(request))
    response_id = response_id_of(form)
    kind, values = _read(form, act, group)
    if not form.errors:
        return await send_response(session, reader, group, kind, {**values, "response_id": response_id})
    return _ask(request, reader, group, act, form, status=400)


async def _acting(
    request: Request, session: Session, council: Council, subject: str, act: str
) -> tuple[Reader, GroupView]:
    reader = Reader(council.authority, subject, f"/c/{subject}", council.actor)
    group = await group_of(request, session, reader)
    if act not in ACTS:
        raise HTTPException(404)
    if act not in group.acts:
        # It could have been done when the page was made, and can't any more.
        raise HTTPException(409)
    return reader, group


def _read(form: Form, act: str, group: GroupView) -> tuple[type[ResponsePayload], dict[str, Any]]:
    """The response type of an act and its values. Invalid fields are in `form.errors`."""
    if act == "invite":
        return ResponseInvited, _read_invitation(form, group)
    if act == "dates":
        return ResponseDates, {"reply_by": form.day("reply_by", "the new day")}
    if act == "document":
        return ResponseDocument, _read_document(form)
    decided_by = form.text("decided_by") if act == MembershipAct.COMMIT else ""
    return ResponseMembership, {"act": act, "decided_by": decided_by}


def _read_document(form: Form) -> dict[str, Any]:
    url = form.text("url", MAX_URL, label="the document's address")
    if url and not DOCUMENT_URL.fullmatch(url):
        form.errors["url"] = "Enter an address that begins with https:// or http://, as your browser shows it"
    return {
        "title": form.text("title", label="what the document is called"),
        "url": url,
        "document": form.choice("document", texts.DOCUMENTS, "Choose what it is"),
        "readers": form.choice("readers", texts.DOCUMENT_READERS, "Choose who sees it"),
    }


def _read_invitation(form: Form, group: GroupView) -> dict[str, Any]:
    days = form.choice("reply_days", REPLY_DAYS, "Choose how long the others have to reply")
    route = form.text("route", MAX_TEXT, label="what you checked before, such as frameworks")
    guests = {guest.plan_id for guest in group.guests}
    chosen = [value for value in form.sent.getlist("guest") if value in guests]
    if not chosen and guests:
        form.errors["guest"] = "Choose at least one council to invite"
    scope = form.text("scope", MAX_TEXT)
    return {"plan_ids": chosen, "reply_days": int(days or DEFAULT_REPLY_DAYS), "route": route, "scope": scope}


def offered_periods(today: date, dates: CoalitionDates, authorities: Iterable[str]) -> dict[str, Any]:
    """The periods to reply that still fit, and the one chosen beforehand: the usual one, or the longest that fits."""
    fitting = reply_periods(today, dates, nations_of(authorities))
    usual = max((days for days in fitting if days <= DEFAULT_REPLY_DAYS), default=fitting[0])
    return {"reply_days": {str(days): REPLY_DAYS[str(days)] for days in fitting}, "default_days": str(usual)}


def _offer(request: Request, group: GroupView) -> dict[str, Any]:
    assert group.together_from is not None
    assert group.decide_by is not None
    dates = CoalitionDates(group.together_from, group.decide_by)
    return offered_periods(today_of(request), dates, [group.authority, *(one.authority for one in group.current)])


def _ask(request: Request, reader: Reader, group: GroupView, act: str, form: Form, status: int = 200) -> Response:
    return render(
        request,
        "coalition_act.html",
        status=status,
        reader=reader,
        group=group,
        act=act,
        text=ACTS[act],
        texts=texts,
        form=form,
        **(_offer(request, group) if act == "invite" else {}),
        response_id=str(uuid4()),
        page_errors=bool(form.errors),
        section="home",
    )
