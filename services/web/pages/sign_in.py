"""Signing in and out. Known and unknown councils get the same answers in the same time."""

from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.responses import RedirectResponse, Response

from services.application import sign_in
from services.application.known_councils import find_code
from services.domain.mailbox_codes import CODE_LIFETIME
from services.store import parties
from services.store.database import now
from services.web.access import Session
from services.web.code_email import send_code
from services.web.forms import Form, read_form
from services.web.parts import parts_of
from services.web.rate_limit import HOUR, RateLimit
from services.web.signing import SESSION_COOKIE, TICKET_COOKIE, drop_cookie, safe_next, set_cookie
from services.web.templating import render

router = APIRouter()
MAX_STARTS_AN_HOUR: Final = 20
MAX_TRIES_AN_HOUR: Final = 60
WRONG_CODE: Final = "This code is wrong, or no longer works. Check it, or ask for a new one"


def limits() -> tuple[RateLimit, RateLimit]:
    """Create the limits of one address on asking for codes, and on trying them."""
    return RateLimit(MAX_STARTS_AN_HOUR, HOUR), RateLimit(MAX_TRIES_AN_HOUR, HOUR)


@router.get("/sign-in")
async def ask(request: Request) -> Response:
    """Ask for the council."""
    return _ask(request, Form(request.query_params))


@router.post("/sign-in")
async def start(request: Request, session: Session, later: BackgroundTasks) -> Response:
    """Send a code, if the council has a mailbox here."""
    request.app.state.starts.require(request)
    form = Form(await read_form(request))
    council = form.text("council", label="your council's name")
    if form.errors:
        return _ask(request, form, status=400)
    parts = parts_of(request)
    code = find_code(council) or await parties.find_by_name(session, council) or council
    begun = await sign_in.begin(session, parts.settings.need_link_secrets(), code, now())
    if begun.mailbox is not None:
        later.add_task(send_code, parts.settings, begun.mailbox, begun.code)
    wanted = safe_next(form.text("next"))
    response = RedirectResponse("/sign-in/code" + (f"?{urlencode({'next': wanted})}" if wanted else ""), 303)
    response.background = later
    set_cookie(response, TICKET_COOKIE, begun.ticket, int(CODE_LIFETIME.total_seconds()))
    return response


@router.get("/sign-in/code")
async def ask_code(request: Request) -> Response:
    """Ask for the code, and for the person's name."""
    return _ask_code(request, Form(request.query_params))


@router.post("/sign-in/code")
async def enter_code(request: Request, session: Session) -> Response:
    """Open a session."""
    request.app.state.tries.require(request)
    form = Form(await read_form(request))
    code = form.digits("code", "the code from the email")
    person = form.text("name", 100, label="your name"), form.text("job_title", 100, label="your job title")
    if form.errors:
        return _ask_code(request, form, status=400)
    ticket, keys = request.cookies.get(TICKET_COOKIE, ""), parts_of(request).settings.need_link_secrets()
    token = await sign_in.finish(session, keys, ticket, code, person, now())
    if token is None:
        form.errors["code"] = WRONG_CODE
        return _ask_code(request, form, status=400)
    earlier = request.cookies.get(SESSION_COOKIE)
    if earlier:
        await sign_in.sign_out(session, earlier, now())
    response = RedirectResponse(safe_next(form.text("next")) or "/home", 303)
    set_cookie(response, SESSION_COOKIE, token, int(sign_in.SESSION_LIFETIME.total_seconds()))
    drop_cookie(response, TICKET_COOKIE)
    return response


@router.get("/sign-out")
async def ask_sign_out(request: Request) -> Response:
    """Ask before it signs out: opening a link changes nothing."""
    return render(request, "sign_out.html")


@router.post("/sign-out")
async def end(request: Request, session: Session) -> Response:
    """End the session."""
    token = request.cookies.get(SESSION_COOKIE)
    if token:
        await sign_in.sign_out(session, token, now())
    response = RedirectResponse("/", 303)
    drop_cookie(response, SESSION_COOKIE)
    return response


def _ask(request: Request, form: Form, status: int = 200) -> Response:
    wanted = safe_next(form.text("next"))
    return render(request, "sign_in.html", status=status, form=form, next=wanted, page_errors=bool(form.errors))


def _ask_code(request: Request, form: Form, status: int = 200) -> Response:
    wanted = safe_next(form.text("next"))
    # A name that was typed is shown again; a code is not.
    return render(request, "sign_in_code.html", status=status, form=form, next=wanted, page_errors=bool(form.errors))
