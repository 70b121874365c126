"""The first page after sign-in: replies that are due, coalitions, plans and their matches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from events.coalitions import CoalitionMember, CoalitionState, MemberState
from events.fields import Window
from events.opportunities import OpportunityState
from matching.plan import Status
from services.application import coalitions
from services.application.enquiries import EnquiryRecord, list_waiting
from services.application.near_misses import near_miss_sentences
from services.domain.disclosure import PlanFacts, is_open, plan_facts, read_facts, sharing_of
from services.domain.reorganisation import name_on, waits_for_person
from services.store import introductions, opportunities, plan_drafts, plans
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord

LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class OwnPlan:
    """One of the authority's plans. `matches`: how many plans of others match it."""

    plan_id: str
    facts: PlanFacts
    sharing: str
    matches: int
    status: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class OwnDraft:
    """A plan that the authority has begun to enter, not yet published."""

    plan_id: str
    title: str


@dataclass(frozen=True, slots=True)
class OwnCoalition:
    """One coalition, and the authority's own member in it."""

    state: CoalitionState
    own: CoalitionMember

    def has_others(self, today: date) -> bool:
        """Whether another member's plan does not wait for a person."""
        others = [one.authority for one in self.state.members if one.plan_id != self.own.plan_id]
        return not all(waits_for_person(one, today) for one in others)

    @property
    def due_on(self) -> date:
        """The last day on which an answer helps."""
        invitation = self.state.invitation
        return invitation.reply_by if invitation and self.own.state == MemberState.INVITED else self.state.decide_by


@dataclass(frozen=True, slots=True)
class Home:
    """The whole page."""

    due: Sequence[OwnCoalition]
    enquiries: Sequence[EnquiryRecord]
    coalitions: Sequence[OwnCoalition]
    plans: Sequence[OwnPlan]
    drafts: Sequence[OwnDraft]


@dataclass(frozen=True, slots=True)
class Match:
    """One plan of another authority that matches; without `facts` where either shares only that there is a match.

    `waits`: its council has ceased to be, and nobody has taken over the plan yet.
    """

    opportunity_id: str
    council: str
    window: Window
    facts: PlanFacts | None
    strength: str
    near_misses: tuple[str, ...]
    waits: bool


async def load_home(session: AsyncSession, authority: str, at: datetime, today: date, limit: int = LIMIT) -> Home:
    """Load the first page of an authority, with at most `limit` groups, as many replies due, and as many plans."""
    found = _own(await coalitions.listed(session, authority, ended=False, limit=limit), authority)
    # A query of its own: a coalition that waits for an answer may be older than the newest ones.
    waiting = _own(await coalitions.waiting_for(session, authority, limit), authority)
    due = [one for one in waiting if one.has_others(today)]
    begun = [
        OwnDraft(one.plan_id, one.fields["title"]) for one in await plan_drafts.of_authority(session, authority, at)
    ]
    asked = await list_waiting(session, authority, today)
    return Home(due, asked, found, await own_plans(session, authority, today, limit), begun)


async def own_plans(session: AsyncSession, authority: str, today: date, limit: int = LIMIT) -> list[OwnPlan]:
    """The authority's active plans, earliest tender first; at most `limit`."""
    state = col(PlanRecord.state)
    query = (
        select(PlanRecord)
        .where(col(PlanRecord.authority) == authority, col(PlanRecord.status) == Status.ACTIVE, state.is_not(None))
        .order_by(state["tender_window"]["earliest"].as_string(), col(PlanRecord.plan_id))
    )
    rows = (await session.execute(query.limit(limit))).scalars().all()
    partners = await opportunities.active_for_plan(session, [row.plan_id for row in rows])
    counts = {
        plan_id: sum(not waits_for_person(other.partition(":")[0], today) for other in others)
        for plan_id, others in partners.items()
    }
    return [_plan(row, counts.get(row.plan_id, 0)) for row in rows]


async def load_plan(
    session: AsyncSession, authority: str, plan_id: str, today: date, limit: int = LIMIT
) -> tuple[OwnPlan, list[Match]] | None:
    """One of the authority's own plans with its matches, strongest first; None if it has no such plan."""
    row = (await plans.by_id(session, [plan_id])).get(plan_id)
    if row is None or row.authority != authority or not row.state:
        return None
    mine = await opportunities.find(
        session, authority=authority, plan_id=plan_id, band=None, status="active", limit=limit
    )
    stored = await plans.by_id(session, {one for pair in mine for one in (pair.plan_a, pair.plan_b)})
    agreed = await introductions.agreed(session, [one.opportunity_id for one in mine])
    states = {key: plan.state for key, plan in stored.items()}
    matches = [_match(one, authority, states, today, introduced=one.opportunity_id in agreed) for one in mine]
    return _plan(row, sum(not one.waits for one in matches)), matches


def _own(states: Sequence[CoalitionState], authority: str) -> list[OwnCoalition]:
    return [
        OwnCoalition(state, own)
        for state in states
        if (own := next((member for member in state.members if member.authority == authority), None)) is not None
    ]


def _plan(row: PlanRecord, matches: int) -> OwnPlan:
    state: Any = row.state
    return OwnPlan(row.plan_id, read_facts(state), sharing_of(state), matches, row.status, is_open(state))


def _match(row: Opportunity, authority: str, states: Mapping[str, Any], today: date, *, introduced: bool) -> Match:
    payload = OpportunityState.model_validate(row.payload)
    first = row.authority_a == authority
    other = payload.plans[1] if first else payload.plans[0]
    own_id, other_id = (row.plan_a, row.plan_b) if first else (row.plan_b, row.plan_a)
    both = [plan_facts(states.get(plan_id), introduced=introduced) for plan_id in (own_id, other_id)]
    waits = waits_for_person(other.authority, today)
    return Match(
        opportunity_id=row.opportunity_id,
        council=name_on(other.authority, today),
        window=other.tender_window,
        facts=both[1] if all(both) else None,
        strength=row.band,
        near_misses=near_miss_sentences(payload, authority, today) if not waits else (),
        waits=waits,
    )
