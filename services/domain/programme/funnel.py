"""The funnel from an email to an award, plan by plan; precision by the answers; and the value of the matches."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from statistics import median
from typing import Final

from events.responses import AnswerKind, MembershipAct
from matching.assessment import Band
from services.domain.ids import pair_coalition_id
from services.domain.programme.records import RecordedAnswer, RecordedPair, RevisionKind, SentEmail
from services.domain.programme.shares import PlanHistory

ANSWERS: Final = tuple(AnswerKind)
_INTEREST: Final = (AnswerKind.INTERESTED, AnswerKind.OTHER_DATES)
_IN: Final = (MembershipAct.ACCEPT, MembershipAct.JOIN, "invited")
_OUT: Final = (MembershipAct.LEAVE, MembershipAct.DECLINE)


class Stage(StrEnum):
    """A plan's stage on the way to a joint contract."""

    TOLD = "told"
    ANSWERED = "answered"
    MUTUAL = "mutual interest"
    COALITION = "in a coalition"
    MARKET = "in the market together"
    AWARDED = "awarded together"


Days = Mapping[Stage, Mapping[str, date]]
"""By stage, the first day on which each plan reached it."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A coalition derived from its answers: the plans in it now with the day each joined, and the one that leads."""

    coalition_id: str
    joined: Mapping[str, date]
    lead: str | None = None

    @property
    def formed_on(self) -> date | None:
        """The day on which it had two members."""
        days = sorted(self.joined.values())
        return days[1] if len(days) > 1 else None


def memberships(answers: Iterable[RecordedAnswer]) -> list[Membership]:
    """Derive coalitions from answers in their order. An invitation to one partner starts a coalition of its own."""
    found: dict[str, dict[str, date]] = {}
    leads: dict[str, str] = {}
    for one in answers:
        if one.kind == "invited":
            leads.setdefault(coalition_of(one), one.plan_id)
        elif one.kind == MembershipAct.LEAD:
            leads[coalition_of(one)] = one.plan_id
        if one.kind in _IN:
            found.setdefault(coalition_of(one), {}).setdefault(one.plan_id, one.on)
        elif one.kind in _OUT:
            found.get(coalition_of(one), {}).pop(one.plan_id, None)
    return [Membership(coalition_id, joined, leads.get(coalition_id)) for coalition_id, joined in sorted(found.items())]


def coalition_of(one: RecordedAnswer) -> str:
    """The coalition that a response is about. An invitation on an opportunity derives a new id from the response's."""
    if one.subject == "opportunity":
        return pair_coalition_id(one.acting_party or one.authority, one.response_id, one.subject_id)
    return one.subject_id


def reach(
    plans: Mapping[str, PlanHistory],
    emails: Iterable[SentEmail],
    answers: Sequence[RecordedAnswer],
) -> Days:
    """The first day on which each plan reached each stage. All records are from up to the day of the plans."""
    told: dict[str, date] = {}
    for email in sorted(emails, key=lambda one: one.on):
        told.setdefault(email.plan_id, email.on)
    answered: dict[str, date] = {}
    for one in sorted(answers, key=lambda one: one.on):
        if one.kind in (*ANSWERS, *_IN, *_OUT):
            answered.setdefault(one.plan_id, one.on)
    together = _together(answers, plans)
    market = {
        plan_id: max(joined, day)
        for plan_id, joined in together.items()
        if plan_id in plans and (day := plans[plan_id].tendering_on) is not None
    }
    awarded = {
        plan_id: plans[plan_id].last.on
        for plan_id in together
        if plan_id in plans and plans[plan_id].last.kind is RevisionKind.AWARDED
    }
    return {
        Stage.TOLD: told,
        Stage.ANSWERED: answered,
        Stage.MUTUAL: _mutual(answers) | _earlier(together, _mutual(answers)),
        Stage.COALITION: together,
        Stage.MARKET: market,
        Stage.AWARDED: awarded,
    }


def days_between(days: Days, before: Stage, after: Stage) -> float | None:
    """The median days from one stage to a later one, over plans that reached both; None if no plan did."""
    taken = [
        (reached - days[before][plan_id]).days for plan_id, reached in days[after].items() if plan_id in days[before]
    ]
    return float(median(taken)) if taken else None


