"""The state of a coalition, and how plans, the engine and the calendar change it. Pure.

    suggested -> inviting -> formed -> frozen -> awarded
    any of these -> dissolved; inviting -> lapsed if the reply-by passes and fewer than two have accepted

The acts of people are in `coalition_answers`. Every function returns the next state, or the same object if none.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from events.coalitions import CoalitionStatus, MemberState, ProposalKind
from matching.calendar import Nation, nations_of
from matching.text.formatting import format_date
from services.domain.deadlines import CoalitionDates

MIN_MEMBERS: Final = 2
MAX_MEMBERS: Final = 8


LIVING: Final = frozenset(
    {CoalitionStatus.SUGGESTED, CoalitionStatus.INVITING, CoalitionStatus.FORMED, CoalitionStatus.FROZEN}
)
HOLDING: Final = (CoalitionStatus.FORMED, CoalitionStatus.FROZEN)
"""The statuses in which a coalition has its plans to itself."""
AGREED: Final = (*HOLDING, CoalitionStatus.AWARDED)
"""The statuses of a coalition whose members have agreed, up to its contract."""


CURRENT: Final = (MemberState.SUGGESTED, MemberState.INVITED, MemberState.ACCEPTED)
"""The states of members that have accepted or still can."""


class PlanChange(StrEnum):
    """A change of a member's plan that the coalition reacts to."""

    WITHDRAWN = "withdrawn"
    TENDERING = "tendering"
    AWARDED = "awarded"


@dataclass(frozen=True, slots=True)
class Member:
    """One plan in a coalition. `answer`: its authority's last answer that binds nobody. `invited_on`: the day of the
    last invitation to it."""

    plan_id: str
    authority: str
    state: MemberState = MemberState.SUGGESTED
    committed: bool = False
    answer: str | None = None
    invited_on: date | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A finding of the engine after people began to act. It changes nothing by itself."""

    kind: ProposalKind
    plan_id: str
    authority: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """The question put to the members, and the last day to answer it. `by`: the plan whose authority invited, None
    where the party `convened_by` did."""

    by: str | None
    invited_on: date
    reply_by: date
    scope: str = ""
    route: str = ""
    convened_by: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A group suggested by the engine. `lead`: the plan suggested to bring the others together."""

    members: tuple[tuple[str, str], ...]
    earliest: date
    latest: date
    dates: CoalitionDates
    lead: str
    explanation: str

    @property
    def plan_ids(self) -> frozenset[str]:
        """The plans of the group."""
        return frozenset(plan_id for plan_id, _ in self.members)


_LEAD_ORDER: Final = {"lead": 0, None: 1, "none": 1, "join": 2}


def suggest_lead(plans: Mapping[str, tuple[str | None, float | None]]) -> str:
    """Suggest the lead among plans with their `preference` and value.

    Plans that offer to lead come first, and plans that would rather join come last. Ties go to the larger value.
    """
    return min(plans, key=lambda one: (_LEAD_ORDER[plans[one][0]], -(plans[one][1] or 0.0), one))


@dataclass(frozen=True, slots=True)
class Coalition:
    """One coalition in its current state. `members` are ordered by plan id and include former ones.

    `terms_revision` rises with every change of what people agree to: members asked, dates and lead. An answer to older
    terms is stale. Once a person has acted (`touched`), the engine only proposes. `revivals` counts the undos that
    brought it back after its end.
    """

    coalition_id: str
    status: CoalitionStatus
    members: tuple[Member, ...]
    earliest: date
    latest: date
    dates: CoalitionDates
    lead: str | None
    explanation: str
    terms_revision: int = 1
    touched: bool = False
    invitation: Invitation | None = None
    proposals: tuple[Proposal, ...] = ()
    ended_because: str | None = None
    revivals: int = 0

    def member(self, plan_id: str) -> Member | None:
        """The member with this plan."""
        return next((member for member in self.members if member.plan_id == plan_id), None)

    def names(self, plan_id: str) -> bool:
        """Whether the plan is or was a member, or is proposed."""
        return self.member(plan_id) is not None or any(one.plan_id == plan_id for one in self.proposals)

    def in_state(self, *states: MemberState) -> tuple[Member, ...]:
        """The members in one of these states."""
        return tuple(member for member in self.members if member.state in states)

    @property
    def accepted(self) -> tuple[Member, ...]:
        """The members that have accepted."""
        return self.in_state(MemberState.ACCEPTED)

    @property
    def current(self) -> tuple[Member, ...]:
        """The members that have accepted or still can."""
        return self.in_state(*CURRENT)

    @property
    def is_living(self) -> bool:
        """Whether the coalition has not ended."""
        return self.status in LIVING

    @property
    def nations(self) -> frozenset[Nation]:
        """The nations whose bank holidays count."""
        return nations_of(member.authority for member in self.current)


