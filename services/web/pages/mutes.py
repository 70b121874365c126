"""Councils that a signed-in council or office wants no emails about. They do not learn of it."""

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from services.application import preferences as use
from services.application.known_councils import find_code
from services.domain.reorganisation import name_on
from services.web import settings_emails
from services.web.access import Session
from services.web.forms import Form, read_form
from services.web.parts import parts_of, today_of
from services.web.signing import Account
from services.web.templating import render

router = APIRouter()


@router.get("/settings/muted")
async def show(request: Request, session: Session, account: Account) -> Response:
    """The muted councils, and a form for another one."""
    return await _show(request, session, account, Form(FormData()))


@router.post("/settings/muted")
async def mute(request: Request, session: Session, account: Account, later: BackgroundTasks) -> Response:
    """Mute a council."""
    form = Form(await read_form(request))
    named = form.text("partner", label="the council's name")
    partner = find_code(named) if named else None
    if named and (partner is None or partner == account.authority):
        form.errors["partner"] = "Enter the name of another council, for example Leeds"
    if partner is None or form.errors:
        return await _show(request, session, account, form, status=400)
    return await _change(request, session, account, later, partner, muted=True)


@router.post("/settings/muted/end")
async def unmute(request: Request, session: Session, account: Account, later: BackgroundTasks) -> Response:
    """Let emails about a council through again."""
    partner = Form(await read_form(request)).text("partner")
    if partner not in await use.muted_partners(session, account.authority, today_of(request)):
        raise HTTPException(409)
    return await _change(request, session, account, later, partner, muted=False)


async def _change(
    request: Request, session: Session, account: Account, later: BackgroundTasks, partner: str, *, muted: bool
) -> Response:
    now = await use.set_muted(session, account.authority, partner, account.actor, today_of(request), muted=muted)
    if now is not None:
        council_name = name_on(partner, today_of(request))
        state = "is muted: you get no emails about it" if muted else "is no longer muted"
        settings_emails.send_receipt(
            later, parts_of(request).settings, now.mailbox, f"{council_name} {state}.", "/settings/muted"
        )
    response = RedirectResponse("/settings/muted?saved=1", 303)
    response.background = later
    return response


async def _show(request: Request, session: Session, account: Account, form: Form, status: int = 200) -> Response:
    partners = await use.muted_partners(session, account.authority, today_of(request))
    return render(
        request,
        "muted.html",
        status=status,
        muted=sorted((name_on(code, today_of(request)), code) for code in partners),
        form=form,
        saved="saved" in request.query_params,
        page_errors=bool(form.errors),
        section="settings",
    )
