"""Calendars: a private address that a calendar program subscribes to, and files to open once."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.application import authority_lists as use
from services.application.calendar_file import to_ics
from services.domain.api_access import Scope
from services.platform.clock import today
from services.web.api.access import authorise
from services.web.api.lists import PROBLEMS, CoalitionsReader, DeadlinesReader, found, snapshot
from services.web.api.paging import HexKey
from services.web.api.problems import ProblemError, ReadRoute
from services.web.parts import parts_of, today_of

ICS: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}}

feed_router = APIRouter(prefix="/calendar", route_class=ReadRoute, responses=PROBLEMS)
router = APIRouter(prefix="/api/v1", route_class=ReadRoute, responses=PROBLEMS)


@feed_router.get("/{token}.ics", response_class=Response, responses=ICS)
async def feed(request: Request, token: str) -> Response:
    """The deadlines of one authority, for anybody who has the address. A revoked address gets 404."""
    try:
        reader = await authorise(request, token, Scope.CALENDAR)
    except ProblemError as error:
        if error.status == 429:
            raise
        raise ProblemError(404, "there is no calendar at this address; make a new one in the settings") from None
    return await _deadlines(request, reader.authority)


@router.get("/deadlines.ics", response_class=Response, responses=ICS)
async def deadlines_ics(request: Request, reader: DeadlinesReader) -> Response:
    """All deadlines of the authority, as one calendar file."""
    return await _deadlines(request, reader.authority)


@router.get("/coalitions/{coalition_id}/deadlines.ics", response_class=Response, responses=ICS)
async def coalition_ics(request: Request, reader: CoalitionsReader, coalition_id: HexKey) -> Response:
    """The deadlines of one coalition, as a calendar file."""
    async with snapshot(request) as session:
        items = await use.find_coalition_deadlines(session, reader.authority, coalition_id, today_of(request))
    return _answer(to_ics(found(items), parts_of(request).settings.public_url))


async def _deadlines(request: Request, authority: str) -> Response:
    settings = parts_of(request).settings
    async with snapshot(request) as session:
        items = await use.list_deadlines(session, authority, today(settings.as_of))
    return _answer(to_ics(items, settings.public_url))


def _answer(content: bytes) -> Response:
    headers = {"Content-Disposition": 'inline; filename="jointly.ics"'}
    return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)