def suggest(coalition_id: str, suggestion: Suggestion) -> Coalition:
    """Create a coalition from a group that the engine suggests."""
    return Coalition(
        coalition_id=coalition_id,
        status=CoalitionStatus.SUGGESTED,
        members=tuple(Member(plan_id, authority) for plan_id, authority in sorted(suggestion.members)),
        earliest=suggestion.earliest,
        latest=suggestion.latest,
        dates=suggestion.dates,
        lead=suggestion.lead,
        explanation=suggestion.explanation,
    )


def revise(coalition: Coalition, suggestion: Suggestion) -> Coalition:
    """Update the coalition with the group that the engine now finds for it.

    Until a person has acted, the group replaces the members. Afterwards it only becomes proposals.
    """
    if not coalition.is_living or coalition.status is CoalitionStatus.FROZEN:
        return coalition
    if coalition.touched:
        return replace(coalition, proposals=_proposals(coalition, suggestion))
    known = {member.plan_id: member for member in coalition.members}
    members = tuple(known.get(plan_id, Member(plan_id, authority)) for plan_id, authority in sorted(suggestion.members))
    revised = replace(
        coalition,
        members=members,
        earliest=suggestion.earliest,
        latest=suggestion.latest,
        dates=suggestion.dates,
        lead=suggestion.lead,
        explanation=suggestion.explanation,
    )
    return _with_new_terms(coalition, revised)


def release(coalition: Coalition, because: str) -> Coalition:
    """Handle the loss of the engine's group: an untouched suggestion is dissolved, other coalitions stand.

    Without a group no other plan fits, so none is proposed any more.
    """
    if coalition.status is CoalitionStatus.SUGGESTED and not coalition.touched:
        return end(coalition, CoalitionStatus.DISSOLVED, because)
    proposals = tuple(one for one in coalition.proposals if one.kind is not ProposalKind.FITS_TOO)
    return coalition if proposals == coalition.proposals else replace(coalition, proposals=proposals)


def apply_plan_change(coalition: Coalition, plan_id: str, change: PlanChange) -> Coalition:
    """Update the coalition after a member's plan was withdrawn, went to tender or was awarded."""
    member = coalition.member(plan_id)
    if member is None or not coalition.is_living:
        return coalition
    leads = plan_id == coalition.lead and member.state is MemberState.ACCEPTED
    if leads and change is not PlanChange.WITHDRAWN:
        return _after_notice(coalition, change)
    if coalition.status is CoalitionStatus.FROZEN and change is not PlanChange.WITHDRAWN:
        # The joint notice speaks for every member: its tender and award are theirs.
        return coalition
    if member not in coalition.current:
        return coalition
    gone = replace_member(coalition, replace(member, state=MemberState.WITHDRAWN))
    return settle(replace(gone, lead=None if plan_id == coalition.lead else coalition.lead))


def pass_day(coalition: Coalition, today: date) -> Coalition:
    """Update the coalition for a day: overdue answers lapse, and never count as a yes.

    A suggestion ends once its day to decide by has passed, because nobody can invite any more.
    """
    if coalition.status is CoalitionStatus.SUGGESTED and today > coalition.dates.decide_by:
        because = f"All would have had to decide by {format_date(coalition.dates.decide_by)}."
        return end(coalition, CoalitionStatus.DISSOLVED, because)
    invitation = coalition.invitation
    if invitation is None or not coalition.is_living or today <= invitation.reply_by:
        return coalition
    overdue = coalition.in_state(MemberState.INVITED)
    if not overdue:
        return coalition
    for member in overdue:
        coalition = replace_member(coalition, replace(member, state=MemberState.LAPSED))
    if coalition.status is CoalitionStatus.INVITING and len(coalition.accepted) < MIN_MEMBERS:
        because = f"Nobody else answered by {invitation.reply_by.isoformat()}."
        return end(coalition, CoalitionStatus.LAPSED, because)
    return settle(coalition)


