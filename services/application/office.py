"""What an office sees: groups and pairs with members of its own, and of those no more than they share openly."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionMember, CoalitionState, CoalitionStatus, MemberState
from events.opportunities import OpportunityState
from matching.features import kin_of
from services.application.council_lines import CouncilLine, describe, member_line, other_line
from services.domain.coalition import MIN_MEMBERS
from services.domain.disclosure import is_open, plan_facts, shown_to_party
from services.domain.opportunity_status import OpportunityStatus
from services.domain.parties import Party
from services.domain.reorganisation import waits_for_person
from services.store import coalitions, opportunities, plans, responses
from services.store.coalitions import CoalitionRow
from services.store.opportunities import Opportunity

GROUP_LIMIT: Final = 500
PAIR_LIMIT: Final = 100
READ_AT_ONCE: Final = 200
"""Many pairs are left out only after they are read, so reading goes on until enough remain."""


@dataclass(frozen=True, slots=True)
class PartyGroup:
    """A group or a pair as a party sees it. `members`: those of its own; `others`: how many councils more are in it.

    `subject_id`: the id of the coalition or the opportunity. `invitable`: the members that the party could invite now;
    empty where it can't convene the group.
    """

    subject_id: str
    status: str
    together_from: date
    decide_by: date
    reply_by: date | None
    members: tuple[CouncilLine, ...]
    others: int
    invitable: tuple[CouncilLine, ...]

    @property
    def title(self) -> str:
        """The title of the first member's plan."""
        return self.members[0].title


async def list_groups(session: AsyncSession, party: Party, day: date) -> tuple[list[PartyGroup], bool]:
    """The living groups with plans of members on a day, those that wait to be convened first; at most `GROUP_LIMIT`.

    Also whether there are more.
    """
    shown = [code for code in party.members_on(day) if not waits_for_person(code, day)]
    # The query leaves out what the party does not see, so that hidden groups don't use up the limit.
    rows = await coalitions.open_to_party(session, shown, GROUP_LIMIT + 1)
    found = await _groups(session, rows[:GROUP_LIMIT], party, day)
    return sorted(found, key=lambda one: (not one.invitable, one.decide_by, one.subject_id)), len(rows) > GROUP_LIMIT


async def list_pairs(session: AsyncSession, party: Party, day: date) -> tuple[list[PartyGroup], bool]:
    """The pairs of members' plans that are in no group together, the best match first; at most `PAIR_LIMIT`.

    Also whether there are more.
    """
    ids = await coalitions.pairs_outside(session, party.members_on(day))
    found: list[PartyGroup] = []
    for start in range(0, len(ids), READ_AT_ONCE):
        some = ids[start : start + READ_AT_ONCE]
        stored = await opportunities.get_many(session, some)
        found += await _pairs(session, [stored[one] for one in some if one in stored], party, day)
        if len(found) > PAIR_LIMIT:
            break
    return found[:PAIR_LIMIT], len(found) > PAIR_LIMIT


async def find_group(session: AsyncSession, party: Party, subject_id: str, day: date) -> PartyGroup | None:
    """One group or pair; None where the party has no member in it that shares its plan.

    A pair that has become a group is found as the group.
    """
    row = await coalitions.load(session, subject_id)
    pair = await coalitions.load_opportunity(session, subject_id) if row is None else None
    if pair is not None:
        both = {pair.plan_a, pair.plan_b}
        living = await coalitions.living_with(session, both)
        row = next((one for one in living if both <= {member.plan_id for member in one.coalition.current}), None)
    found = await _groups(session, [row], party, day) if row is not None else []
    if row is None and pair is not None:
        found = await _pairs(session, [pair], party, day)
    return next(iter(found), None)


async def _pairs(session: AsyncSession, rows: Sequence[Opportunity], party: Party, day: date) -> list[PartyGroup]:
    """The active pairs that could become a group.

    Both plans belong to members and are shared openly, and their windows overlap. The two councils will not merge.
    Neither has answered "not the same". The day to decide is not past.
    """
    members, unlike = party.members_on(day), await responses.silenced(session, [row.pair for row in rows])
    rows = [row for row in rows if row.pair not in unlike and _may_convene(row, members)]
    stored = await plans.by_id(session, {plan_id for row in rows for plan_id in (row.plan_a, row.plan_b)})
    facts = {plan_id: plan_facts(plan.state) for plan_id, plan in stored.items()}
    found = []
    for row in rows:
        state = OpportunityState.model_validate(row.payload)
        if state.common_window is None or state.decide_by is None or state.decide_by < day:
            continue
        sides = ((row.plan_a, row.authority_a), (row.plan_b, row.authority_b))
        lines = tuple(
            describe(other_line(authority, plan_id, "", shown.tender_window, day), shown)
            for plan_id, authority in sides
            if (shown := facts.get(plan_id)) is not None and not waits_for_person(authority, day)
        )
        if len(lines) == len(sides):
            opens = state.common_window.earliest
            found.append(PartyGroup(row.opportunity_id, row.status, opens, state.decide_by, None, lines, 0, lines))
    return found


async def _groups(session: AsyncSession, rows: Sequence[CoalitionRow], party: Party, day: date) -> list[PartyGroup]:
    states = [CoalitionState.model_validate(row.payload) for row in rows]
    stored = await plans.by_id(session, {member.plan_id for state in states for member in state.members})
    open_plans = {plan_id for plan_id, plan in stored.items() if is_open(plan.state)}
    of_party = party.members_on(day)
    found = [_group(state, shown_to_party(state.members, of_party, open_plans), day) for state in states]
    return [one for one in found if one.members]


def _may_convene(row: Opportunity, members: Collection[str]) -> bool:
    both = {row.authority_a, row.authority_b}
    stands = row.status == OpportunityStatus.ACTIVE
    return stands and both <= set(members) and row.authority_b not in kin_of(row.authority_a)


def _group(state: CoalitionState, shown: Sequence[CoalitionMember], day: date) -> PartyGroup:
    members = tuple(one for one in (member_line(member, state, day, shows=True) for member in shown) if not one.waits)
    suggested = tuple(one for one in members if MemberState(one.state) is MemberState.SUGGESTED)
    convenable = CoalitionStatus(state.status) is CoalitionStatus.SUGGESTED and len(suggested) >= MIN_MEMBERS
    return PartyGroup(
        subject_id=state.coalition_id,
        status=state.status,
        together_from=state.together_from,
        decide_by=state.decide_by,
        reply_by=state.invitation.reply_by if state.invitation else None,
        members=members,
        others=len(state.members) - len(members),
        invitable=suggested if convenable else (),
    )
