"""Who else plans to buy something: a search over openly shared plans, which a council can save and run again."""

from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from services.application import preferences, who_else
from services.application.list_csv import FOUND_COLUMNS, table_to_csv
from services.application.who_else import FoundPlan
from services.store import plan_search, saved_searches
from services.store.plan_search import DAYS, SearchQuery
from services.web.access import Session
from services.web.answer_texts import STAGES
from services.web.api.lists import csv_answer
from services.web.forms import Form, read_form
from services.web.parts import today_of
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()
MAX_SAVED: Final = 20
_ANY: Final = {"": "Any"}


@router.get("/search")
async def search(request: Request, session: Session, council: Council) -> Response:
    """Show the search form and its results."""
    form = Form(request.query_params)
    query = _read(form)
    return await _page(request, session, council.authority, form, query)


@router.get("/search.csv")
async def found_csv(request: Request, session: Session, council: Council) -> Response:
    """The results as a CSV file."""
    form = Form(request.query_params)
    query = _read(form)
    if form.errors:
        raise HTTPException(400)
    found = await who_else.search(session, council.authority, query, today_of(request))
    return csv_answer(table_to_csv(FOUND_COLUMNS, found), "plans")


@router.post("/search")
async def save(request: Request, session: Session, council: Council) -> Response:
    """Save a search."""
    form = Form(await read_form(request))
    query = _read(form)
    name = form.text("name", 100, label="a name for this search")
    if await saved_searches.count(session, council.authority) >= MAX_SAVED:
        form.errors["name"] = f"Your council has {MAX_SAVED} saved searches. Delete one first"
    if not form.errors and not await saved_searches.add(session, council.authority, name, query):
        form.errors["name"] = f"This search fits more than {saved_searches.MAX_FITTING:,} plans. Narrow it first"
    if form.errors:
        return await _page(request, session, council.authority, form, query, status=400)
    return RedirectResponse("/search", 303)


@router.post("/search/{search_id}/delete")
async def delete(session: Session, council: Council, search_id: str) -> Response:
    """Delete a saved search."""
    if not await preferences.delete_search(session, council.authority, search_id, council.actor):
        raise HTTPException(404)
    return RedirectResponse("/search", 303)


@router.post("/search/{search_id}/news")
async def set_news(request: Request, session: Session, council: Council, search_id: str) -> Response:
    """Switch the news of a saved search on or off."""
    news = (await read_form(request)).get("news")
    if news not in ("on", "off"):
        raise HTTPException(400)
    if not await preferences.set_search_news(session, council.authority, search_id, council.actor, news=news == "on"):
        raise HTTPException(404)
    return RedirectResponse("/search", 303)


def _read(form: Form) -> SearchQuery:
    """Read the search; invalid fields are in `form.errors`."""
    regions = {**_ANY, **who_else.search_regions()}
    return SearchQuery(
        need=form.text("need", 100),
        supplier=form.text("supplier", 100),
        region=form.choice("region", regions, "Choose a region") if form.sent.get("region") else "",
        stage=form.choice("stage", STAGES, "Choose a stage") if form.sent.get("stage") else "",
        earliest=form.optional_day("earliest", "the first day"),
        latest=form.optional_day("latest", "the last day"),
        ends_from=form.optional_day("ends_from", "the first day"),
        ends_until=form.optional_day("ends_until", "the last day"),
    )


def _fields(query: SearchQuery) -> dict[str, str]:
    """The form's fields of a search, without those that are empty."""
    found = {name: getattr(query, name) for name in ("need", "supplier", "region", "stage")}
    for name in DAYS:
        day: date | None = getattr(query, name)
        if day is not None:
            found |= {f"{name}-day": str(day.day), f"{name}-month": str(day.month), f"{name}-year": str(day.year)}
    return {name: value for name, value in found.items() if value}


async def _page(
    request: Request, session: Session, authority: str, form: Form, query: SearchQuery, status: int = 200
) -> Response:
    asked = isinstance(form.sent, FormData) or bool(request.query_params)
    found: list[FoundPlan] | None = None
    if asked and not form.errors.keys() - {"name"}:
        found = await who_else.search(session, authority, query, today_of(request))
    saved = [
        (one.search_id, one.name, one.news, urlencode(_fields(SearchQuery.from_json(one.query))))
        for one in await saved_searches.of_authority(session, authority)
    ]
    values: dict[str, Any] = {
        "form": form,
        "found": found,
        "limit": plan_search.LIMIT,
        "regions": {**_ANY, **who_else.search_regions()},
        "stages": {**_ANY, **STAGES},
        "saved": saved,
        "fields": _fields(query),
        "query": urlencode(_fields(query)),
    }
    return render(request, "search.html", status=status, section="search", page_errors=bool(form.errors), **values)
