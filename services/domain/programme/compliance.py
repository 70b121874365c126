"""The third and fourth principles in numbers: routes recorded before tenders, and the time that invitations left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Final

from events.responses import RouteStep
from services.domain.programme.funnel import coalition_of, memberships
from services.domain.programme.records import RecordedAnswer
from services.domain.programme.shares import PlanHistory

YEAR_DAYS: Final = 365
USUAL_REPLY_DAYS: Final = 20
_YES_OR_NO: Final = ("accept", "decline")


@dataclass(frozen=True, slots=True)
class Routes:
    """Plans that went to market in the last year, and what was recorded of their routes by then."""

    tendered: int
    with_record: int
    framework_checked: int


@dataclass(frozen=True, slots=True)
class Invitations:
    """Invitations in all: the working days they left, and the answers of those who were asked.

    `working_days` and `days_to_answer` are medians, None of none.
    """

    sent: int
    short: int
    working_days: float | None
    days_to_answer: float | None
    asked: int
    accepted: int
    declined: int

    @property
    def silent(self) -> int:
        """Who was asked and has said nothing yet."""
        return self.asked - self.accepted - self.declined


def routes(plans: Mapping[str, PlanHistory], answers: Sequence[RecordedAnswer], as_of: date) -> Routes:
    """The routes of the plans that their authorities have sent and that were tendered in the last year."""
    since = as_of - timedelta(days=YEAR_DAYS)
    tendered = {
        one.plan_id: one.tendering_on
        for one in plans.values()
        if one.first_shared is not None and one.tendering_on is not None and since < one.tendering_on <= as_of
    }
    recorded: dict[str, set[RouteStep]] = {}
    for one in answers:
        day = tendered.get(one.plan_id)
        if one.route_step is not None and day is not None and one.on <= day:
            recorded.setdefault(one.plan_id, set()).add(one.route_step)
    return Routes(
        tendered=len(tendered),
        with_record=len(recorded),
        framework_checked=sum(RouteStep.FRAMEWORK in steps for steps in recorded.values()),
    )


def invitations(answers: Sequence[RecordedAnswer]) -> Invitations:
    """What became of the invitations. Whom one without names asked is known by the answers alone."""
    sent = [one for one in answers if one.kind == "invited"]
    leads = {one.plan_id for one in sent}
    accepted = {plan_id for coalition in memberships(answers) for plan_id in coalition.joined} - leads
    declined = {one.plan_id for one in answers if one.kind == "decline"} - accepted
    named = {plan_id for one in sent for plan_id in one.invited}
    left = [one.reply_days or USUAL_REPLY_DAYS for one in sent]
    taken = _days_to_answer(answers)
    return Invitations(
        sent=len(sent),
        short=sum(days < USUAL_REPLY_DAYS for days in left),
        working_days=float(median(left)) if left else None,
        days_to_answer=float(median(taken)) if taken else None,
        asked=len(named | accepted | declined),
        accepted=len(accepted),
        declined=len(declined),
    )


def _days_to_answer(answers: Sequence[RecordedAnswer]) -> list[int]:
    """From each invitation to the first yes or no of each plan that it asked, in days."""
    invited = {coalition_of(one): one.on for one in answers if one.kind == "invited"}
    first: dict[tuple[str, str], date] = {}
    for one in answers:
        if one.kind in _YES_OR_NO and one.subject_id in invited:
            day = first.get((one.subject_id, one.plan_id), one.on)
            first[one.subject_id, one.plan_id] = min(day, one.on)
    return [(day - invited[coalition_id]).days for (coalition_id, _), day in first.items()]
