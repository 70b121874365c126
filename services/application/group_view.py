"""One authority's view of a group: the coalition or pair that one of its plans is in, and its possible answers.

Every field of another authority's plan has passed `disclosure`: a plan that is not shared openly has no fields here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionInvitation, CoalitionMember, CoalitionState
from events.fields import Window
from events.opportunities import OpportunityState, PlanSummary
from services.application.introduction_view import Introduction, introduction_view
from services.application.near_misses import near_miss_sentences, other_near_misses
from services.application.possible_acts import possible_acts
from services.application.responses import ResponseError, Subject, find_subject
from services.domain.coalition_answers import UNDO_DAYS
from services.domain.disclosure import (
    UNSAID_EXPLANATION,
    PlanFacts,
    is_open,
    member_facts,
    plan_facts,
    read_facts,
)
from services.domain.framework_prompt import framework_prompts
from services.domain.introduction import is_agreed
from services.domain.reorganisation import name_on, say_consent, waits_for_person
from services.store import coalitions, introductions, parties, plans, responses
from services.store.framework_index import FrameworkIndex
from services.store.mapping import plan_from_store
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord
from services.store.responses import ResponseRow

CLOSED: Final[Mapping[str, str]] = {
    "frozen": "The joint tender notice is out. It names every member, so nobody can join any more.",
    "awarded": "The joint contract has been awarded.",
    "dissolved": "This group has ended.",
    "lapsed": "This group has ended.",
}
WAITS: Final = "The council was divided, and nobody has taken over its plan yet. It waits for a person."


FINAL: Final = frozenset({"undone", "invited", "dates", responses.ROUTE})
"""Responses that can't be taken back here; a route can, on its own page."""
NO_ANSWERS: Final = frozenset({"undone", *responses.RECORDS})
"""Kinds of responses that do not block the undo of an earlier answer."""


class NoGroupError(LookupError):
    """The group does not exist, or the authority has no plan in it. The two look the same to the reader."""


@dataclass(frozen=True, slots=True)
class CouncilLine:
    """One plan of a group. Fields that are not shared or not known are empty.

    `waits`: its council was divided, and the plan waits for a person.
    """

    authority: str
    council: str
    plan_id: str
    state: str
    window: Window
    title: str = ""
    value: float | None = None
    stage: str = ""
    contract_ends: date | None = None
    supplier: str = ""
    preference: str | None = None
    interest: str | None = None
    committed: bool = False
    leads: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """One answer of the authority, and whether it can still be taken back."""

    response_id: str
    kind: str
    on: date
    refused: str | None
    undone: bool
    can_undo: bool


@dataclass(frozen=True, slots=True)
class GroupView:
    """One authority's view of a group. `own` is its plan, `others` the plans it can see.

    `acts`: its possible acts, once it has signed in; `guests`: the plans that it could invite;
    `visible_plans`: the plans of a coalition that the reader may see under present sharing;
    `framework_prompts`: frameworks to check first; `consent`: that a successor has to agree to its contract.
    """

    subject: Subject
    authority: str
    status: str
    own: CouncilLine
    others: tuple[CouncilLine, ...]
    disclosed: bool
    reasons: tuple[str, ...]
    answers: tuple[OwnAnswer, ...]
    together_from: date | None = None
    decide_by: date | None = None
    reply_by: date | None = None
    invited_by: str | None = None
    scope: str = ""
    route: str = ""
    proposals: tuple[str, ...] = ()
    near_misses: tuple[str, ...] = ()
    introduction: Introduction | None = None
    acts: tuple[str, ...] = ()
    guests: tuple["CouncilLine", ...] = ()
    closed: str | None = None
    visible_plans: frozenset[str] = frozenset()
    framework_prompts: tuple[str, ...] = ()
    consent: str | None = None

    @property
    def current(self) -> tuple[CouncilLine, ...]:
        """The others that have accepted or still can."""
        current = ("", "suggested", "invited", "accepted")
        return tuple(line for line in self.others if line.state in current and not line.waits)

    @property
    def lead(self) -> CouncilLine | None:
        """The plan whose authority leads, or is suggested to."""
        return next((line for line in (self.own, *self.others) if line.leads), None)

    @property
    def known_value(self) -> float | None:
        """The total value of all plans with a known value; None if none has one."""
        known = [line.value for line in (self.own, *self.current) if line.value is not None]
        return sum(known) if known else None

    @property
    def value_is_whole(self) -> bool:
        """Whether every plan has a value."""
        return all(line.value is not None for line in (self.own, *self.current))


