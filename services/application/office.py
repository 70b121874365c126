"""What an office sees: groups with members of its own, and of those no more than they share openly."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionMember, CoalitionState
from services.domain.coalition import LIVING, MIN_MEMBERS, CoalitionStatus, MemberState
from services.domain.disclosure import is_open, shown_to_party
from services.domain.parties import Party
from services.domain.reorganisation import is_dissolved, name_on, waits_for_person
from services.store import coalitions, plans
from services.store.coalitions import CoalitionRow

LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class PartyGroup:
    """A group as a party sees it. `members`: those of its own; `others`: how many councils more are in it.

    `invitable`: the members that the party could invite now; empty where it can't convene the group.
    """

    coalition_id: str
    status: str
    together_from: date
    decide_by: date
    reply_by: date | None
    members: tuple[CoalitionMember, ...]
    others: int
    invitable: tuple[CoalitionMember, ...]

    @property
    def title(self) -> str:
        """The title of the first member's plan."""
        return self.members[0].title


async def list_groups(session: AsyncSession, party: Party, day: date) -> list[PartyGroup]:
    """The living groups with plans of members on a day, those that wait to be convened first."""
    rows = await coalitions.listed(session, party.members_on(day), [status.value for status in LIVING], LIMIT)
    found = await _groups(session, rows, party, day)
    return sorted(found, key=lambda one: (not one.invitable, one.decide_by, one.coalition_id))


async def find_group(session: AsyncSession, party: Party, coalition_id: str, day: date) -> PartyGroup | None:
    """One group; None where the party has no member in it that shares its plan."""
    row = await coalitions.load(session, coalition_id)
    return next(iter(await _groups(session, [row], party, day)), None) if row is not None else None


async def _groups(session: AsyncSession, rows: Sequence[CoalitionRow], party: Party, day: date) -> list[PartyGroup]:
    states = [CoalitionState.model_validate(row.payload) for row in rows]
    stored = await plans.by_id(session, {member.plan_id for state in states for member in state.members})
    open_plans = {plan_id for plan_id, plan in stored.items() if is_open(plan.state)}
    of_party = party.members_on(day)
    found = [_group(state, _named(shown_to_party(state.members, of_party, open_plans), day)) for state in states]
    return [one for one in found if one.members]


def _named(members: Sequence[CoalitionMember], day: date) -> tuple[CoalitionMember, ...]:
    """The members by their names of a day: a dissolved council by its successor's. None waits for a person."""
    return tuple(
        one.model_copy(update={"authority_name": name_on(one.authority, day)})
        if is_dissolved(one.authority, day)
        else one
        for one in members
        if not waits_for_person(one.authority, day)
    )


def _group(state: CoalitionState, members: tuple[CoalitionMember, ...]) -> PartyGroup:
    suggested = tuple(member for member in members if MemberState(member.state) is MemberState.SUGGESTED)
    convenable = CoalitionStatus(state.status) is CoalitionStatus.SUGGESTED and len(suggested) >= MIN_MEMBERS
    return PartyGroup(
        coalition_id=state.coalition_id,
        status=state.status,
        together_from=state.together_from,
        decide_by=state.decide_by,
        reply_by=state.invitation.reply_by if state.invitation else None,
        members=members,
        others=len(state.members) - len(members),
        invitable=suggested if convenable else (),
    )
