"""Documents for every council that has signed the Charter. Their addresses appear once a button is pressed."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.application import signatory_documents as use
from services.application.signatory_documents import NotASignatoryError
from services.web import answer_texts as texts
from services.web.access import Session
from services.web.parts import today_of
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()


@router.get("/documents")
async def show(request: Request, session: Session, council: Council) -> Response:
    """The titles. Opening the page is not recorded, so it shows no address."""
    try:
        found = await use.list_documents(session, council.authority, today_of(request))
    except NotASignatoryError:
        return _page(request, signatory=False)
    return _page(request, documents=found)


@router.post("/documents")
async def look(request: Request, session: Session, council: Council) -> Response:
    """The same with the addresses; the look is recorded."""
    try:
        found = await use.read_documents(session, council.authority, today_of(request), council.actor)
    except NotASignatoryError:
        return _page(request, signatory=False, status=403)
    return _page(request, documents=found, addresses=True)


def _page(request: Request, *, signatory: bool = True, status: int = 200, **values: Any) -> Response:
    given = {"documents": (), "addresses": False, **values}
    return render(request, "documents.html", status=status, signatory=signatory, texts=texts, section="prices", **given)