async def load_group(
    session: AsyncSession, authority: str, subject_id: str, today: date, frameworks: FrameworkIndex | None = None
) -> GroupView:
    """Loads the group for the authority. Without `frameworks` no framework is named. Raises NoGroupError."""
    try:
        subject = await find_subject(session, subject_id, authority)
    except ResponseError as error:
        raise NoGroupError(str(error)) from None
    if subject.kind == "coalition":
        view = await _coalition(session, authority, subject, today)
    else:
        view = await _pair(session, authority, subject, today)
    given = [row for row in await responses.of_subject(session, subject_id) if row.authority == authority]
    introduced = view.introduction is not None and view.introduction.agreed
    return replace(
        view,
        consent=await _consent(session, subject.plan_id, today) if not view.closed else None,
        answers=tuple(_own_answer(row, given, today, introduced=introduced) for row in reversed(given)),
        framework_prompts=await _frameworks(session, view, frameworks) if frameworks and not view.closed else (),
    )


async def _consent(session: AsyncSession, plan_id: str, today: date) -> str | None:
    stored = (await plans.by_id(session, [plan_id])).get(plan_id)
    plan = plan_from_store(stored) if stored is not None else None
    return say_consent(plan, today) if plan is not None else None


async def _frameworks(session: AsyncSession, view: GroupView, frameworks: FrameworkIndex) -> tuple[str, ...]:
    """The frameworks to check first, with those that also cover visible plans of other members."""
    own = view.subject.plan_id
    if view.subject.kind == "coalition":
        seen = {line.plan_id: line.council for line in view.current if line.title}
    else:
        row = await session.get(Opportunity, view.subject.subject_id)
        assert row is not None
        other = row.plan_b if row.plan_a == own else row.plan_a
        seen = {other: view.others[0].council} if view.disclosed else {}
    usable = await frameworks.usable(session, [own, *seen])
    return framework_prompts(usable.get(own, {}), {name: usable.get(key, {}) for key, name in seen.items()})


async def _coalition(session: AsyncSession, authority: str, subject: Subject, today: date) -> GroupView:
    row = await coalitions.load(session, subject.subject_id)
    assert row is not None
    state = CoalitionState.model_validate(row.payload)
    members, proposed = ({one.plan_id for one in named} for named in (state.members, state.proposals))
    stored = await plans.by_id(session, {*members, *proposed, subject.plan_id})
    # An authority that no longer shares its own plan does not see the others' plans either.
    open_plans = {plan_id for plan_id, plan in stored.items() if is_open(plan.state)}
    shown = open_plans if subject.plan_id in open_plans else {subject.plan_id}
    visible = {subject.plan_id, *shown}
    lines = [member_line(member, state, today, shows=member.plan_id in visible) for member in state.members]
    hidden = any(line.plan_id not in visible for line in lines)
    # A plan that the engine proposes is not a member yet.
    own = next((line for line in lines if line.plan_id == subject.plan_id), None) or _own_line(
        stored.get(subject.plan_id), authority, subject.plan_id, state.common_window
    )
    invitation = state.invitation
    elsewhere = await coalitions.is_elsewhere(session, subject.plan_id, subject.subject_id)
    # A party's own words are of no council's plan.
    said = invitation is not None and invitation.by in {None, subject.plan_id, *shown}
    inviter = await _inviter(session, invitation, lines) if invitation else None
    return GroupView(
        subject=subject,
        authority=authority,
        status=state.status,
        own=own,
        others=tuple(sorted((one for one in lines if one is not own), key=lambda one: one.council)),
        disclosed=True,
        reasons=(UNSAID_EXPLANATION if hidden else state.explanation,),
        answers=(),
        together_from=state.together_from,
        decide_by=state.decide_by,
        reply_by=invitation.reply_by if invitation else None,
        invited_by=inviter,
        scope=invitation.scope if invitation and said else "",
        route=invitation.route if invitation and said else "",
        proposals=tuple(
            f"{name_on(one.authority, today)}: {one.sentence}"
            for one in state.proposals
            if one.plan_id in shown and not waits_for_person(one.authority, today)
        ),
        acts=possible_acts(row.coalition, subject.plan_id, authority, today, elsewhere=elsewhere),
        near_misses=await other_near_misses(session, authority, subject.plan_id, {one.plan_id for one in lines}, today),
        guests=_guests(state, lines, shown - {subject.plan_id}, today),
        closed=_why_closed(state, own, [line for line in lines if line is not own]),
        visible_plans=frozenset(visible),
    )


async def _inviter(session: AsyncSession, invitation: CoalitionInvitation, lines: Sequence[CouncilLine]) -> str | None:
    """The name of the inviter: a council of the group, or the party that convened it."""
    if invitation.convened_by is not None:
        party = await parties.load(session, invitation.convened_by)
        return party.name if party is not None else None
    return next((line.council for line in lines if line.plan_id == invitation.by), None)


