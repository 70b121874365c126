"""Emails about an extension's benchmark: their content. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from matching.text.formatting import day_text
from services.domain.benchmark_requests import BenchmarkNotice, BenchmarkRequest, BenchmarkStatus
from services.notifier.rendering.plain_text import sanitise, truncate

MAX_SUBJECT: Final = 60

_SUBJECTS: Final = {
    BenchmarkNotice.REQUEST: "compare prices before extending",
    BenchmarkNotice.REMINDER: "have you compared prices?",
    BenchmarkNotice.WITHOUT: "extended without benchmark",
}
_STATUS: Final = {
    BenchmarkStatus.REQUESTED: "There is no benchmark for the category yet. Jointly looks until {due}.",
    BenchmarkStatus.SUPPLIED: "There is a benchmark for the category.",
    BenchmarkStatus.NONE_AVAILABLE: "There is no benchmark for the category. You have asked, and that is enough.",
    BenchmarkStatus.WITHHELD: "There is no benchmark for the category: prices are withheld. You have asked, and that "
    "is enough.",
}


@dataclass(frozen=True, slots=True)
class BenchmarkLetter:
    """The content of one email."""

    authority: str
    name: str
    subject: str
    opening: str
    status: str
    actions: tuple[str, ...]
    request_id: str
    signed_on: str | None


def benchmark_letter(
    request: BenchmarkRequest, kind: BenchmarkNotice, title: str, name: str, signed_on: date | None
) -> BenchmarkLetter:
    """Builds the letter about an extension. `title`: its plan's title, empty if it was erased."""
    plan = sanitise(title) or request.plan_id
    about = _SUBJECTS[kind]
    months = f"{request.months} months past the contract's first end, all extensions together"
    if kind is BenchmarkNotice.WITHOUT:
        opening = f"{plan}: the contract now runs {months}. No decision on a benchmark was recorded before."
    else:
        opening = f"{plan}: the extension takes it {months}. The Charter asks to compare prices first."
    return BenchmarkLetter(
        authority=request.authority,
        name=name,
        subject=f"{truncate(plan, MAX_SUBJECT - len(about) - 2)}: {about}",
        opening=opening,
        status=_STATUS[request.status].format(due=day_text(request.due_on)),
        actions=_actions(request, kind),
        request_id=request.request_id,
        signed_on=day_text(signed_on) if signed_on else None,
    )


def _actions(request: BenchmarkRequest, kind: BenchmarkNotice) -> tuple[str, ...]:
    compare = f"To compare: jointly benchmark {request.plan_id}"
    decide = f"To record what you decide: jointly extensions decide {request.request_id} extend"
    if kind is BenchmarkNotice.WITHOUT:
        return (f"You can still record it: jointly extensions decide {request.request_id} extend",)
    return (
        compare,
        f"{decide} (or extend-shorter, tender, tender-jointly)",
        f"Please do by {day_text(request.due_on)}.",
    )
