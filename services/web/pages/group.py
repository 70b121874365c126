"""The page behind an email's link: a group, and the authority's answer. Only the last step sends anything."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from events.responses import AnswerKind, ResponseAnswered, ResponseUndone
from services.application.acts import wait_for_outcome
from services.application.group_view import GroupView
from services.web import answer_texts as texts
from services.web.access import Reader, Session, group_of, reader_by_link
from services.web.answer_forms import EnteredAnswer, read_answered
from services.web.forms import Form, read_form
from services.web.group_heading import group_heading
from services.web.pages.route import lines_for_group
from services.web.parts import parts_of, today_of
from services.web.sending import RESPONSE_ID, send_response
from services.web.signing import signed_in
from services.web.templating import render

router = APIRouter()


async def reader_of(request: Request, session: Session) -> Reader:
    """The authority that the link in the address names, or that is signed in."""
    token = request.path_params.get("token")
    if token is not None:
        return await reader_by_link(request, session, token)
    council = await signed_in(request, session)
    kind, subject = request.url.path.split("/")[1], request.path_params["subject"]
    return Reader(council.authority, subject, f"/{kind}/{subject}", council.actor)


Asking = Annotated[Reader, Depends(reader_of)]


@router.get("/g/{token}")
@router.get("/o/{subject}")
async def show(request: Request, session: Session, reader: Asking) -> Response:
    """The group."""
    group = await group_of(request, session, reader)
    return await _page(request, session, reader, group, Form(FormData()))


@router.post("/g/{token}")
@router.post("/o/{subject}")
async def choose(request: Request, session: Session, reader: Asking) -> Response:
    """Lead to the question that the chosen answer needs; record nothing."""
    group = await group_of(request, session, reader)
    form = Form(await read_form(request))
    answer = form.choice("answer", texts.ANSWERS, "Choose your answer")
    if form.errors:
        return await _page(request, session, reader, group, form, status=400)
    step = "check" if answer == AnswerKind.INTERESTED else "question"
    return RedirectResponse(f"{reader.base}/{step}?{urlencode({'answer': answer})}", 303)


@router.get("/g/{token}/question")
@router.get("/o/{subject}/question")
async def question(request: Request, session: Session, reader: Asking) -> Response:
    """The one question that an answer needs."""
    group = await group_of(request, session, reader)
    return _question(request, reader, group, Form(request.query_params))


@router.post("/g/{token}/question")
@router.post("/o/{subject}/question")
async def answer_question(request: Request, session: Session, reader: Asking) -> Response:
    """Lead to the last page with the entered values; record nothing."""
    group = await group_of(request, session, reader)
    form = Form(await read_form(request))
    answered = read_answered(form)
    if form.errors:
        return _question(request, reader, group, form, status=400)
    return RedirectResponse(f"{reader.base}/check?{urlencode(answered.fields)}", 303)


@router.get("/g/{token}/check")
@router.get("/o/{subject}/check")
async def check(request: Request, session: Session, reader: Asking) -> Response:
    """Show the answer for a last check."""
    group = await group_of(request, session, reader)
    form = Form(request.query_params)
    answered = read_answered(form)
    if form.errors:
        return RedirectResponse(reader.base, 303)
    return render(
        request,
        "group_check.html",
        reader=reader,
        group=group,
        answered=answered,
        texts=texts,
        response_id=str(uuid4()),
    )


@router.post("/g/{token}/send")
@router.post("/o/{subject}/send")
async def send(request: Request, session: Session, reader: Asking) -> Response:
    """Send the answer."""
    group = await group_of(request, session, reader)
    form = Form(await read_form(request))
    answered = read_answered(form)
    response_id = form.text("response_id")
    if form.errors or group.closed or not RESPONSE_ID.fullmatch(response_id):
        return RedirectResponse(reader.base, 303)
    return await send_response(
        session, reader, group, ResponseAnswered, {**answered.values, "response_id": response_id}
    )


@router.post("/g/{token}/undo")
@router.post("/o/{subject}/undo")
@router.post("/c/{subject}/undo")
async def undo(request: Request, session: Session, reader: Asking) -> Response:
    """Take the last answer back."""
    group = await group_of(request, session, reader)
    undoes = Form(await read_form(request)).text("response_id")
    if not any(answer.response_id == undoes and answer.can_undo for answer in group.answers):
        raise HTTPException(409)
    return await send_response(session, reader, group, ResponseUndone, {"undoes": undoes})


@router.get("/g/{token}/sent/{response_id}")
@router.get("/o/{subject}/sent/{response_id}")
@router.get("/c/{subject}/sent/{response_id}")
async def sent(request: Request, session: Session, reader: Asking, response_id: str) -> Response:
    """Show the outcome of an answer. Waits briefly, since the answer travels through the event log."""
    outcome = await wait_for_outcome(parts_of(request).sessions, response_id, reader.authority)
    group = await group_of(request, session, reader)
    return render(request, "group_sent.html", reader=reader, group=group, outcome=outcome, texts=texts)


async def _page(
    request: Request, session: Session, reader: Reader, group: GroupView, form: Form, status: int = 200
) -> Response:
    routes = await lines_for_group(session, group, today_of(request))
    values: dict[str, Any] = {"reader": reader, "group": group, "routes": routes, "texts": texts, "form": form}
    return render(
        request,
        "group.html",
        status=status,
        page_errors=bool(form.errors),
        heading=group_heading(group),
        hints=texts.HINTS if group.subject.kind == "coalition" else texts.PAIR_HINTS,
        **values,
    )


def _question(request: Request, reader: Reader, group: GroupView, form: Form, status: int = 200) -> Response:
    answer = form.sent.get("answer")
    if answer not in texts.ANSWERS or answer == AnswerKind.INTERESTED:
        return RedirectResponse(reader.base, 303)
    answered = EnteredAnswer(str(answer))
    values: dict[str, Any] = {"reader": reader, "group": group, "texts": texts, "form": form, "answered": answered}
    return render(request, "group_question.html", status=status, page_errors=bool(form.errors), **values)
