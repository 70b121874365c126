"""An authority says yes, no or later to an introduction, if one of two plans shares only that there is a match."""

from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from events.responses import IntroductionAnswer, ResponseIntroduced
from services.application.group_view import GroupView
from services.web import answer_texts as texts
from services.web.access import Reader, Session, group_of
from services.web.forms import Form, read_form
from services.web.pages.group import Asking
from services.web.sending import response_id_of, send_response
from services.web.templating import render

router = APIRouter()


@router.get("/g/{token}/introduce")
@router.get("/o/{subject}/introduce")
async def ask(request: Request, session: Session, reader: Asking) -> Response:
    """Ask whether the two councils should be introduced; lead to the match where nothing is hidden any more."""
    group = await group_of(request, session, reader)
    if group.introduction is None:
        return RedirectResponse(reader.base, 303)
    return _page(request, reader, group, Form(FormData()))


@router.post("/g/{token}/introduce")
@router.post("/o/{subject}/introduce")
async def answer(request: Request, session: Session, reader: Asking) -> Response:
    """Send the answer."""
    group = await group_of(request, session, reader)
    if group.introduction is None:
        raise HTTPException(404)
    form = Form(await read_form(request))
    agrees = form.choice("agrees", texts.INTRODUCTIONS, "Choose your answer")
    remind_on = (
        form.optional_day("remind", "the day on which we should ask again")
        if agrees == IntroductionAnswer.LATER
        else None
    )
    response_id = response_id_of(form)
    if form.errors:
        return _page(request, reader, group, form, status=400)
    values = {"agrees": agrees, "remind_on": remind_on, "response_id": response_id}
    return await send_response(session, reader, group, ResponseIntroduced, values)


def _page(request: Request, reader: Reader, group: GroupView, form: Form, status: int = 200) -> Response:
    return render(
        request,
        "introduce.html",
        status=status,
        reader=reader,
        group=group,
        texts=texts,
        form=form,
        response_id=str(uuid4()),
        page_errors=bool(form.errors),
    )
