"""The lists of the read interface, `/api/v1`: each as JSON, page by page, and as one CSV file."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_plan_id
from services.application import authority_lists as use
from services.application.authority_lists import ENDED_STATUSES, LIVING_STATUSES, List, Page
from services.application.list_csv import to_csv
from services.application.list_items import CoalitionItem, DeadlineItem, Item, OpportunityItem, PlanItem
from services.domain.api_access import Scope
from services.store.authority_lists import Cut
from services.store.database import begin_snapshot
from services.web.api.access import Reader, reader_of
from services.web.api.paging import ChangedSince, Cursor, HexKey, ItemPage, Limit, PlanKey, links, moment, read_cursor
from services.web.api.problems import MEDIA_TYPE, Problem, ProblemError, ReadRoute
from services.web.parts import parts_of, today_of

T = TypeVar("T", bound=Item)
Found = TypeVar("Found")

_STATUSES: Final = (400, 401, 403, 404, 429)
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "content": {MEDIA_TYPE: {}}} for status in _STATUSES
}
PLAIN_CSV: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}

router = APIRouter(prefix="/api/v1", route_class=ReadRoute, responses=PROBLEMS)


class PlanChoice(StrEnum):
    """The plans to list."""

    ACTIVE = "active"
    ENDED = "ended"
    ALL = "all"


class OpportunityChoice(StrEnum):
    """The opportunities to list."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    ALL = "all"


class CoalitionChoice(StrEnum):
    """The coalitions to list."""

    LIVING = "living"
    ENDED = "ended"
    ALL = "all"


_PLAN_STATUSES: Final[Mapping[PlanChoice, tuple[str, ...] | None]] = {
    PlanChoice.ACTIVE: ("active",),
    PlanChoice.ENDED: ("withdrawn", "awarded"),
    PlanChoice.ALL: None,
}
_OPPORTUNITY_STATUSES: Final[Mapping[OpportunityChoice, tuple[str, ...] | None]] = {
    OpportunityChoice.ACTIVE: ("active",),
    OpportunityChoice.WITHDRAWN: ("withdrawn",),
    OpportunityChoice.ALL: None,
}
_COALITION_STATUSES: Final[Mapping[CoalitionChoice, tuple[str, ...] | None]] = {
    CoalitionChoice.LIVING: LIVING_STATUSES,
    CoalitionChoice.ENDED: ENDED_STATUSES,
    CoalitionChoice.ALL: None,
}

PlansReader = Annotated[Reader, Depends(reader_of(Scope.PLANS))]
OpportunitiesReader = Annotated[Reader, Depends(reader_of(Scope.OPPORTUNITIES))]
CoalitionsReader = Annotated[Reader, Depends(reader_of(Scope.COALITIONS))]
DeadlinesReader = Annotated[Reader, Depends(reader_of(Scope.DEADLINES))]


@asynccontextmanager
async def snapshot(request: Request) -> AsyncIterator[AsyncSession]:
    """Open a read-only session. All its reads see one snapshot."""
    async with parts_of(request).sessions() as session:
        await begin_snapshot(session)
        yield session


async def _page(request: Request, reader: Reader, cut: Cut, read: List[T]) -> Any:
    async with snapshot(request) as session:
        page = await read(session, reader.authority, cut)
    return {"items": page.items, "links": links(request, page.after)}


async def _csv(request: Request, reader: Reader, kind: type[T], cut: Cut, read: List[T], name: str) -> Response:
    async with snapshot(request) as session:
        items = [item async for item in use.read_all(session, reader.authority, cut, read)]
    return csv_answer(to_csv(kind, items), name)


def _on_day(request: Request, read: Callable[[AsyncSession, str, Cut, date], Awaitable[Page[T]]]) -> List[T]:
    """A list whose names are those of the day."""
    return lambda session, authority, cut: read(session, authority, cut, today_of(request))


def csv_answer(text: str, name: str) -> Response:
    """A CSV file to save under a name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/plans")
async def plans(
    request: Request,
    reader: PlansReader,
    status: PlanChoice = PlanChoice.ACTIVE,
    changed_since: ChangedSince = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ItemPage[PlanItem]:
    """The authority's own plans, by id."""
    cut = Cut(read_cursor(cursor), limit, _PLAN_STATUSES[status], moment(changed_since))
    return await _page(request, reader, cut, use.list_plans)  # type: ignore[no-any-return]


