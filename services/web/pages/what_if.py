"""A council tries other dates of one of its plans: partners and groups gained and lost. Nothing is written."""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from matching.plan import Status, Window
from services.application import plan_drafts
from services.application import what_if as use
from services.application.explain import ExplainContextCache, ExplainError
from services.application.what_if import Change, WhatIf
from services.domain.disclosure import is_open
from services.platform.clock import today
from services.web import plan_texts as texts
from services.web.access import Session
from services.web.forms import Form
from services.web.parts import parts_of
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()
MAX_MONTHS: Final = 120
NOT_NOW: Final = "This can't be worked out at the moment. Try again in a few minutes."
NO_CONTRACT: Final = "This plan names no contract that runs now. Change the plan to say when it ends."


@router.get("/p/{plan_id}/what-if")
async def try_dates(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """Show a form for other dates, and the partners and groups they would gain and lose."""
    stored = await plan_drafts.own_plan(session, council.authority, plan_id)
    if stored is None or stored.row.status != Status.ACTIVE or not is_open(stored.row.state):
        raise HTTPException(404)
    form = Form(request.query_params)
    change = _read(form) if request.query_params else None
    if change is not None and change.extension is not None and not stored.row.state["contract"]["end"]:
        form.errors["change"] = NO_CONTRACT
    found, problem = None, ""
    if change is not None and not form.errors:
        found, problem = await _try(request, plan_id, change)
    values: dict[str, Any] = {"plan": stored.row, "form": form, "texts": texts, "found": found, "problem": problem}
    return render(request, "what_if.html", page_errors=bool(form.errors), section="home", **values)


async def _try(request: Request, plan_id: str, change: Change) -> tuple[WhatIf | None, str]:
    parts = parts_of(request)
    contexts: ExplainContextCache = request.app.state.contexts
    try:
        async with contexts.open(parts.sessions, today(parts.settings.as_of)) as view:
            return await use.what_if(view, plan_id, change), ""
    except ExplainError:
        return None, NOT_NOW


def _read(form: Form) -> Change | None:
    """The change to try; invalid fields are in `form.errors`."""
    what = form.choice("change", texts.CHANGES, "Choose what to try")
    if what == "window":
        window = form.span("the tender could be published")
        return Change(window=Window(*window)) if window else None
    if not what:
        return None
    months = form.number("months", 0, MAX_MONTHS, "the number of months") or 0
    if what == "extension":
        return Change(extension=months)
    return Change(months=months if what == "later" else -months)
