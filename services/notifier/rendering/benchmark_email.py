"""Emails about an extension's benchmark, to its authority and to those that are asked: their content. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from matching.text.formatting import format_date
from services.domain.benchmark_enquiries import Enquiry
from services.domain.benchmark_requests import BenchmarkNotice, BenchmarkRequest, BenchmarkStatus
from services.domain.disclosure import Requester
from services.notifier.rendering.councils import reference
from services.notifier.rendering.headline import Headline
from services.notifier.rendering.plain_text import sanitise

_SUBJECTS: Final = {
    BenchmarkNotice.REQUEST: "compare prices before extending",
    BenchmarkNotice.REMINDER: "have you compared prices?",
    BenchmarkNotice.ANSWERS: "what others answered",
    BenchmarkNotice.WITHOUT: "extended without benchmark",
}
_STATUS: Final = {
    BenchmarkStatus.REQUESTED: "There is no benchmark for the category yet. Jointly looks until {due}.",
    BenchmarkStatus.SUPPLIED: "There is a benchmark for the category.",
    BenchmarkStatus.NONE_AVAILABLE: "There is no benchmark for the category. You have asked, and that is enough.",
    BenchmarkStatus.WITHHELD: "There is no benchmark for the category: prices are withheld. You have asked, and that "
    "is enough.",
}
_FREE: Final = "The decision is yours; Jointly blocks nothing."
_PLEDGED: Final = "Signatories have pledged to seek a benchmark before extending beyond 12 months."
_BY_OTHERS: Final = "Others with a contract of the category share what they pay."


@dataclass(frozen=True, slots=True)
class BenchmarkLetter:
    """The content of one email."""

    authority: str
    name: str
    headline: Headline
    opening: str
    status: str
    actions: tuple[str, ...]
    request_id: str
    signed_on: str | None
    assurance: str
    answer_link: str | None = None
    answer_label: str = "Answer here"


def benchmark_letter(
    request: BenchmarkRequest,
    kind: BenchmarkNotice,
    title: str,
    name: str,
    signed_on: date | None,
    answer_link: str | None,
    *,
    ict: bool,
) -> BenchmarkLetter:
    """Build the letter about an extension. `title`: its plan's title, empty if it was erased. `ict`: whether the
    Charter is about it.

    `answer_link`: the page that compares prices and takes the decision, if there are pages.
    """
    plan = sanitise(title) or request.plan_id
    about = _SUBJECTS[kind]
    months = f"{request.months} months past the contract's first end, all extensions together"
    if kind is BenchmarkNotice.WITHOUT:
        opening = f"{plan}: the contract now runs {months}. No decision on a benchmark was recorded before."
    else:
        asks = "The Charter asks you to compare prices first." if ict else "Please compare prices first."
        opening = f"{plan}: the extension takes it {months}. {asks}"
    return BenchmarkLetter(
        authority=request.authority,
        name=name,
        headline=Headline(plan, f": {about}"),
        opening=opening,
        status=_status(request),
        actions=_actions(request, kind, by_command=answer_link is None),
        request_id=request.request_id,
        assurance=f"{_FREE} {_PLEDGED}" if ict else _FREE,
        signed_on=format_date(signed_on) if signed_on else None,
        answer_link=answer_link,
        answer_label="Compare prices and record your decision",
    )


def enquiry_letter(
    enquiry: Enquiry,
    kind: BenchmarkNotice,
    requester: Requester,
    asker: str,
    reader: tuple[str, date | None],
    answer_link: str | None,
) -> BenchmarkLetter:
    """Build the letter to an authority that is asked. `asker`: the requester's name, empty where it is unsaid.

    `reader`: its own name, and the day on which it signed the Charter.
    """
    name, signed_on = reader
    asker, due = sanitise(asker, 80) or "A council", format_date(enquiry.due_on)
    still = "still asks" if kind is BenchmarkNotice.ENQUIRY_REMINDER else "asks"
    about = f"{still} what you pay. Answer by {due.rpartition(' ')[0]}"
    contract = f"its contract with {sanitise(requester.supplier, 80)}" if requester.supplier else "a contract"
    plan = f" ({sanitise(requester.title, 80)})" if requester.title else ""
    return BenchmarkLetter(
        authority=enquiry.authority,
        name=name,
        headline=Headline(asker, f" {about}"),
        opening=f"{asker} is about to extend {contract}{plan}. Would you share your prices?",
        status=f"You hold a contract of the same category: {reference(enquiry.holding)}.",
        actions=(*(() if answer_link else _answers(enquiry)), f"Please answer by {due}."),
        request_id=enquiry.request_id,
        signed_on=format_date(signed_on) if signed_on else None,
        assurance="You need not answer. Others never see a reason for withholding a price.",
        answer_link=answer_link,
    )


def _answers(enquiry: Enquiry) -> tuple[str, ...]:
    """The commands that answer, for where there are no pages."""
    answer, own = f"jointly extensions answer {enquiry.request_id}", f"--authority {enquiry.authority}"
    return (
        f"To share a price: publish the contract, then {answer} supplied --contract ID {own}",
        f"Otherwise: {answer} none-available {own} (or withheld)",
    )


def _status(request: BenchmarkRequest) -> str:
    others = request.others
    by_others = others.supplied and request.status is BenchmarkStatus.SUPPLIED
    said = _BY_OTHERS if by_others else _STATUS[request.status].format(due=format_date(request.due_on))
    if not others.asked:
        return said
    return f"{said} Councils asked: {others.asked}; answers: {others.answers}; with a price: {others.supplied}."


def _actions(request: BenchmarkRequest, kind: BenchmarkNotice, *, by_command: bool) -> tuple[str, ...]:
    """What to do by when; `by_command`: also the commands, for where there are no pages."""
    own = f"--authority {request.authority}"
    decide = f"jointly extensions decide {request.request_id} extend {own}"
    if kind is BenchmarkNotice.WITHOUT:
        return (f"You can still record your decision{f': {decide}' if by_command else '.'}",)
    commands = (
        f"To compare: jointly benchmark {request.plan_id} {own}",
        f"To record what you decide: {decide} (or extend-shorter, tender, tender-jointly)",
    )
    return (*(commands if by_command else ()), f"Please do this by {format_date(request.due_on)}.")
