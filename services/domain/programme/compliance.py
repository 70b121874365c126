"""The third and fourth principles in numbers: routes recorded before tenders, and the time to answer invitations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from events.responses import RouteStep
from services.domain.programme.funnel import memberships
from services.domain.programme.records import RecordedAnswer
from services.domain.programme.shares import PlanHistory

YEAR_DAYS: Final = 365
USUAL_REPLY_DAYS: Final = 20


@dataclass(frozen=True, slots=True)
class Routes:
    """Plans tendered in the last year, and the routes recorded for them by then."""

    tendered: int
    with_record: int
    framework_checked: int


@dataclass(frozen=True, slots=True)
class Invitations:
    """All invitations: how many gave too few working days, and the answers of the invited."""

    sent: int
    short: int
    asked: int
    accepted: int
    declined: int

    @property
    def silent(self) -> int:
        """Invited plans without an answer."""
        return self.asked - self.accepted - self.declined


def routes(plans: Mapping[str, PlanHistory], answers: Sequence[RecordedAnswer], as_of: date) -> Routes:
    """The routes of shared plans that were tendered in the last year."""
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
    """The outcome of the invitations. If an invitation names no plans, only the answers show who was invited."""
    sent = [one for one in answers if one.kind == "invited"]
    leads = {one.plan_id for one in sent}
    accepted = {plan_id for coalition in memberships(answers) for plan_id in coalition.joined} - leads
    declined = {one.plan_id for one in answers if one.kind == "decline"} - accepted
    named = {plan_id for one in sent for plan_id in one.invited}
    return Invitations(
        sent=len(sent),
        short=sum((one.reply_days or USUAL_REPLY_DAYS) < USUAL_REPLY_DAYS for one in sent),
        asked=len(named | accepted | declined),
        accepted=len(accepted),
        declined=len(declined),
    )
