"""The third and fourth principles in numbers: routes recorded before tenders, and the time to answer invitations."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Final

from events.responses import AnswerKind, MembershipAct, RouteStep
from matching.calendar import nation_of, working_days_between
from services.domain.programme.funnel import coalition_of, memberships
from services.domain.programme.records import RecordedAnswer
from services.domain.programme.shares import PlanHistory

YEAR_DAYS: Final = 365
USUAL_REPLY_DAYS: Final = 20
_INVITATIONS: Final = ("invited", "convened")
_YES: Final = (MembershipAct.ACCEPT, MembershipAct.JOIN)
_NO: Final = (MembershipAct.DECLINE, AnswerKind.NOT_THE_SAME, AnswerKind.NOT_THIS_TIME)


@dataclass(frozen=True, slots=True)
class Routes:
    """Plans tendered in the last year, and the routes recorded for them by then."""

    tendered: int
    with_record: int
    framework_checked: int


@dataclass(frozen=True, slots=True)
class Invitations:
    """All invitations: how many gave too few working days, and the answers of the invited.

    `working_days` and `days_to_answer` are medians; None without any.
    """

    sent: int
    short: int
    working_days: float | None
    days_to_answer: float | None
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
    sent = [one for one in answers if one.kind in _INVITATIONS]
    leads = {(coalition_of(one), one.plan_id) for one in sent}
    asked = {(coalition_of(one), plan_id) for one in sent for plan_id in one.asked}
    joined = {(one.coalition_id, plan_id) for one in memberships(answers) for plan_id in one.joined} - leads
    declined = {(coalition_of(one), one.plan_id) for one in answers if one.kind in _NO} & asked - joined
    left = {(coalition_of(one), one.plan_id) for one in answers if one.kind == MembershipAct.LEAVE} - joined
    days_left = [days for one in sent if (days := _days_left(one)) is not None]
    days_taken = _days_to_answer(answers, asked)
    return Invitations(
        sent=len(sent),
        short=sum(days < USUAL_REPLY_DAYS for days in days_left),
        working_days=float(median(days_left)) if days_left else None,
        days_to_answer=float(median(days_taken)) if days_taken else None,
        asked=len(_plans(asked | joined)),
        accepted=len(_plans(joined)),
        declined=len(_plans(declined)),
        silent=len(_plans(asked) - _plans(joined | declined | left)),
    )


def _days_to_answer(answers: Sequence[RecordedAnswer], asked: Collection[tuple[str, str]]) -> list[int]:
    """The days from each invitation to the first yes or no of each plan that it asked."""
    invited: dict[str, date] = {}
    first: dict[tuple[str, str], date] = {}
    for one in answers:
        if one.kind in _INVITATIONS:
            invited.setdefault(coalition_of(one), one.on)
        elif one.kind in (*_YES, *_NO) and (coalition_of(one), one.plan_id) in asked:
            first.setdefault((coalition_of(one), one.plan_id), one.on)
    return [(day - invited[coalition_id]).days for (coalition_id, _), day in first.items()]


def _plans(found: Iterable[tuple[str, str]]) -> set[str]:
    """The plans of coalitions and plans."""
    return {plan_id for _, plan_id in found}


def _days_left(invitation: RecordedAnswer) -> int | None:
    """The working days to answer, in the inviting authority's nation; None if the last day was not recorded."""
    if invitation.reply_by is None:
        return None
    return working_days_between(invitation.on, invitation.reply_by, {nation_of(invitation.authority)})
