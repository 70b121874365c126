"""The page that asks a council for its prices, by an email's link or signed in. Only the button sends an answer."""

from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from events.contracts import ContractPublished
from events.responses import EnquiryAnswer
from matching.text.formatting import sanitise_line
from services.application import enquiries
from services.application.acts import ActOutcome, submit
from services.application.enquiries import EnquiryRecord
from services.application.responses import ResponseError
from services.domain.links import LinkPurpose
from services.web.access import Reader, Session, open_link
from services.web.forms import Form, read_form
from services.web.parts import today_of
from services.web.sending import outcome_of, response_id_of
from services.web.signing import council_of, signed_in
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


async def reader_of(request: Request, session: Session) -> Reader:
    """The council that the link in the address names, or that is signed in. Raises LinkError."""
    token = request.path_params.get("token")
    if token is not None:
        link = await open_link(request, session, LinkPurpose.ENQUIRY, token)
        return Reader(link.authority, link.subject, f"/q/{token}")
    council = await council_of(await signed_in(request, session))
    subject = request.path_params["subject"]
    return Reader(council.authority, subject, f"/asked/{subject}", council.actor)


Asked = Annotated[Reader, Depends(reader_of)]


@router.get("/q/{token}")
@router.get("/asked/{subject}")
async def show(request: Request, session: Session, reader: Asked) -> Response:
    """The question, and the answers to choose from; records nothing."""
    outcome = await outcome_of(request, reader.authority)
    record, contracts = await _load(request, session, reader)
    return _page(request, reader, record, contracts, Form(FormData()), outcome=outcome)


@router.post("/q/{token}")
@router.post("/asked/{subject}")
async def answer(request: Request, session: Session, reader: Asked) -> Response:
    """Send the chosen answer."""
    record, contracts = await _load(request, session, reader)
    form = Form(await read_form(request))
    response_id = response_id_of(form)
    chosen = form.choice("answer", _choices(contracts), "Choose your answer")
    if form.errors:
        return _page(request, reader, record, contracts, form, status=400)
    outcome, _, detail = chosen.partition(" ")
    shares = EnquiryAnswer(outcome) is EnquiryAnswer.SUPPLIED
    try:
        payload = await enquiries.build_answer(
            session,
            reader.subject,
            reader.authority,
            EnquiryAnswer(outcome),
            today_of(request),
            contract_id=detail if shares else None,
            reason=None if shares else detail or None,
        )
    except ResponseError:
        raise HTTPException(409) from None
    await submit(session, payload.model_copy(update={"response_id": response_id}), reader.actor)
    return RedirectResponse(f"{reader.base}?sent={response_id}", 303)


async def _load(request: Request, session: Session, reader: Reader) -> tuple[EnquiryRecord, list[ContractPublished]]:
    """The reader's enquiry, and its contracts that answer it. Raises 404 where the council was not asked."""
    day = today_of(request)
    record = await enquiries.load_enquiry(session, reader.subject, reader.authority, day)
    if record is None:
        raise HTTPException(404)
    return record, await enquiries.shareable_contracts(session, reader.authority, record.category, day)


def _choices(contracts: list[ContractPublished]) -> dict[str, str]:
    shared = {
        f"{EnquiryAnswer.SUPPLIED.value} {one.contract_id}": f"Share the price of {sanitise_line(one.title, 80)}, "
        f"{sanitise_line(one.supplier, 60)} ({one.contract_id.partition(':')[2]})"
        for one in contracts[:MAX_CONTRACTS]
    }
    return shared | _WITHOUT_PRICE


def _page(
    request: Request,
    reader: Reader,
    record: EnquiryRecord,
    contracts: list[ContractPublished],
    form: Form,
    status: int = 200,
    outcome: ActOutcome | None = None,
) -> Response:
    return render(
        request,
        "enquiry.html",
        status=status,
        path=reader.base,
        record=record,
        contracts=len(contracts),
        most=MAX_CONTRACTS,
        by_link=reader.actor is None,
        choices=_choices(contracts),
        sent=bool(request.query_params.get("sent")),
        outcome=outcome,
        form=form,
        response_id=str(uuid4()),
        page_errors=bool(form.errors),
        section="home",
    )
