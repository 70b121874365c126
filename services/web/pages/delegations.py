"""Delegations: a council lets an office act in its name, and ends that again."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from events.responses import DelegationScope, ResponseDelegated
from services.application.acts import submit
from services.application.party_acts import delegated, revoked
from services.application.responses import ResponseError
from services.store import delegations, parties
from services.web.access import Session
from services.web.forms import Form, read_form
from services.web.parts import today_of
from services.web.sending import outcome_of, response_id_of
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()
PAGE: Final = "/settings/delegations"
SCOPES: Final[Mapping[str, str]] = {
    DelegationScope.ANSWER: "Answer suggestions and record routes. Nothing of that binds us",
    DelegationScope.TAKE_PART: "Invite, accept, decline, join, leave and lead, too",
    DelegationScope.COMMIT: "Say that our decision was taken, too",
}


@router.get(PAGE)
async def show(request: Request, session: Session, council: Council) -> Response:
    """Show the delegations, and a form for another."""
    return await _show(request, session, council, Form(FormData()))


@router.post(PAGE)
async def give(request: Request, session: Session, council: Council) -> Response:
    """Let an office act."""
    form, day = Form(await read_form(request)), today_of(request)
    response_id = response_id_of(form)
    party = form.choice("party", await _offices(session), "Choose an office")
    scope = form.choice("scope", SCOPES, "Choose what it may do")
    until = form.day("until", "the last day")
    if until is not None and until < day:
        form.errors["until"] = "The last day must be today or later"
    if form.errors or until is None:
        return await _show(request, session, council, form, status=400)
    days = (day, until)
    payload = await delegated(session, council.authority, party, DelegationScope(scope), days, response_id)
    return await _sent(session, council, payload)


@router.post(f"{PAGE}/end")
async def end(request: Request, session: Session, council: Council) -> Response:
    """End a delegation."""
    form, day = Form(await read_form(request)), today_of(request)
    try:
        payload = await revoked(session, council.authority, form.text("party", 120), day, response_id_of(form))
    except ResponseError:
        # It could have been ended when the page was made, and has been since.
        raise HTTPException(409) from None
    return await _sent(session, council, payload)


async def _sent(session: Session, council: Council, payload: ResponseDelegated) -> Response:
    await submit(session, payload, council.actor)
    return RedirectResponse(f"{PAGE}?sent={payload.response_id}", 303)


async def _offices(session: Session) -> dict[str, str]:
    return {one.party: one.name for one in await parties.all_parties(session)}


async def _show(request: Request, session: Session, council: Council, form: Form, status: int = 200) -> Response:
    outcome = await outcome_of(request, council.authority)
    day, offices = today_of(request), await _offices(session)
    given = await delegations.listed(session, authority=council.authority)
    values: dict[str, Any] = {
        "form": form,
        "sent": request.query_params.get("sent", ""),
        "outcome": outcome,
        "given": [(one, offices.get(one.party, one.party)) for one in given if one.scope and day <= one.until],
        "offices": offices,
        "scopes": SCOPES,
        "new_id": lambda: str(uuid4()),
        "page_errors": bool(form.errors),
    }
    return render(request, "delegations.html", status=status, section="settings", **values)
