"""The page of an email that asks a council what it pays. Only the button sends an answer."""

from typing import Final
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from events.contracts import ContractPublished
from events.responses import EnquiryAnswer
from matching.text.formatting import quote
from services.application import enquiries
from services.application.acts import submit
from services.application.enquiries import EnquiryRecord
from services.application.responses import ResponseError
from services.domain.links import LinkPurpose, OpenedLink
from services.domain.reorganisation import name_on
from services.web.access import Session, open_link
from services.web.forms import Form, read_form
from services.web.parts import today_of
from services.web.sending import outcome_of, response_id_of
from services.web.templating import render

router = APIRouter()
MAX_CONTRACTS: Final = 20
_WITHOUT_PRICE: Final = {
    "none-available": "We have no price to compare with",
    "withheld": "We keep our price to ourselves",
    "withheld s94": "We keep our price to ourselves: it is sensitive commercial information",
    "withheld confidential-term": "We keep our price to ourselves: a term of the contract asks for that",
    "withheld not-comparable": "We keep our price to ourselves: it is not comparable",
}
"""Answers without a price: the outcome, and for a withheld price the reason."""


@router.get("/q/{token}")
async def show(request: Request, session: Session, token: str) -> Response:
    """The question, and the answers to choose from; records nothing."""
    link, record = await _asked(request, session, token)
    return await _page(request, session, link, record, Form(FormData()))


@router.post("/q/{token}")
async def answer(request: Request, session: Session, token: str) -> Response:
    """Sends the chosen answer."""
    link, record = await _asked(request, session, token)
    form = Form(await read_form(request))
    response_id = response_id_of(form)
    choices = _choices(await _contracts(request, session, link, record))
    chosen = form.choice("answer", choices, "Choose your answer")
    if form.errors:
        return await _page(request, session, link, record, form, status=400)
    outcome, _, detail = chosen.partition(" ")
    shares = EnquiryAnswer(outcome) is EnquiryAnswer.SUPPLIED
    try:
        payload = await enquiries.build_answer(
            session,
            link.subject,
            link.authority,
            EnquiryAnswer(outcome),
            today_of(request),
            contract_id=detail if shares else None,
            reason=None if shares else detail or None,
        )
    except ResponseError:
        raise HTTPException(409) from None
    await submit(session, payload.model_copy(update={"response_id": response_id}), None)
    return RedirectResponse(f"/q/{token}?sent={response_id}", 303)


async def _asked(request: Request, session: Session, token: str) -> tuple[OpenedLink, EnquiryRecord]:
    """The link and its enquiry. Raises LinkError, and 404 where the council was not asked."""
    link = await open_link(request, session, LinkPurpose.ENQUIRY, token)
    record = await enquiries.load_enquiry(session, link.subject, link.authority, today_of(request))
    if record is None:
        raise HTTPException(404)
    return link, record


async def _contracts(
    request: Request, session: Session, link: OpenedLink, record: EnquiryRecord
) -> list[ContractPublished]:
    day = today_of(request)
    found = await enquiries.shareable_contracts(session, link.authority, record.category, day)
    return found[:MAX_CONTRACTS]


def _choices(contracts: list[ContractPublished]) -> dict[str, str]:
    shared = {
        f"{EnquiryAnswer.SUPPLIED.value} {one.contract_id}": f"Share the price of {quote(one.title, 80)}, "
        f"{quote(one.supplier, 60)} ({one.contract_id.partition(':')[2]})"
        for one in contracts
    }
    return shared | _WITHOUT_PRICE


async def _page(
    request: Request, session: Session, link: OpenedLink, record: EnquiryRecord, form: Form, status: int = 200
) -> Response:
    contracts = await _contracts(request, session, link, record)
    code = record.requester.authority
    return render(
        request,
        "enquiry.html",
        status=status,
        path=request.url.path,
        record=record,
        asker=name_on(code, today_of(request)) if code else "A council",
        has_contract=bool(contracts),
        choices=_choices(contracts),
        sent=bool(request.query_params.get("sent")),
        outcome=await outcome_of(request, link.authority),
        form=form,
        response_id=str(uuid4()),
        page_errors=bool(form.errors),
    )
