"""What a council's or an office's own systems read with: tokens, the calendar's address. Each secret is shown once."""

from typing import Final

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from services.application import api_tokens as use
from services.application import preferences
from services.application.api_tokens import MAX_LABEL, ApiTokenError
from services.domain.api_access import READ_SCOPES, Scope
from services.domain.audit import Channel
from services.store.api_tokens import ApiToken
from services.web import settings_emails
from services.web.access import Session
from services.web.forms import Form, read_form
from services.web.parts import parts_of, today_of
from services.web.signing import Account
from services.web.templating import render

router = APIRouter()
SCOPE_TEXTS: Final = {
    Scope.PLANS: "Your plans",
    Scope.OPPORTUNITIES: "Your matches",
    Scope.COALITIONS: "Your groups",
    Scope.DEADLINES: "Your dates",
}


@router.get("/settings/access")
async def show(request: Request, session: Session, account: Account) -> Response:
    """The tokens that work, and a form for another one."""
    return await _show(request, session, account, Form(FormData()))


@router.post("/settings/access")
async def create(request: Request, session: Session, account: Account, later: BackgroundTasks) -> Response:
    """Issue a token, and show it once."""
    form = Form(await read_form(request))
    label = form.text("label", label="what reads with the token")
    scopes = [scope for scope in READ_SCOPES if scope.value in form.sent.getlist("scope")]
    if len(label) > MAX_LABEL:
        form.errors["label"] = f"Use {MAX_LABEL} characters or fewer"
    if not scopes:
        form.errors["scope"] = "Choose what the token may read"
    if form.errors:
        return await _show(request, session, account, form, status=400)
    try:
        row, token = await use.issue(
            session, account.authority, scopes, label, channel=Channel.BROWSER, actor=account.actor
        )
    except ApiTokenError:
        form.errors["label"] = f"You have {use.MAX_TOKENS} tokens. Revoke one that nobody uses first"
        return await _show(request, session, account, form, status=400)
    sentence = f"A token was made: {label} ({row.prefix}...). It reads in your name."
    await _send_receipt(request, session, account, later, sentence, "/settings/access")
    return _show_secret(request, later, "Your new token", token, "/settings/access")


@router.get("/settings/access/{token_id}/revoke")
async def ask_revoke(request: Request, session: Session, account: Account, token_id: str) -> Response:
    """Ask for confirmation."""
    row = await _own(session, account, token_id)
    return render(request, "token_revoke.html", token=row, scopes=_scope_texts(row), section="settings")


@router.post("/settings/access/{token_id}/revoke")
async def revoke(
    request: Request, session: Session, account: Account, token_id: str, later: BackgroundTasks
) -> Response:
    """Revoke it for ever."""
    row = await _own(session, account, token_id)
    await use.revoke(session, row.token_id, authority=account.authority, channel=Channel.BROWSER, actor=account.actor)
    sentence = f"A token was revoked: {row.label or 'without a name'} ({row.prefix}...). It reads nothing any more."
    await _send_receipt(request, session, account, later, sentence, "/settings/access")
    response = RedirectResponse("/settings/access?saved=1", 303)
    response.background = later
    return response


@router.get("/settings/calendar")
async def calendar(request: Request, session: Session, account: Account) -> Response:
    """Whether there is an address, and what can be done with it."""
    rows = use.calendars(await use.in_use(session, account.authority))
    return render(request, "calendar.html", calendars=rows, saved="saved" in request.query_params, section="settings")


@router.post("/settings/calendar")
async def make_calendar(request: Request, session: Session, account: Account, later: BackgroundTasks) -> Response:
    """Replace the calendar's address, and show the new one once."""
    try:
        token = await use.renew_calendar(session, account.authority, channel=Channel.BROWSER, actor=account.actor)
    except ApiTokenError:
        raise HTTPException(409) from None
    sentence = "We made a private address of your calendar. An earlier address no longer works."
    await _send_receipt(request, session, account, later, sentence, "/settings/calendar")
    address = use.calendar_address(parts_of(request).settings.public_url, token)
    return _show_secret(request, later, "Your calendar's address", address, "/settings/calendar")


@router.post("/settings/calendar/end")
async def end_calendar(request: Request, session: Session, account: Account, later: BackgroundTasks) -> Response:
    """Revoke the address."""
    if await use.end_calendars(session, account.authority, channel=Channel.BROWSER, actor=account.actor):
        sentence = "The private address of your calendar was revoked."
        await _send_receipt(request, session, account, later, sentence, "/settings/calendar")
    response = RedirectResponse("/settings/calendar?saved=1", 303)
    response.background = later
    return response


async def _own(session: Session, account: Account, token_id: str) -> ApiToken:
    rows = await use.in_use(session, account.authority)
    found = next((row for row in rows if row.token_id == token_id and row not in use.calendars(rows)), None)
    if found is None:
        raise HTTPException(404)
    return found


async def _show(request: Request, session: Session, account: Account, form: Form, status: int = 200) -> Response:
    rows = await use.in_use(session, account.authority)
    tokens = [(row, _scope_texts(row)) for row in rows if row not in use.calendars(rows)]
    return render(
        request,
        "tokens.html",
        status=status,
        tokens=tokens,
        scopes=SCOPE_TEXTS,
        form=form,
        saved="saved" in request.query_params,
        page_errors=bool(form.errors),
        section="settings",
    )


def _scope_texts(row: ApiToken) -> str:
    return ", ".join(SCOPE_TEXTS[Scope(scope)] for scope in row.scopes)


def _show_secret(request: Request, later: BackgroundTasks, heading: str, secret: str, back: str) -> Response:
    response = render(request, "secret.html", heading=heading, secret=secret, back=back, section="settings")
    response.background = later
    return response


async def _send_receipt(
    request: Request, session: Session, account: Account, later: BackgroundTasks, sentence: str, path: str
) -> None:
    now = await preferences.current(session, account.authority, today_of(request))
    if now is not None:
        settings_emails.send_receipt(later, parts_of(request).settings, now.mailbox, sentence, path)