@router.get("/plans.csv", response_class=Response, responses=PLAIN_CSV)
async def plans_csv(request: Request, reader: PlansReader, status: PlanChoice = PlanChoice.ACTIVE) -> Response:
    """The same as one CSV file."""
    return await _csv(request, reader, PlanItem, Cut(statuses=_PLAN_STATUSES[status]), use.list_plans, "plans")


@router.get("/plans/{plan_id}")
async def plan(request: Request, reader: PlansReader, plan_id: PlanKey) -> PlanItem:
    """One of the authority's own plans."""
    async with snapshot(request) as session:
        return found(await use.find_plan(session, reader.authority, canonical_plan_id(plan_id)))


@router.get("/opportunities")
async def opportunities(
    request: Request,
    reader: OpportunitiesReader,
    status: OpportunityChoice = OpportunityChoice.ACTIVE,
    changed_since: ChangedSince = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ItemPage[OpportunityItem]:
    """The opportunities of the authority's plans, by id."""
    cut = Cut(read_cursor(cursor), limit, _OPPORTUNITY_STATUSES[status], moment(changed_since))
    return await _page(request, reader, cut, _on_day(request, use.list_opportunities))  # type: ignore[no-any-return]


@router.get("/opportunities.csv", response_class=Response, responses=PLAIN_CSV)
async def opportunities_csv(
    request: Request, reader: OpportunitiesReader, status: OpportunityChoice = OpportunityChoice.ACTIVE
) -> Response:
    """The same as one CSV file."""
    cut = Cut(statuses=_OPPORTUNITY_STATUSES[status])
    return await _csv(request, reader, OpportunityItem, cut, _on_day(request, use.list_opportunities), "opportunities")


@router.get("/opportunities/{opportunity_id}")
async def opportunity(request: Request, reader: OpportunitiesReader, opportunity_id: HexKey) -> OpportunityItem:
    """One opportunity of the authority's plans."""
    async with snapshot(request) as session:
        return found(await use.find_opportunity(session, reader.authority, opportunity_id, today_of(request)))


@router.get("/coalitions")
async def coalitions(
    request: Request,
    reader: CoalitionsReader,
    status: CoalitionChoice = CoalitionChoice.LIVING,
    changed_since: ChangedSince = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ItemPage[CoalitionItem]:
    """The coalitions that the authority is or was in, by id."""
    cut = Cut(read_cursor(cursor), limit, _COALITION_STATUSES[status], moment(changed_since))
    return await _page(request, reader, cut, _on_day(request, use.list_coalitions))  # type: ignore[no-any-return]


@router.get("/coalitions.csv", response_class=Response, responses=PLAIN_CSV)
async def coalitions_csv(
    request: Request, reader: CoalitionsReader, status: CoalitionChoice = CoalitionChoice.LIVING
) -> Response:
    """The same as one CSV file, one row a member."""
    cut = Cut(statuses=_COALITION_STATUSES[status])
    return await _csv(request, reader, CoalitionItem, cut, _on_day(request, use.list_coalitions), "coalitions")


@router.get("/coalitions/{coalition_id}")
async def coalition(request: Request, reader: CoalitionsReader, coalition_id: HexKey) -> CoalitionItem:
    """One coalition that the authority is or was in."""
    async with snapshot(request) as session:
        return found(await use.find_coalition(session, reader.authority, coalition_id, today_of(request)))


@router.get("/deadlines")
async def deadlines(request: Request, reader: DeadlinesReader) -> ItemPage[DeadlineItem]:
    """All deadlines of the authority, the next first, on one page."""
    items = await _deadlines(request, reader)
    return {"items": items, "links": links(request, None)}  # type: ignore[return-value]


@router.get("/deadlines.csv", response_class=Response, responses=PLAIN_CSV)
async def deadlines_csv(request: Request, reader: DeadlinesReader) -> Response:
    """The same as one CSV file."""
    return csv_answer(to_csv(DeadlineItem, await _deadlines(request, reader)), "deadlines")


async def _deadlines(request: Request, reader: Reader) -> list[DeadlineItem]:
    day = today_of(request)
    async with snapshot(request) as session:
        return await use.list_deadlines(session, reader.authority, day)


def found(item: Found | None) -> Found:
    """Return the item. Another authority's id gets the same 404 as an unknown one, so nobody learns which ids exist."""
    if item is None:
        raise ProblemError(404, "there is none with this id among those that the token may read")
    return item
