"""A council or an office chooses its emails: on the settings page, by a link, or by the email program's button."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from services.application import preferences as use
from services.application.preferences import EmailChoice, EmailsNow
from services.domain.links import LinkMaker, LinkPurpose
from services.platform.clock import today
from services.store.addressees import addressee
from services.web.access import Session, open_link
from services.web.code_email import send_text
from services.web.forms import Form, read_form
from services.web.parts import parts_of, today_of
from services.web.signing import Account
from services.web.templating import render

router = APIRouter()
CHOICES: Final[Mapping[str, str]] = {
    EmailChoice.ALL: "All emails: at once, and the weekly digest",
    EmailChoice.DIGEST_ONLY: "Matches in the weekly digest only",
    EmailChoice.PAUSE_MONTH: "Pause all emails for a month",
    EmailChoice.PAUSE_QUARTER: "Pause all emails for three months",
    EmailChoice.STOP: "Stop emails about matches",
    EmailChoice.NO_QUESTIONS: "Stop asking whether our plans are still true",
    EmailChoice.NO_PRICES: "Stop emails about prices and extensions",
    EmailChoice.NO_GROUPS: "Stop emails about groups, invitations too",
}
RECEIPT: Final = """\
{sentence}

This was changed {how}. If you did not want that, or want it otherwise:
{link}

Opening the link changes nothing.
"""


@router.get("/settings")
async def settings(request: Request, session: Session, account: Account) -> Response:
    """Show the choice of emails and the alternatives."""
    return await _page(request, session, account.authority, "/settings", Form(FormData()))


@router.post("/settings")
async def save_settings(request: Request, session: Session, account: Account, later: BackgroundTasks) -> Response:
    """Save the choice."""
    return await _choose(request, session, later, (account.authority, account.actor), "/settings")


@router.get("/s/{token}")
async def stop(request: Request, session: Session, token: str) -> Response:
    """Show the same page to a reader with an email's link."""
    link = await open_link(request, session, LinkPurpose.STOP, token)
    return await _page(request, session, link.authority, f"/s/{token}", Form(FormData()))


@router.post("/s/{token}")
async def save_stop(request: Request, session: Session, token: str, later: BackgroundTasks) -> Response:
    """Save the choice."""
    link = await open_link(request, session, LinkPurpose.STOP, token)
    return await _choose(request, session, later, (link.authority, None), f"/s/{token}")


@router.get("/unsubscribe/{token}")
async def ask_unsubscribe(token: str) -> Response:
    """An email program's button sends a POST. A browser that opens the same address gets the page."""
    return RedirectResponse(f"/s/{token}", 303)


@router.post("/unsubscribe/{token}")
async def unsubscribe(request: Request, session: Session, token: str, later: BackgroundTasks) -> Response:
    """Stop that kind of email, as RFC 8058 asks: without a cookie, and without another question."""
    link = await open_link(request, session, LinkPurpose.STOP, token)
    form = await read_form(request)
    if form.get("List-Unsubscribe") != "One-Click":
        raise HTTPException(400)
    now = await use.stop_kind(session, link.authority, link.subject, today_of(request))
    await _send_receipt(request, session, later, link.authority, now, "by the unsubscribe button of an email program")
    return Response(status_code=200, background=later)


async def _choose(
    request: Request, session: Session, later: BackgroundTasks, who: tuple[str, str | None], path: str
) -> Response:
    form = Form(await read_form(request))
    choice = form.choice("emails", CHOICES, "Choose which emails you want")
    if form.errors:
        return await _page(request, session, who[0], path, form, status=400)
    day = today_of(request)
    now = await use.choose(session, who[0], EmailChoice(choice), who[1], day)
    await _send_receipt(request, session, later, who[0], now, "on the pages")
    response = RedirectResponse(f"{path}?saved=1", 303)
    response.background = later
    return response


async def _page(
    request: Request, session: Session, authority: str, path: str, form: Form, status: int = 200
) -> Response:
    now = await use.current(session, authority, today_of(request))
    if now is None:
        raise HTTPException(404)
    return render(
        request,
        "emails.html",
        status=status,
        path=path,
        now=now.sentence(today_of(request)),
        mailbox=now.mailbox,
        choices=CHOICES,
        form=form,
        saved="saved" in request.query_params,
        page_errors=bool(form.errors),
        section="settings",
    )


async def _send_receipt(
    request: Request, session: Session, later: BackgroundTasks, authority: str, now: EmailsNow | None, how: str
) -> None:
    row = await addressee(session, authority, today_of(request))
    if now is None or row is None:
        return
    settings = parts_of(request).settings
    links = LinkMaker(settings.public_url.rstrip("/"), tuple(settings.need_link_secrets()))
    link = links.stop(authority, "immediate", row.mailbox_ref, today(None))
    text = RECEIPT.format(sentence=now.sentence(today_of(request)), how=how, link=link)
    later.add_task(send_text, settings, now.mailbox, "Your emails from Jointly have changed", text)
