"""Pages of a signed-in council: home, its plans, and who else buys something."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.application import home as use
from services.application import who_else
from services.store.database import now
from services.web import answer_texts as texts
from services.web import plan_texts
from services.web.access import Session
from services.web.forms import Form
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()


@router.get("/home")
async def home(request: Request, session: Session, council: Council) -> Response:
    """Replies due, coalitions and plans."""
    found = await use.load_home(session, council.authority, now())
    return render(request, "home.html", home=found, council=council, texts=texts, section="home")


@router.get("/p/{plan_id}")
async def plan(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """One of the council's own plans, and its matches."""
    found = await use.load_plan(session, council.authority, plan_id)
    if found is None:
        raise HTTPException(404)
    return render(request, "plan.html", plan=found[0], matches=found[1], texts=plan_texts, section="home")


@router.get("/search")
async def search(request: Request, session: Session, council: Council) -> Response:
    """Who else plans to buy something."""
    form = Form(request.query_params)
    query = who_else.Query(
        need=form.text("need", 100),
        supplier=form.text("supplier", 100),
        earliest=form.optional_day("earliest", "the first day"),
        latest=form.optional_day("latest", "the last day"),
    )
    asked = bool(request.query_params) and not form.errors
    found = await who_else.search(session, council.authority, query) if asked else None
    values: dict[str, Any] = {"form": form, "found": found, "limit": who_else.LIMIT, "page_errors": bool(form.errors)}
    return render(request, "search.html", section="search", **values)
