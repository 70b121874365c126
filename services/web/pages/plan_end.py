"""A council ends one of its plans: it no longer means to buy it, or the contract is awarded."""

from typing import Final

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from matching.plan import Status
from services.application import plan_drafts as use
from services.application.plan_drafts import PlanActError, StoredPlan
from services.web.access import Session
from services.web.forms import Form, read_form
from services.web.parts import parts_of, today_of
from services.web.plan_receipts import Receipt, send_receipt
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()
ENDINGS: Final = {"withdrawn": "We no longer plan to buy it", "awarded": "The contract is awarded"}


@router.get("/p/{plan_id}/end")
async def ask(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """Ask why the plan ends."""
    stored = await _active(session, council.authority, plan_id)
    return _page(request, stored, Form(FormData()))


@router.post("/p/{plan_id}/end")
async def end(request: Request, session: Session, council: Council, plan_id: str, later: BackgroundTasks) -> Response:
    """End it."""
    stored = await _active(session, council.authority, plan_id)
    form = Form(await read_form(request))
    ending = form.choice("ending", ENDINGS, "Choose why the plan ends")
    awarded_on = form.optional_day("awarded_on", "the day of the award") if ending == "awarded" else None
    if awarded_on and awarded_on > today_of(request):
        form.errors["awarded_on"] = "The day of the award must be today or earlier"
    if form.errors:
        return _page(request, stored, form, status=400)
    try:
        payload = await use.end_plan(session, stored, council.actor, awarded=ending == "awarded", awarded_on=awarded_on)
    except PlanActError as error:
        form.errors["ending"] = str(error)
        return _page(request, stored, form, status=409)
    receipt = Receipt("ended", plan_id, stored.row.state["title"])
    await send_receipt(parts_of(request).settings, session, later, council.authority, receipt)
    response = RedirectResponse(f"/p/{plan_id}/sent/{payload.revision}", 303)
    response.background = later
    return response


async def _active(session: Session, authority: str, plan_id: str) -> StoredPlan:
    stored = await use.own_plan(session, authority, plan_id)
    if stored is None:
        raise HTTPException(404)
    if stored.row.status != Status.ACTIVE:
        raise HTTPException(409)
    return stored


def _page(request: Request, stored: StoredPlan, form: Form, status: int = 200) -> Response:
    return render(
        request,
        "plan_end.html",
        status=status,
        plan=stored.row,
        source=stored.source,
        endings=ENDINGS,
        form=form,
        page_errors=bool(form.errors),
        section="home",
    )