def count_answers(answers: Iterable[RecordedAnswer]) -> dict[str, int]:
    """How often each answer, act or type of response was recorded; routes have measures of their own."""
    return dict(sorted(Counter(one.kind for one in answers if one.route_step is None).items()))


def count_reasons(answers: Iterable[RecordedAnswer]) -> dict[str, int]:
    """Count how often each reason was given."""
    return dict(sorted(Counter(one.reason for one in answers if one.reason).items()))


def precision(answers: Iterable[RecordedAnswer], pairs: Iterable[RecordedPair]) -> dict[str, tuple[int, int]]:
    """By band: the number of pairs with an answer, and of those without a "not the same thing".

    An answer to a coalition counts for each pair of the authority's plan and another member's.
    """
    said: dict[frozenset[str], set[str]] = {}
    for one in answers:
        if one.kind in ANSWERS:
            for other in one.about:
                said.setdefault(frozenset((one.plan_id, other)), set()).add(one.kind)
    found: dict[str, tuple[int, int]] = {}
    for pair in pairs:
        kinds = said.get(frozenset(pair.plans))
        if kinds:
            judged, right = found.get(pair.band, (0, 0))
            found[pair.band] = (judged + 1, right + (AnswerKind.NOT_THE_SAME not in kinds))
    return dict(sorted(found.items()))


def potential(plans: Mapping[str, PlanHistory], pairs: Iterable[RecordedPair], as_of: date) -> tuple[int, float]:
    """The number of active plans in a digest or notify pair on a day, and their value, each plan counted once."""
    matched = {
        plan_id
        for pair in pairs
        if pair.band in (Band.NOTIFY, Band.DIGEST) and pair.found_on <= as_of and (pair.ended_on or date.max) > as_of
        for plan_id in pair.plans
    }
    standing = [plans[plan_id] for plan_id in matched if plan_id in plans and plans[plan_id].is_active]
    return len(standing), sum_values(standing)


def sum_values(plans: Iterable[PlanHistory]) -> float:
    """The total value of plans in pounds; unknown values count as zero."""
    return float(sum(one.state.value or 0.0 for one in plans if one.state))


def _together(answers: Iterable[RecordedAnswer], plans: Mapping[str, PlanHistory]) -> dict[str, date]:
    """Since when each plan is in a coalition of two or more. One that was withdrawn, or that went to market before the
    lead, is in none."""
    found: dict[str, date] = {}
    for whole in memberships(answers):
        lead = plans.get(whole.lead or "")
        one = replace(whole, joined={key: day for key, day in whole.joined.items() if _is_in(plans.get(key), lead)})
        if one.formed_on is not None:
            for plan_id, joined in one.joined.items():
                day = max(joined, one.formed_on)
                found[plan_id] = min(day, found.get(plan_id, day))
    return found


def _is_in(plan: PlanHistory | None, lead: PlanHistory | None) -> bool:
    """Whether a plan is still its coalition's: shared, and not at market on its own. The lead's notice is joint."""
    if plan is None:
        return True
    is_awarded = plan.last.kind is RevisionKind.AWARDED
    if plan.last.kind is RevisionKind.WITHDRAWN or not (is_awarded or plan.last.shared):
        return False
    went = plan.tendering_on or (plan.last.on if is_awarded else None)
    if went is None or lead is None or plan.plan_id == lead.plan_id:
        return True
    return lead.tendering_on is not None and lead.tendering_on <= went


def _mutual(answers: Iterable[RecordedAnswer]) -> dict[str, date]:
    """Plans with mutual interest: another plan's authority is interested in the same thing; the day both were."""
    interested: dict[str, dict[str, date]] = {}
    for one in answers:
        if one.kind in _INTEREST:
            interested.setdefault(one.subject_id, {}).setdefault(one.plan_id, one.on)
    found: dict[str, date] = {}
    for plans in interested.values():
        for plan_id, day in plans.items():
            others = [other for key, other in plans.items() if key != plan_id]
            if others:
                since = max(day, min(others))
                found[plan_id] = min(since, found.get(plan_id, since))
    return found


def _earlier(one: Mapping[str, date], other: Mapping[str, date]) -> dict[str, date]:
    """A coalition counts as mutual interest, from the earlier of the two days."""
    return {plan_id: min(day, other.get(plan_id, day)) for plan_id, day in one.items()}
