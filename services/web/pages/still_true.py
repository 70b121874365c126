"""The page behind the monthly email: a council confirms its old plans. Only the button sends anything."""

from typing import Final

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from services.application.plan_drafts import PlanActError, confirm_plan
from services.domain.disclosure import read_facts
from services.domain.links import LinkPurpose
from services.store import plan_confirmations, plans
from services.store.plan_confirmations import UnconfirmedPlan
from services.web.access import Session, open_link
from services.web.forms import Form, read_form
from services.web.parts import parts_of, today_of
from services.web.plan_receipts import send_confirmation_receipt
from services.web.templating import render

router = APIRouter()
CHOICES: Final = {"yes": "Still true", "later": "Not now"}
MAX_PLANS: Final = 50
"""The most plans on one page: a form has at most 60 fields."""


@router.get("/still/{token}")
async def ask(request: Request, session: Session, token: str) -> Response:
    """List the plans; record nothing."""
    link = await open_link(request, session, LinkPurpose.CONFIRM, token)
    return _page(request, token, await _unconfirmed(request, session, link.authority), Form(FormData()))


@router.post("/still/{token}")
async def confirm(request: Request, session: Session, token: str, later: BackgroundTasks) -> Response:
    """Publish the confirmed plans again."""
    link = await open_link(request, session, LinkPurpose.CONFIRM, token)
    asked = await _unconfirmed(request, session, link.authority)
    form = Form(await read_form(request))
    chosen = [one.plan_id for one in asked if form.sent.get(_field(one)) == "yes"]
    if asked and not any(form.sent.get(_field(one)) in CHOICES for one in asked):
        form.errors[_field(asked[0])] = "Choose an answer for at least one plan"
        return _page(request, token, asked, form, status=400)
    rows = await plans.by_id(session, chosen)
    confirmed = []
    for plan_id in chosen:
        try:
            await confirm_plan(session, rows[plan_id])
            confirmed.append(plan_id)
        except PlanActError:
            continue  # A newer revision confirms it as well.
    response = RedirectResponse(f"/still/{token}?confirmed={len(confirmed)}", 303)
    if confirmed:
        await send_confirmation_receipt(parts_of(request).settings, session, later, link.authority, confirmed)
        response.background = later
    return response


async def _unconfirmed(request: Request, session: Session, authority: str) -> list[UnconfirmedPlan]:
    day = today_of(request)
    return (await plan_confirmations.unconfirmed(session, day, authority))[:MAX_PLANS]


def _field(plan: UnconfirmedPlan) -> str:
    return f"plan-{plan.plan_id}"


def _page(request: Request, token: str, asked: list[UnconfirmedPlan], form: Form, status: int = 200) -> Response:
    confirmed = request.query_params.get("confirmed", "")
    return render(
        request,
        "still_true.html",
        status=status,
        path=f"/still/{token}",
        plans=[(_field(one), one, read_facts(one.state)) for one in asked],
        choices=CHOICES,
        confirmed=int(confirmed) if confirmed.isdecimal() and len(confirmed) < 4 else None,
        form=form,
        page_errors=bool(form.errors),
    )
