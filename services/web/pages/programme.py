"""The programme report and the signatories, for the office; and for a council, the numbers about itself."""

from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from events.fields import canonical_authority
from services.application import programme as use
from services.application.list_csv import BYTE_ORDER_MARK
from services.domain.parties import PartyKind
from services.domain.programme.records import status_on
from services.domain.programme.report import Measure
from services.domain.reorganisation import full_name_on
from services.store import authorities
from services.store.programme import to_signatory
from services.web.api.lists import csv_answer, snapshot
from services.web.forms import Form
from services.web.parts import today_of
from services.web.signing import Account, ProgrammeOffice
from services.web.templating import render

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """The requested report: its day, its authority (None: all) and its rate."""

    form: Form
    day: date
    authority: str | None
    rate: tuple[float, float] | None


@router.get("/programme")
async def report(request: Request, account: Account) -> Response:
    """The measures as of a day, each with its definition."""
    if account.party not in (None, PartyKind.PROGRAMME_OFFICE):
        return RedirectResponse("/convene", 303)
    asked = _read(request, account)
    found = await _measures(request, asked) if not asked.form.errors else []
    values: dict[str, Any] = {
        "asked": asked,
        "form": asked.form,
        "sections": [(name, list(measures)) for name, measures in groupby(found, lambda one: one.section)],
        "whose": full_name_on(asked.authority, asked.day) if asked.authority else "",
        "show": use.show_value,
        "show_unit": use.show_unit,
        "page_errors": bool(asked.form.errors),
    }
    status = 400 if asked.form.errors else 200
    return render(request, "programme.html", status=status, section="programme", **values)


@router.get("/programme.csv")
async def report_csv(request: Request, account: Account) -> Response:
    """The same as one CSV file."""
    asked = _read(request, account)
    if asked.form.errors or account.party not in (None, PartyKind.PROGRAMME_OFFICE):
        raise HTTPException(404)
    text = use.report_csv(await _measures(request, asked), asked.day)
    return csv_answer(BYTE_ORDER_MARK + text, f"programme-{asked.day.isoformat()}")


@router.get("/signatories")
async def signatories(request: Request, office: ProgrammeOffice) -> Response:
    """List the Charter's signatories and their status today."""
    day, found = await _signatories(request)
    listed = [(one, status_on(one, day).value) for one in found]
    return render(request, "signatories.html", listed=listed, office=office, section="signatories")


@router.get("/signatories.csv")
async def signatories_csv(request: Request, office: ProgrammeOffice) -> Response:  # noqa: ARG001 (who may read)
    """The same as one CSV file."""
    _, found = await _signatories(request)
    return csv_answer(BYTE_ORDER_MARK + use.signatories_csv(found), "signatories")


def _read(request: Request, account: Account) -> ReportRequest:
    """Read the request. A council always gets the numbers about itself."""
    form = Form(request.query_params)
    day = form.optional_day("as_of", "the day of the report") or today_of(request)
    chosen = canonical_authority(form.text("authority", 120)) or None
    try:
        rate = use.read_rate(form.text("rate", 20))
    except ValueError as error:
        form.errors["rate"], rate = str(error), None
    return ReportRequest(form, day, account.authority if account.party is None else chosen, rate)


async def _measures(request: Request, asked: ReportRequest) -> list[Measure]:
    async with snapshot(request) as session:
        return await use.measures(session, asked.day, authority=asked.authority, rate=asked.rate)


async def _signatories(request: Request) -> tuple[date, list[Any]]:
    async with snapshot(request) as session:
        found = [to_signatory(row) for row in await authorities.all_authorities(session)]
    return today_of(request), [one for one in found if one.signed_on]
