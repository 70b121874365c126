"""Enquiries: a benchmark request without a cell is put to other authorities with a comparable contract. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from events.contracts import ContractPublished
from events.responses import EnquiryAnswer
from matching.calendar import nation_of
from matching.plan import Status
from matching.text.formatting import format_date
from services.domain.benchmark_cells import category_of
from services.domain.benchmark_requests import BenchmarkNotice, BenchmarkRequest, BenchmarkStatus, Tally, is_current
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason
from services.domain.deadlines import reminder_days
from services.domain.disclosure import Tier, contract_is_open, contract_opens_on

MAX_ASKED: Final = 8
"""The most authorities that one request is put to."""


@dataclass(frozen=True, slots=True)
class Holder:
    """An authority with a comparable contract. `holding`: the contract's id, or that of the plan that names it.

    `times_asked`: about any request, up to now.
    """

    authority: str
    holding: str
    last_asked: date | None = None
    times_asked: int = 0


@dataclass(frozen=True, slots=True)
class Enquiry:
    """One request as it is put to one authority. `contract_id`: with the answer `supplied`, the contract it names."""

    request_id: str
    authority: str
    holding: str
    asked_on: date
    due_on: date
    answer: EnquiryAnswer | None = None
    contract_id: str | None = None
    answered_on: date | None = None


def may_ask(request: BenchmarkRequest, today: date) -> bool:
    """Whether a request may still be put to others: to MAX_ASKED in all, and until half time.

    Everybody then has five working days.
    """
    if request.status is not BenchmarkStatus.REQUESTED or request.decision is not None:
        return False
    half_time = reminder_days(request.requested_on, request.due_on, {nation_of(request.authority)})[-1]
    return request.others.asked < MAX_ASKED and today <= half_time


def choose_holders(
    request: BenchmarkRequest, holders: Iterable[Holder], asked: Collection[str], today: date
) -> list[Enquiry]:
    """The enquiries to make now. Authorities that were asked longest ago come first, and none is asked twice.

    Of those asked on the same day, the ones asked least often come first: many requests may come on one day.
    """
    waiting = [one for one in holders if one.authority != request.authority and one.authority not in asked]
    waiting.sort(key=lambda one: (one.last_asked or date.min, one.times_asked, one.authority))
    return [
        Enquiry(request.request_id, one.authority, one.holding, today, request.due_on)
        for one in waiting[: MAX_ASKED - len(asked)]
    ]


def reminder_day(enquiry: Enquiry) -> date | None:
    """The day on which an authority without an answer is reminded; None where there is no time for a reminder."""
    return next(iter(reminder_days(enquiry.asked_on, enquiry.due_on, {nation_of(enquiry.authority)})[-1:]), None)


def tally(enquiries: Sequence[Enquiry]) -> Tally:
    """Count the enquiries of one request, and their answers."""
    answers = [one.answer for one in enquiries if one.answer is not None]
    return Tally(
        asked=len(enquiries),
        answers=len(answers),
        supplied=answers.count(EnquiryAnswer.SUPPLIED),
        withheld=answers.count(EnquiryAnswer.WITHHELD),
    )


def takes_answers(enquiry: Enquiry, request: BenchmarkRequest, today: date) -> bool:
    """Whether an answer counts."""
    return request.status is BenchmarkStatus.REQUESTED and today <= enquiry.due_on


def still_asks(enquiry: Enquiry, request: BenchmarkRequest, plan: Status, today: date) -> bool:
    """Whether an answer is of use: it counts, the requester has not decided, and the plan stands."""
    return is_current(BenchmarkNotice.REQUEST, request, plan, today) and takes_answers(enquiry, request, today)


def is_wanted(enquiry: Enquiry, request: BenchmarkRequest, plan: Status, today: date) -> bool:
    """Whether an email may still ask: an answer is of use, and there is none."""
    return enquiry.answer is None and still_asks(enquiry, request, plan, today)


def contract_problem(contract: ContractPublished, category: str | None, today: date) -> str | None:
    """Why a contract doesn't answer an enquiry about a category; None if it does."""
    name = contract.contract_id
    if not contract.cpv or category_of(contract.cpv[0]) != category:
        return f"{name} is not in the category {category}; an answer names a contract of the category"
    if not contract.prices:
        return f"{name} is shared without prices; publish it with `prices` first"
    if contract_is_open(contract, Tier.SIGNATORIES, today):
        return None
    opens = contract_opens_on(contract, Tier.SIGNATORIES)
    when = f"opens to signatories on {format_date(opens)}" if opens else "is not open to signatories"
    return f"{name} {when}; publish it with today or an earlier day under `signatories` first"


def answer_enquiry(
    enquiry: Enquiry | None,
    request: BenchmarkRequest,
    answer: EnquiryAnswer,
    contract: ContractPublished | None,
    today: date,
) -> Enquiry:
    """The enquiry with an answer, which replaces an earlier one. `contract`: the shared fields of the named contract.

    Raises AnswerRefusedError if the authority was not asked, the time is over, or the contract shows no price.
    """
    if enquiry is None:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"the authority was not asked about the request {request.request_id}"
        )
    if not takes_answers(enquiry, request, today):
        raise AnswerRefusedError(
            RefusalReason.STALE, "the request needs no answer any more; a contract that you publish still counts"
        )
    if answer is EnquiryAnswer.SUPPLIED:
        if contract is None:
            raise AnswerRefusedError(
                RefusalReason.NOT_ALLOWED,
                "the answer names no contract that you share; publish it, then answer again",
            )
        problem = contract_problem(contract, request.category, today)
        if problem is not None:
            raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, problem)
    contract_id = contract.contract_id if contract and answer is EnquiryAnswer.SUPPLIED else None
    return replace(enquiry, answer=answer, contract_id=contract_id, answered_on=today)
