"""Loads the present facts of the plans in an email, and the groups suggested around its reader's plans."""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionState, CoalitionStatus
from matching.plan import Status
from services.domain.disclosure import is_open, plan_facts
from services.domain.reorganisation import say_consent, waits_for_person
from services.notifier.partner_names import names_of
from services.notifier.rendering.need_council import SuggestedGroup
from services.notifier.rendering.opportunity_view import DisclosedFacts
from services.store import coalitions, introductions, plans
from services.store.authorities import Mutes
from services.store.mapping import plan_from_store
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord


@dataclass(frozen=True, slots=True)
class PlanDetails:
    """The plans by id, the group suggested around each of the reader's own plans, and the ids of opportunities whose
    authorities were introduced to each other."""

    plans: Mapping[str, PlanRecord]
    groups: Mapping[str, SuggestedGroup]
    introduced: Set[str]

    def consent(self, plan_id: str, today: date) -> tuple[str, ...]:
        """What an authority that is to be dissolved has to know of its plan's contract."""
        stored = self.plans.get(plan_id)
        plan = plan_from_store(stored) if stored is not None else None
        said = say_consent(plan, today) if plan is not None else None
        return (said,) if said else ()

    def disclosed(self, stands: Opportunity, authority: str) -> DisclosedFacts | None:
        """The present facts of both plans of an opportunity for `authority`; None if they are not stored."""
        own, other = own_and_other(stands, authority)
        if own not in self.plans or other not in self.plans:
            return None
        introduced = stands.opportunity_id in self.introduced
        return DisclosedFacts(
            plan_facts(self.plans[own].state, introduced=introduced),
            plan_facts(self.plans[other].state, introduced=introduced),
            other if introduced else None,
        )


async def load(
    session: AsyncSession, authority: str, stands: Sequence[Opportunity], muted: Mutes, today: date
) -> PlanDetails:
    """Load the details that an email to `authority` about these opportunities may show."""
    pairs = [own_and_other(one, authority) for one in stands]
    partners: dict[str, set[str]] = {}
    for own, other in pairs:
        partners.setdefault(own, set()).add(other)
    suggested = [
        CoalitionState.model_validate(row.payload)
        for row in await coalitions.living_with(session, sorted(partners))
        if row.status == CoalitionStatus.SUGGESTED
    ]
    members = {member.plan_id for state in suggested for member in state.members}
    stored = await plans.by_id(session, members.union(*pairs) if pairs else members)
    names = await names_of(session, {member.authority for state in suggested for member in state.members}, today)
    tellable = [state for state in suggested if _is_tellable(state, authority, stored, names, muted, today)]
    found = {}
    for own, others in partners.items():
        if around := [state for state in tellable if _overlap(state, own, others)]:
            best = max(around, key=lambda state: (_overlap(state, own, others), len(state.members), state.coalition_id))
            found[own] = SuggestedGroup(best, names)
    introduced = await introductions.agreed(session, [one.opportunity_id for one in stands])
    return PlanDetails(stored, found, introduced)


def own_and_other(stands: Opportunity, authority: str) -> tuple[str, str]:
    """The reader's own plan of an opportunity, and the other one."""
    both = stands.plan_a, stands.plan_b
    return both if stands.authority_a == authority else (both[1], both[0])


def _overlap(state: CoalitionState, own: str, others: Collection[str]) -> int:
    """The number of the reader's partners in a group with its own plan; 0 if its plan is not in the group."""
    members = {member.plan_id for member in state.members}
    return len(members & set(others)) if own in members else 0


def _is_tellable(
    state: CoalitionState,
    authority: str,
    stored: Mapping[str, PlanRecord],
    names: Mapping[str, str],
    muted: Mutes,
    today: date,
) -> bool:
    """Whether a group may be shown: its plans are active and open, its councils are known and not muted."""
    for member in state.members:
        plan = stored.get(member.plan_id)
        if plan is None or plan.status != Status.ACTIVE or not is_open(plan.state):
            return False
        unwanted = member.authority not in names or muted.includes(member.authority, "")
        if member.authority != authority and (unwanted or waits_for_person(member.authority, today)):
            return False
    return True
