"""The first principle in numbers: how early plans are shared, by how many authorities, and whether they are current."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from statistics import median
from typing import Final

from services.domain.programme.records import CharterStatus, ProgrammeRevision, RevisionKind, Signatory, status_on

STALE_DAYS: Final = 182
"""Six months: an authority is asked about a plan that it has not confirmed for longer."""
RECENT_DAYS: Final = 90
TENDERS_DAYS: Final = 365


class Lateness(StrEnum):
    """The time between the first sharing of a plan and the first day of its tender window."""

    OVER_12_MONTHS = "over 12 months"
    FROM_6_TO_12_MONTHS = "6 to 12 months"
    UNDER_6_MONTHS = "under 6 months"
    UNDER_90_DAYS = "under 90 days"
    AFTER = "after the window opened"


@dataclass(frozen=True, slots=True)
class PlanHistory:
    """One plan in its state on a day. `first_shared` and `last_own` are the days its authority first shared it and last
    sent a revision; `state` is the last full revision."""

    plan_id: str
    authority: str
    first_shared: date | None
    last_own: date | None
    state: ProgrammeRevision | None
    last: ProgrammeRevision
    tendering_on: date | None

    @property
    def is_active(self) -> bool:
        """Whether it is neither withdrawn nor awarded."""
        return self.last.kind is RevisionKind.STATE

    @property
    def lead_days(self) -> int | None:
        """Days from the first sharing to the window's first day; negative if the window was open already."""
        if self.first_shared is None or self.state is None or self.state.earliest is None:
            return None
        return (self.state.earliest - self.first_shared).days


@dataclass(frozen=True, slots=True)
class Coverage:
    """Numbers of signatories: all, sharing plans, with a mailbox; and of their tenders: all, and shared beforehand."""

    signed: int
    sharing: int
    mailboxes: int
    tenders: int
    tenders_foreseen: int


def build_histories(revisions: Iterable[ProgrammeRevision], as_of: date) -> dict[str, PlanHistory]:
    """Build each plan's history from its revisions up to a day, given in the order of the log."""
    by_plan: dict[str, list[ProgrammeRevision]] = {}
    for one in revisions:
        if one.on <= as_of:
            by_plan.setdefault(one.plan_id, []).append(one)
    return {plan_id: _history(logged) for plan_id, logged in by_plan.items()}


def lateness(days: int) -> Lateness:
    """Classify a number of days."""
    if days < 0:
        return Lateness.AFTER
    if days < 90:
        return Lateness.UNDER_90_DAYS
    if days < 182:
        return Lateness.UNDER_6_MONTHS
    return Lateness.FROM_6_TO_12_MONTHS if days <= 365 else Lateness.OVER_12_MONTHS


def lead_days(plans: Iterable[PlanHistory]) -> list[int]:
    """The days that each plan was shared ahead, for plans that were shared and have a window."""
    return sorted(days for plan in plans if (days := plan.lead_days) is not None)


def count_lateness(days: Sequence[int]) -> dict[Lateness, int]:
    """The number of plans in each class."""
    return {kind: sum(lateness(one) is kind for one in days) for kind in Lateness}


def median_days(days: Sequence[int]) -> float | None:
    """The median; None if there are no days."""
    return float(median(days)) if days else None


def shared_now(plans: Iterable[PlanHistory]) -> list[PlanHistory]:
    """The active plans that their authorities share."""
    return [one for one in plans if one.is_active and one.last_own is not None and one.state and one.state.shared]


def stale(plans: Iterable[PlanHistory], as_of: date) -> list[PlanHistory]:
    """The shared plans without a revision from their authority for six months, oldest first."""
    limit = as_of - timedelta(days=STALE_DAYS)
    found = [one for one in shared_now(plans) if one.last_own is not None and one.last_own < limit]
    return sorted(found, key=lambda one: (one.last_own or as_of, one.plan_id))


def coverage(plans: Mapping[str, PlanHistory], register: Iterable[Signatory], as_of: date) -> Coverage:
    """The coverage on a day. Its tenders are signatories' ICT tenders announced by notices of the last year."""
    signed = {one.authority: one for one in register if status_on(one, as_of) is CharterStatus.SIGNED}
    recent = as_of - timedelta(days=RECENT_DAYS)
    sharing = {one.authority for one in plans.values() if one.last_own is not None and one.last_own > recent}
    tenders = [one for one in plans.values() if one.authority in signed and _is_recent_tender(one, as_of)]
    return Coverage(
        signed=len(signed),
        sharing=len(sharing & signed.keys()),
        mailboxes=sum(one.mailbox for one in signed.values()),
        tenders=len(tenders),
        tenders_foreseen=sum(_was_foreseen(one, plans.values()) for one in tenders),
    )


def _history(logged: Sequence[ProgrammeRevision]) -> PlanHistory:
    own = [one for one in logged if one.own]
    shared = [one.on for one in own if one.shared]
    states = [one for one in logged if one.kind is RevisionKind.STATE]
    tendering = [one.on for one in states if one.tendering]
    return PlanHistory(
        plan_id=logged[0].plan_id,
        authority=logged[0].authority,
        first_shared=min(shared, default=None),
        last_own=max((one.on for one in own), default=None),
        state=states[-1] if states else None,
        last=logged[-1],
        tendering_on=min(tendering, default=None),
    )


def _is_recent_tender(one: PlanHistory, as_of: date) -> bool:
    """Whether only a public notice announced it as an ICT tender in the last year."""
    if one.last_own is not None or one.tendering_on is None or one.state is None:
        return False
    if not one.state.ict or one.state.procurement is None:
        return False
    return as_of - timedelta(days=TENDERS_DAYS) < one.tendering_on <= as_of


def _was_foreseen(tender: PlanHistory, plans: Iterable[PlanHistory]) -> bool:
    """Whether its authority had shared a plan for the same procurement 90 days before."""
    assert tender.tendering_on is not None
    assert tender.state is not None
    limit = tender.tendering_on - timedelta(days=RECENT_DAYS)
    return any(
        one.authority == tender.authority
        and one.state is not None
        and one.state.procurement == tender.state.procurement
        and one.first_shared is not None
        and one.first_shared <= limit
        for one in plans
    )
