"""The third and fourth principles in numbers: routes recorded before tenders, and the time to answer invitations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from events.responses import RouteStep
from services.domain.calendar import nation_of, working_days_between
from services.domain.programme.funnel import coalition_of, memberships
from services.domain.programme.records import RecordedAnswer
from services.domain.programme.shares import PlanHistory

YEAR_DAYS: Final = 365
USUAL_REPLY_DAYS: Final = 20
_NO: Final = ("decline", "not-the-same", "not-this-time")


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
    silent: int


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
    """The outcome of the invitations, of each plan once."""
    sent = [one for one in answers if one.kind == "invited"]
    leads = {(coalition_of(one), one.plan_id) for one in sent}
    asked = {(coalition_of(one), plan_id) for one in sent for plan_id in one.asked}
    joined = {(one.coalition_id, plan_id) for one in memberships(answers) for plan_id in one.joined} - leads
    declined = {(coalition_of(one), one.plan_id) for one in answers if one.kind in _NO} & asked - joined
    left = {(coalition_of(one), one.plan_id) for one in answers if one.kind == "leave"} - joined
    return Invitations(
        sent=len(sent),
        short=sum(_is_short(one) for one in sent),
        asked=len(_plans(asked | joined)),
        accepted=len(_plans(joined)),
        declined=len(_plans(declined)),
        silent=len(_plans(asked) - _plans(joined | declined | left)),
    )


def _plans(found: Iterable[tuple[str, str]]) -> set[str]:
    """The plans of coalitions and plans."""
    return {plan_id for _, plan_id in found}


def _is_short(invitation: RecordedAnswer) -> bool:
    """Whether an invitation left less than the usual time, by the holidays of whoever invited."""
    if invitation.reply_by is None:
        return False
    left = working_days_between(invitation.on, invitation.reply_by, {nation_of(invitation.authority)})
    return left < USUAL_REPLY_DAYS