def _guests(
    state: CoalitionState, lines: Sequence[CouncilLine], shown: Collection[str], today: date
) -> tuple[CouncilLine, ...]:
    """The plans that the reader can invite: visible members not asked or without an answer, and visible proposals."""
    members = [line for line in lines if line.state in ("suggested", "lapsed") and line.plan_id in shown]
    proposed = [
        other_line(one.authority, one.plan_id, "proposed", state.common_window, today)
        for one in state.proposals
        if one.kind == "fits-too" and one.plan_id in shown
    ]
    return tuple(line for line in (*members, *proposed) if not line.waits)


def _why_closed(state: CoalitionState, own: CouncilLine, others: Sequence[CouncilLine]) -> str | None:
    if state.status in CLOSED:
        return f"{CLOSED[state.status]} {state.ended_because or ''}".strip()
    if own.state in ("declined", "left", "lapsed", "withdrawn"):
        return "Your council is not in this group any more."
    return WAITS if others and all(line.waits for line in others) else None


async def _pair(session: AsyncSession, authority: str, subject: Subject, today: date) -> GroupView:
    row = await session.get(Opportunity, subject.subject_id)
    assert row is not None
    state = OpportunityState.model_validate(row.payload)
    mine, theirs = state.plans if row.authority_a == authority else (state.plans[1], state.plans[0])
    other_id = row.plan_b if row.plan_a == subject.plan_id else row.plan_a
    stored = await plans.by_id(session, [subject.plan_id, other_id])
    said = await introductions.sides(session, row, authority)
    introduced = is_agreed(*said)
    facts = [
        plan_facts(stored[key].state, introduced=introduced) for key in (subject.plan_id, other_id) if key in stored
    ]
    theirs_too = facts[-1] if len(facts) == 2 and all(facts) else None
    own = _own_line(stored.get(subject.plan_id), authority, subject.plan_id, mine.tender_window)
    partner = _partner(theirs, theirs_too, today)
    ended = f"This match no longer holds. {' '.join(state.reasons)}" if state.status != "active" else None
    closed = ended if theirs_too or ended is None else "This match no longer holds."
    return GroupView(
        subject=subject,
        authority=authority,
        status=state.status,
        own=own,
        others=(partner,),
        disclosed=theirs_too is not None,
        reasons=state.reasons if theirs.title is not None and theirs_too else (),
        answers=(),
        together_from=state.common_window.earliest if state.common_window else None,
        near_misses=near_miss_sentences(state, authority, today) if not partner.waits else (),
        introduction=introduction_view(state, *said, today) if not partner.waits else None,
        acts=("invite",) if theirs.title is not None and theirs_too and ended is None and not partner.waits else (),
        closed=closed or (WAITS if partner.waits else None),
    )


def _own_line(plan: PlanRecord | None, authority: str, plan_id: str, window: Window) -> CouncilLine:
    line = CouncilLine(authority, "Your council", plan_id, "", window)
    return describe(line, read_facts(plan.state)) if plan is not None and plan.state else line


def other_line(authority: str, plan_id: str, state: str, window: Window, today: date) -> CouncilLine:
    """The line of another council's plan, by the council's name of today, without facts of the plan."""
    waits = waits_for_person(authority, today)
    return CouncilLine(authority, name_on(authority, today), plan_id, state, window, waits=waits)


def _partner(side: PlanSummary, facts: PlanFacts | None, today: date) -> CouncilLine:
    line = other_line(side.authority, "", "", side.tender_window, today)
    return describe(line, facts) if facts is not None else line


def describe(line: CouncilLine, facts: PlanFacts) -> CouncilLine:
    """Adds the facts of a plan to its line."""
    return replace(
        line,
        window=facts.tender_window,
        title=facts.title,
        value=facts.value,
        stage=facts.stage,
        contract_ends=facts.contract_ends,
        supplier=facts.supplier,
        preference=facts.preference,
    )


def member_line(member: CoalitionMember, state: CoalitionState, today: date, *, shows: bool) -> CouncilLine:
    """The line of a coalition's member. Without `shows` it has no facts of its plan."""
    line = replace(
        other_line(member.authority, member.plan_id, member.state, member.tender_window, today),
        interest=member.interest,
        committed=member.committed,
        leads=member.plan_id == state.lead,
    )
    if not shows:
        return line
    return describe(line, member_facts(member))


def _own_answer(row: ResponseRow, given: Sequence[ResponseRow], today: date, *, introduced: bool) -> OwnAnswer:
    latest = not any(
        later.received_at > row.received_at and responses.stands(later) and later.kind not in NO_ANSWERS
        for later in given
    )
    # An introduction can't be taken back: both have seen each other's plan.
    final = FINAL | {"introduced"} if introduced else FINAL
    recorded = responses.stands(row) and row.kind not in final
    in_time = today <= row.received_on + timedelta(days=UNDO_DAYS)
    return OwnAnswer(
        response_id=row.response_id,
        kind=row.kind,
        on=row.received_on,
        refused=row.detail,
        undone=row.undone_by is not None,
        can_undo=recorded and (row.kind == responses.DOCUMENT or (latest and in_time)),
    )
