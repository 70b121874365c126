"""What other authorities ask an authority about its prices, and its answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from events.contracts import ContractPublished
from events.responses import EnquiryAnswer, ResponseEnquiry
from matching.plan import Status
from services.application.responses import ResponseError, Subject, build
from services.domain.benchmark_enquiries import Enquiry, answer_enquiry, contract_problem, still_asks
from services.domain.benchmark_requests import BenchmarkRequest
from services.domain.coalition_answers import AnswerRefusedError
from services.domain.disclosure import Requester, shown_requester
from services.domain.reorganisation import name_on
from services.store import benchmark_enquiries as store
from services.store import benchmark_requests, contracts, plans
from services.store.plans import PlanRecord


@dataclass(frozen=True, slots=True)
class EnquiryRecord:
    """One enquiry to the reader. `requester`: who asks, as far as that is shown; `is_open`: an answer is of use.

    `asker`: the requester's name, "A council" where it is unsaid.
    """

    enquiry: Enquiry
    requester: Requester
    asker: str
    category: str
    is_open: bool

    def as_json(self) -> dict[str, Any]:
        """The record for a program."""
        enquiry = self.enquiry
        return {
            "request_id": enquiry.request_id,
            "requester": self.requester.authority,
            "category": self.category,
            "holding": enquiry.holding,
            "asked_on": enquiry.asked_on.isoformat(),
            "due_on": enquiry.due_on.isoformat(),
            "open": self.is_open,
            "answer": enquiry.answer.value if enquiry.answer else None,
            "contract_id": enquiry.contract_id,
            "answered_on": enquiry.answered_on.isoformat() if enquiry.answered_on else None,
        }


async def list_enquiries(session: AsyncSession, authority: str, today: date) -> Sequence[EnquiryRecord]:
    """What an authority was asked, earliest due day first."""
    return await _records(session, await store.put_to(session, authority), today)


async def list_waiting(session: AsyncSession, authority: str, today: date) -> Sequence[EnquiryRecord]:
    """What an authority was asked and can still answer for the first time, earliest due day first."""
    found = await _records(session, await store.put_to(session, authority, waiting_on=today), today)
    return [one for one in found if one.is_open]


async def load_enquiry(session: AsyncSession, request_id: str, authority: str, today: date) -> EnquiryRecord | None:
    """One enquiry to an authority; None where it was not asked."""
    enquiry = await store.load(session, request_id, authority)
    found = await _records(session, [enquiry], today) if enquiry is not None else []
    return found[0] if found else None


async def shareable_contracts(
    session: AsyncSession, authority: str, category: str, today: date
) -> list[ContractPublished]:
    """The authority's contracts that answer an enquiry about a category, by id."""
    every = [ContractPublished.model_validate(row.payload) for row in await contracts.published(session, authority)]
    return [one for one in every if contract_problem(one, category, today) is None]


async def build_answer(
    session: AsyncSession,
    request_id: str,
    authority: str,
    outcome: EnquiryAnswer,
    today: date,
    *,
    contract_id: str | None = None,
    reason: str | None = None,
) -> ResponseEnquiry:
    """Build the response that answers an enquiry. Raises ResponseError if the answer would not count."""
    row = await benchmark_requests.load(session, request_id)
    if row is None:
        raise ResponseError(f"there is no request {request_id}; `jointly extensions asked` shows what you were asked")
    subject = Subject("benchmark", request_id, row.revision, "")
    values = {**subject.fields(authority), "outcome": outcome, "contract_id": contract_id, "reason": reason}
    del values["plan_id"]
    payload = build(ResponseEnquiry, values)
    assert isinstance(payload, ResponseEnquiry)
    named = await contracts.load_published(session, contract_id) if contract_id else None
    try:
        answer_enquiry(await store.load(session, request_id, authority), row.request, outcome, named, today)
    except AnswerRefusedError as error:
        raise ResponseError(str(error)) from None
    return payload


async def _records(session: AsyncSession, asked: Sequence[Enquiry], today: date) -> list[EnquiryRecord]:
    if not asked:
        return []
    requests = await benchmark_requests.by_id(session, {one.request_id for one in asked})
    stored = await plans.by_id(session, {one.plan_id for one in requests.values()})
    return [
        _record(one, request, stored.get(request.plan_id), today)
        for one in asked
        if (request := requests.get(one.request_id)) is not None
    ]


def _record(enquiry: Enquiry, request: BenchmarkRequest, plan: PlanRecord | None, today: date) -> EnquiryRecord:
    standing = Status(plan.status) if plan is not None else Status.WITHDRAWN
    requester = shown_requester(request.authority, plan.state if plan is not None else None)
    open_ = requester is not None and still_asks(enquiry, request, standing, today)
    shown = requester or Requester()
    asker = name_on(shown.authority, today) if shown.authority else "A council"
    return EnquiryRecord(enquiry, shown, asker, request.category or "", open_)
