"""One authority's view of a group: the coalition or pair that one of its plans is in, and its possible answers.

Every field of another authority's plan has passed `disclosure`: a plan that is not shared openly has no fields here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionInvitation, CoalitionState
from events.opportunities import OpportunityState
from services.application.council_lines import CouncilLine, guest_lines, member_line, own_line, partner_line
from services.application.introduction_view import Introduction, introduction_view
from services.application.near_misses import near_miss_sentences, other_near_misses
from services.application.own_answers import CoalitionWithBars, OwnAnswer, own_answer
from services.application.own_groups import OwnGroup, groups_of_plan
from services.application.possible_acts import possible_acts
from services.application.responses import ResponseError, Subject, find_subject
from services.domain.disclosure import UNSAID_EXPLANATION, is_open, plan_facts
from services.domain.framework_prompt import framework_prompts
from services.domain.introduction import is_agreed
from services.domain.reorganisation import name_on, say_consent, waits_for_person
from services.store import coalition_bars, coalitions, introductions, parties, plans, responses
from services.store.framework_index import FrameworkIndex
from services.store.mapping import plan_from_store
from services.store.opportunities import Opportunity

CLOSED: Final[Mapping[str, str]] = {
    "frozen": "The joint tender notice is out. It names every member, so nobody can join any more.",
    "awarded": "The joint contract has been awarded.",
    "dissolved": "This group has ended.",
    "lapsed": "This group has ended.",
}
OUT: Final = frozenset({"declined", "left", "lapsed", "withdrawn"})
"""States of a member that is not in its group any more."""
WAITS: Final = "The council has ceased to be, and nobody has taken over its plan yet."


class NoGroupError(LookupError):
    """The group does not exist, or the authority has no plan in it. The two look the same to the reader."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """One authority's view of a group. `own` is its plan, `others` the plans it can see.

    `acts`: its possible acts, once it has signed in; `guests`: the plans that it could invite;
    `visible_plans`: the plans of a coalition that the reader may see under present sharing;
    `framework_prompts`: frameworks to check first; `consent`: that a successor has to agree to its contract;
    `agreed_group`: another group that has formed with the reader's plan in it.
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
    agreed_group: OwnGroup | None = None

    @property
    def is_out(self) -> bool:
        """Whether the reader's plan was in the group and is not any more."""
        return self.own.state in OUT

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
    """Load the group for the authority. Without `frameworks` no framework is named. Raises NoGroupError."""
    try:
        subject = await find_subject(session, subject_id, authority)
    except ResponseError as error:
        raise NoGroupError(str(error)) from None
    standing = await _standing(session, subject) if subject.kind == "coalition" else None
    if standing is not None:
        view = await _coalition(session, authority, subject, standing, today)
    else:
        view = await _pair(session, authority, subject, today)
    groups = await groups_of_plan(session, subject.plan_id, today)
    given = [row for row in await responses.of_subject(session, subject_id) if row.authority == authority]
    introduced = view.introduction is not None and view.introduction.agreed
    return replace(
        view,
        consent=await _consent(session, subject.plan_id, today) if not view.closed else None,
        answers=tuple(own_answer(row, given, today, standing, introduced=introduced) for row in reversed(given)),
        agreed_group=next((one for one in groups if one.agreed and one.coalition_id != subject_id), None),
        framework_prompts=await _frameworks(session, view, frameworks) if frameworks and not view.closed else (),
    )


async def _standing(session: AsyncSession, subject: Subject) -> CoalitionWithBars:
    row = await coalitions.load(session, subject.subject_id)
    assert row is not None
    bars = await coalition_bars.load_undo_bars(session, row.coalition, [subject.plan_id])
    return CoalitionWithBars(row.coalition, bars)


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


async def _coalition(
    session: AsyncSession, authority: str, subject: Subject, standing: CoalitionWithBars, today: date
) -> GroupView:
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
    own = next((line for line in lines if line.plan_id == subject.plan_id), None) or own_line(
        stored.get(subject.plan_id), authority, subject.plan_id, state.common_window
    )
    invitation = state.invitation
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
        acts=possible_acts(standing.coalition, subject.plan_id, authority, today, standing.bars),
        near_misses=await other_near_misses(session, authority, subject.plan_id, {one.plan_id for one in lines}, today),
        guests=guest_lines(state, lines, shown - {subject.plan_id}, today),
        closed=_why_closed(state, own, [line for line in lines if line is not own]),
        visible_plans=frozenset(visible),
    )


async def _inviter(session: AsyncSession, invitation: CoalitionInvitation, lines: Sequence[CouncilLine]) -> str | None:
    """The name of the inviter: a council of the group, or the party that convened it."""
    if invitation.convened_by is not None:
        party = await parties.load(session, invitation.convened_by)
        return party.name if party is not None else None
    return next((line.council for line in lines if line.plan_id == invitation.by), None)


def _why_closed(state: CoalitionState, own: CouncilLine, others: Sequence[CouncilLine]) -> str | None:
    if state.status in CLOSED:
        return f"{CLOSED[state.status]} {state.ended_because or ''}".strip()
    if own.state in OUT:
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
    own = own_line(stored.get(subject.plan_id), authority, subject.plan_id, mine.tender_window)
    partner = partner_line(theirs, theirs_too, today)
    formed = await coalition_bars.elsewhere(session, [subject.plan_id], subject.subject_id)
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
        decide_by=state.decide_by,
        near_misses=near_miss_sentences(state, authority, today) if not partner.waits else (),
        introduction=introduction_view(state, *said, today) if not partner.waits else None,
        acts=("invite",) if theirs.title is not None and theirs_too and not (ended or formed or partner.waits) else (),
        closed=closed or (WAITS if partner.waits else None),
    )
