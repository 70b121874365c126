"""The contracts of a supplier or for a product, and the contracts that a council shares."""

from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.application import suppliers
from services.application.contract_list import own_contracts
from services.application.list_csv import CONTRACT_COLUMNS, SUPPLIER_COLUMNS, table_to_csv
from services.domain.reorganisation import name_on
from services.store.supplier_contracts import supplier_groups
from services.web.access import Session
from services.web.api.lists import csv_answer
from services.web.forms import Form
from services.web.parts import today_of
from services.web.signing import Council, signed_in
from services.web.templating import render

router = APIRouter()
MAX_ROWS: Final = 500


@router.get("/suppliers", dependencies=[Depends(signed_in)])
async def show_suppliers(request: Request, session: Session) -> Response:
    """List councils that have contracts with a supplier. Without a name, list councils whose contracts with one
    supplier end together."""
    form, name, product = _search(request)
    day = today_of(request)
    asked = bool(name or product) and not form.errors
    view = await suppliers.find_contracts(session, day, name=name, product=product) if asked else None
    groups = [] if asked else await supplier_groups(session, day)
    values: dict[str, Any] = {"view": view, "groups": groups, "form": form, "page_errors": bool(form.errors)}
    values["query"] = urlencode({"name": name, "product": product})
    return render(
        request, "suppliers.html", name_of=partial(name_on, day=day), limit=MAX_ROWS, section="prices", **values
    )


@router.get("/suppliers.csv", dependencies=[Depends(signed_in)])
async def suppliers_csv(request: Request, session: Session) -> Response:
    """The contracts that a search finds, all of them; without a name or product, every one."""
    form, name, product = _search(request)
    if form.errors:
        raise HTTPException(400)
    day = today_of(request)
    view = await suppliers.find_contracts(session, day, name=name, product=product)
    return csv_answer(table_to_csv(SUPPLIER_COLUMNS, view.contracts), "suppliers")


@router.get("/contracts")
async def show_contracts(request: Request, session: Session, council: Council) -> Response:
    """Show the contract data that the council shares, and from which day."""
    found = await own_contracts(session, council.authority)
    return render(request, "contracts.html", contracts=found, section="prices")


@router.get("/contracts.csv")
async def contracts_csv(session: Session, council: Council) -> Response:
    """The same as a file."""
    return csv_answer(table_to_csv(CONTRACT_COLUMNS, await own_contracts(session, council.authority)), "contracts")


def _search(request: Request) -> tuple[Form, str, str]:
    """The form, the supplier's name and the product. Invalid fields are in `form.errors`."""
    form = Form(request.query_params)
    return form, form.text("name", 100), form.text("product", 100)
