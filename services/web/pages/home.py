"""Pages of a signed-in council: home, and its plans."""

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.application import home as use
from services.application.own_groups import groups_of_plan
from services.store.database import now
from services.web import answer_texts as texts
from services.web import plan_texts
from services.web.access import Session
from services.web.parts import today_of
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()


@router.get("/home")
async def home(request: Request, session: Session, council: Council) -> Response:
    """Show replies due, coalitions and plans."""
    found = await use.load_home(session, council.authority, now(), today_of(request))
    return render(request, "home.html", home=found, council=council, texts=texts, section="home")


@router.get("/p/{plan_id}")
async def plan(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """One of the council's own plans, and its matches."""
    found = await use.load_plan(session, council.authority, plan_id, today_of(request))
    if found is None:
        raise HTTPException(404)
    return render(
        request,
        "plan.html",
        plan=found[0],
        matches=found[1],
        groups=await groups_of_plan(session, plan_id, today_of(request)),
        texts=plan_texts,
        section="home",
    )