def settle(coalition: Coalition) -> Coalition:
    """Set the status that follows from the members' states."""
    if coalition.status is CoalitionStatus.SUGGESTED:
        if len(coalition.current) < MIN_MEMBERS:
            return end(coalition, CoalitionStatus.DISSOLVED, "Fewer than two plans are left.")
        return coalition
    waiting, accepted = coalition.in_state(MemberState.INVITED), coalition.accepted
    if coalition.status is CoalitionStatus.FROZEN and coalition.lead is None:
        because = "The lead is out after its tender notice: the others each need a notice of their own."
        return end(coalition, CoalitionStatus.DISSOLVED, because)
    if waiting or not coalition.is_living:
        return coalition
    if len(accepted) < MIN_MEMBERS:
        return end(coalition, CoalitionStatus.DISSOLVED, "Fewer than two authorities are in.")
    if coalition.status is CoalitionStatus.INVITING:
        return replace(coalition, status=CoalitionStatus.FORMED)
    return coalition


def drop_members(coalition: Coalition, plan_ids: Collection[str]) -> Coalition:
    """Take out members whose plans are in another coalition that has formed: the first to form keeps a plan."""
    for member in coalition.accepted:
        if member.plan_id in plan_ids:
            coalition = replace_member(coalition, replace(member, state=MemberState.LEFT, committed=False))
    return settle(replace(coalition, lead=None if coalition.lead in plan_ids else coalition.lead))


def end(coalition: Coalition, status: CoalitionStatus, because: str) -> Coalition:
    """End the coalition for a reason."""
    return replace(coalition, status=status, ended_because=because, proposals=())


def replace_member(coalition: Coalition, changed: Member) -> Coalition:
    """Replace one member, or add it."""
    others = [member for member in coalition.members if member.plan_id != changed.plan_id]
    return replace(coalition, members=tuple(sorted((*others, changed), key=lambda member: member.plan_id)))


def _after_notice(coalition: Coalition, change: PlanChange) -> Coalition:
    """The lead's tender notice names every member, so nobody joins any more; its award ends the coalition."""
    if change is PlanChange.AWARDED and coalition.status is CoalitionStatus.FROZEN:
        return end(coalition, CoalitionStatus.AWARDED, "The joint contract has been awarded.")
    if coalition.status is CoalitionStatus.FROZEN:
        return coalition
    for member in coalition.in_state(MemberState.INVITED, MemberState.SUGGESTED):
        coalition = replace_member(coalition, replace(member, state=MemberState.LAPSED))
    if len(coalition.accepted) < MIN_MEMBERS:
        return end(coalition, CoalitionStatus.DISSOLVED, "The lead went to market before anybody else was in.")
    if change is PlanChange.AWARDED:
        return end(coalition, CoalitionStatus.AWARDED, "The joint contract has been awarded.")
    return replace(coalition, status=CoalitionStatus.FROZEN, proposals=())


def _with_new_terms(before: Coalition, after: Coalition) -> Coalition:
    changed = (before.members, before.dates, before.lead) != (after.members, after.dates, after.lead)
    return replace(after, terms_revision=before.terms_revision + 1) if changed else after


def _proposals(coalition: Coalition, suggestion: Suggestion) -> tuple[Proposal, ...]:
    known = {member.plan_id for member in coalition.members}
    missing = [member for member in coalition.current if member.plan_id not in suggestion.plan_ids]
    found = [
        Proposal(ProposalKind.FITS_TOO, plan_id, authority, "This plan fits the group, too.")
        for plan_id, authority in sorted(suggestion.members)
        if plan_id not in known
    ]
    found += [
        Proposal(ProposalKind.STILL_IN, member.plan_id, member.authority, "This plan no longer fits all. Still in?")
        for member in missing
    ]
    return tuple(found)
