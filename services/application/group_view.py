"""What one authority sees of a group: the coalition or the pair that one of its plans is in, and what it may answer.

Every field of another authority's plan has passed `disclosure`: of a plan that is not shared openly there is none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionMember, CoalitionState
from events.fields import Window
from events.opportunities import OpportunityState, PlanSummary
from matching.text.formatting import name_of
from services.application.possible_acts import possible_acts
from services.application.responses import ResponseError, Subject, find_subject
from services.domain.coalition_answers import UNDO_DAYS
from services.domain.disclosure import UNSAID_EXPLANATION, PlanFacts, is_open, member_facts, plan_facts, read_facts
from services.domain.framework_prompt import framework_prompts
from services.store import coalitions, introductions, plans, responses
from services.store.framework_index import FrameworkIndex
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord
from services.store.responses import ResponseRow

CLOSED: Final[Mapping[str, str]] = {
    "frozen": "The joint tender notice is out. It names every member, so nobody can join any more.",
    "awarded": "The joint contract has been awarded.",
    "dissolved": "This group has ended.",
    "lapsed": "This group has ended.",
}


class NoGroupError(LookupError):
    """The authority has no plan in such a group, or there is none: whoever asks learns no more."""


@dataclass(frozen=True, slots=True)
class CouncilLine:
    """One plan of a group. What is not shared or not known is empty."""

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


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """What the authority has answered so far, and whether it can still take that back."""

    response_id: str
    kind: str
    on: date
    refused: str | None
    undone: bool
    can_undo: bool


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as one authority sees it. `own` is its plan, `others` those it can see.

    `acts`: what it could do now, once it has signed in; `guests`: the plans that it could invite;
    `framework_prompts`: frameworks to look at first.
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
    acts: tuple[str, ...] = ()
    guests: tuple["CouncilLine", ...] = ()
    closed: str | None = None
    framework_prompts: tuple[str, ...] = ()

    @property
    def current(self) -> tuple[CouncilLine, ...]:
        """The others that are in or may still be."""
        return tuple(line for line in self.others if line.state in ("", "suggested", "invited", "accepted"))

    @property
    def lead(self) -> CouncilLine | None:
        """The plan whose authority leads, or is suggested to."""
        return next((line for line in (self.own, *self.others) if line.leads), None)

    @property
    def known_value(self) -> float | None:
        """What all plans together are worth, as far as it is known."""
        known = [line.value for line in (self.own, *self.current) if line.value is not None]
        return sum(known) if known else None

    @property
    def value_is_whole(self) -> bool:
        """Whether every plan says its value."""
        return all(line.value is not None for line in (self.own, *self.current))


async def load_group(
    session: AsyncSession, authority: str, subject_id: str, today: date, frameworks: FrameworkIndex | None = None
) -> GroupView:
    """The group as the authority sees it; without `frameworks` it names none. Raises NoGroupError."""
    try:
        subject = await find_subject(session, subject_id, authority)
    except ResponseError as error:
        raise NoGroupError(str(error)) from None
    if subject.kind == "coalition":
        view = await _coalition(session, authority, subject, today)
    else:
        view = await _pair(session, authority, subject)
    given = [row for row in await responses.of_subject(session, subject_id) if row.authority == authority]
    return replace(
        view,
        answers=tuple(_own_answer(row, given, today) for row in reversed(given)),
        framework_prompts=await _frameworks(session, view, frameworks) if frameworks and not view.closed else (),
    )


async def _frameworks(session: AsyncSession, view: GroupView, frameworks: FrameworkIndex) -> tuple[str, ...]:
    """The frameworks to look at before anything new, also as far as they cover the plans of others that it sees."""
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
    stored = await plans.by_id(session, [member.plan_id for member in state.members] + [subject.plan_id])
    # Who no longer shares its own plan sees no more of the others' either.
    open_plans = {plan_id for plan_id, plan in stored.items() if is_open(plan.state)}
    shown = open_plans if subject.plan_id in open_plans else {subject.plan_id}
    lines = [_member(member, state, shows=member.plan_id in {subject.plan_id, *shown}) for member in state.members]
    hidden = any(line.plan_id not in {subject.plan_id, *shown} for line in lines)
    # A plan that the engine proposes is no member yet.
    own = next((line for line in lines if line.plan_id == subject.plan_id), None) or _own_line(
        stored.get(subject.plan_id), authority, subject.plan_id, state.common_window
    )
    invitation = state.invitation
    elsewhere = await coalitions.is_elsewhere(session, subject.plan_id, subject.subject_id)
    said = invitation is not None and invitation.by in {subject.plan_id, *shown}
    inviter = next((line.council for line in lines if invitation and line.plan_id == invitation.by), None)
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
        proposals=tuple(f"{name_of(one.authority)}: {one.sentence}" for one in state.proposals if one.plan_id in shown),
        acts=possible_acts(row.coalition, subject.plan_id, authority, today, elsewhere=elsewhere),
        guests=_guests(state, lines, subject.plan_id),
        closed=_why_closed(state, own),
    )


def _guests(state: CoalitionState, lines: Sequence[CouncilLine], own: str) -> tuple[CouncilLine, ...]:
    """Members that nobody has asked, or that did not answer, and plans that the engine proposes."""
    members = [line for line in lines if line.state in ("suggested", "lapsed") and line.plan_id != own]
    proposed = [
        CouncilLine(one.authority, name_of(one.authority), one.plan_id, "proposed", state.common_window)
        for one in state.proposals
        if one.kind == "fits-too" and one.plan_id != own
    ]
    return (*members, *proposed)


def _why_closed(state: CoalitionState, own: CouncilLine) -> str | None:
    if state.status in CLOSED:
        return f"{CLOSED[state.status]} {state.ended_because or ''}".strip()
    if own.state in ("declined", "left", "lapsed", "withdrawn"):
        return "Your council is not in this group any more."
    return None


async def _pair(session: AsyncSession, authority: str, subject: Subject) -> GroupView:
    row = await session.get(Opportunity, subject.subject_id)
    assert row is not None
    state = OpportunityState.model_validate(row.payload)
    mine, theirs = state.plans if row.authority_a == authority else (state.plans[1], state.plans[0])
    other_id = row.plan_b if row.plan_a == subject.plan_id else row.plan_a
    stored = await plans.by_id(session, [subject.plan_id, other_id])
    introduced = bool(await introductions.agreed(session, [row.opportunity_id]))
    facts = [
        plan_facts(stored[key].state, introduced=introduced) for key in (subject.plan_id, other_id) if key in stored
    ]
    theirs_too = facts[-1] if len(facts) == 2 and all(facts) else None
    own = _own_line(stored.get(subject.plan_id), authority, subject.plan_id, mine.tender_window)
    ended = f"This match no longer holds. {' '.join(state.reasons)}" if state.status != "active" else None
    return GroupView(
        subject=subject,
        authority=authority,
        status=state.status,
        own=own,
        others=(_partner(theirs, theirs_too),),
        disclosed=theirs_too is not None,
        reasons=state.reasons if theirs.title is not None and theirs_too else (),
        answers=(),
        together_from=state.common_window.earliest if state.common_window else None,
        acts=("invite",) if theirs.title is not None and theirs_too and ended is None else (),
        closed=ended if theirs_too or ended is None else "This match no longer holds.",
    )


def _own_line(plan: PlanRecord | None, authority: str, plan_id: str, window: Window) -> CouncilLine:
    line = CouncilLine(authority, "Your council", plan_id, "", window)
    return _described(line, read_facts(plan.state)) if plan is not None and plan.state else line


def _partner(side: PlanSummary, facts: PlanFacts | None) -> CouncilLine:
    line = CouncilLine(side.authority, name_of(side.authority), "", "", side.tender_window)
    return _described(line, facts) if facts is not None else line


def _described(line: CouncilLine, facts: PlanFacts) -> CouncilLine:
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


def _member(member: CoalitionMember, state: CoalitionState, *, shows: bool) -> CouncilLine:
    line = CouncilLine(
        authority=member.authority,
        council=name_of(member.authority),
        plan_id=member.plan_id,
        state=member.state,
        window=member.tender_window,
        interest=member.interest,
        committed=member.committed,
        leads=member.plan_id == state.lead,
    )
    if not shows:
        return line
    return _described(line, member_facts(member))


def _own_answer(row: ResponseRow, given: Sequence[ResponseRow], today: date) -> OwnAnswer:
    latest = not any(
        later.received_at > row.received_at and later.outcome == "recorded" and later.kind != "undone"
        for later in given
    )
    recorded = row.outcome == "recorded" and row.undone_by is None and row.kind not in ("undone", "invited", "dates")
    in_time = today <= row.received_on + timedelta(days=UNDO_DAYS)
    return OwnAnswer(
        response_id=row.response_id,
        kind=row.kind,
        on=row.received_on,
        refused=row.detail,
        undone=row.undone_by is not None,
        can_undo=recorded and latest and in_time,
    )
