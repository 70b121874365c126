"""A council or an office changes its role mailbox: it names the new one, then enters a code from each of the two."""

from typing import Final

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from services.application import mailbox_change as use
from services.application import preferences
from services.application.mailbox_change import MailboxChangeError, Mailboxes
from services.store.database import now
from services.web import settings_emails
from services.web.access import Session
from services.web.forms import Form, read_form
from services.web.parts import parts_of, today_of
from services.web.signing import SESSION_COOKIE, Account, drop_cookie
from services.web.templating import render

router = APIRouter()
WRONG_CODES: Final = "One of the codes is wrong, or they no longer work. Check both, or start again"


@router.get("/settings/mailbox")
async def ask(request: Request, session: Session, account: Account) -> Response:
    """Ask for the new mailbox."""
    return await _ask(request, session, account, Form(FormData()))


@router.post("/settings/mailbox")
async def begin(request: Request, session: Session, account: Account, later: BackgroundTasks) -> Response:
    """Send a code to both mailboxes."""
    form = Form(await read_form(request))
    wanted = form.text("mailbox", label="the new mailbox")
    if form.errors:
        return await _ask(request, session, account, form, status=400)
    settings = parts_of(request).settings
    try:
        begun = await use.begin(session, settings.need_link_secrets(), account, wanted, now())
    except MailboxChangeError as error:
        form.errors["mailbox"] = str(error)
        return await _ask(request, session, account, form, status=400)
    settings_emails.send_mailbox_codes(later, settings, account.name, begun)
    response = RedirectResponse("/settings/mailbox/codes", 303)
    response.background = later
    return response


@router.get("/settings/mailbox/codes")
async def ask_codes(request: Request, session: Session, account: Account) -> Response:
    """Ask for both codes."""
    mailboxes = await use.find(session, account, now())
    if mailboxes is None:
        return RedirectResponse("/settings/mailbox", 303)
    return _ask_codes(request, mailboxes, Form(FormData()))


@router.post("/settings/mailbox/codes")
async def enter_codes(request: Request, session: Session, account: Account, later: BackgroundTasks) -> Response:
    """Change the mailbox. Sessions and links of the old mailbox end."""
    request.app.state.tries.require(request)
    mailboxes = await use.find(session, account, now())
    if mailboxes is None:
        return RedirectResponse("/settings/mailbox", 303)
    form = Form(await read_form(request))
    present = form.digits("present", "the code from the present mailbox")
    codes = present, form.digits("new", "the code from the new mailbox")
    if form.errors:
        return _ask_codes(request, mailboxes, form, status=400)
    settings = parts_of(request).settings
    changed = await use.finish(session, settings.need_link_secrets(), account, codes, now())
    if changed is None:
        form.errors["present"] = WRONG_CODES
        return _ask_codes(request, mailboxes, form, status=400)
    settings_emails.send_mailbox_receipts(later, settings, changed)
    response = RedirectResponse("/mailbox-changed", 303)
    response.background = later
    drop_cookie(response, SESSION_COOKIE)
    return response


@router.get("/mailbox-changed")
async def changed(request: Request) -> Response:
    """Confirm the change, list the sessions and links that ended, and lead to sign-in."""
    return render(request, "mailbox_changed.html")


async def _ask(request: Request, session: Session, account: Account, form: Form, status: int = 200) -> Response:
    present = await preferences.current(session, account.authority, today_of(request))
    return render(
        request,
        "mailbox.html",
        status=status,
        mailbox=present.mailbox if present else "",
        form=form,
        page_errors=bool(form.errors),
        section="settings",
    )


def _ask_codes(request: Request, mailboxes: Mailboxes, form: Form, status: int = 200) -> Response:
    return render(
        request,
        "mailbox_codes.html",
        status=status,
        mailboxes=mailboxes,
        form=form,
        page_errors=bool(form.errors),
        section="settings",
    )
