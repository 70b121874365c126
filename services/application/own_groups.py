"""The groups that one of an authority's plans is in, with the names of the other councils."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionStatus, MemberState
from services.domain.coalition import HOLDING, Coalition
from services.domain.coalition_words import PLACES, STATUS_WORDS
from services.domain.reorganisation import name_on, waits_for_person
from services.store import coalitions


@dataclass(frozen=True, slots=True)
class OwnGroup:
    """One group of a plan. `others`: the other councils in it. `state`: of the plan in it."""

    coalition_id: str
    status: CoalitionStatus
    others: tuple[str, ...]
    state: MemberState

    @property
    def agreed(self) -> bool:
        """Whether the group has formed and the plan is in."""
        return self.status in HOLDING and self.state is MemberState.ACCEPTED

    @property
    def place(self) -> str:
        """Where the plan stands; the names of the others follow."""
        return PLACES[self.state]

    @property
    def status_word(self) -> str:
        """How far the group is. Empty while the plan is not in."""
        return STATUS_WORDS[self.status] if self.state is MemberState.ACCEPTED else ""


async def groups_of_plan(session: AsyncSession, plan_id: str, today: date) -> list[OwnGroup]:
    """The groups that have not ended and that the plan is in or can still be in, oldest first."""
    found = [row.coalition for row in await coalitions.living_with(session, [plan_id])]
    return [to_own_group(one, plan_id, today) for one in found if one.member(plan_id) in one.current]


def to_own_group(coalition: Coalition, plan_id: str, today: date) -> OwnGroup:
    """A coalition as the group of one of its plans."""
    own = coalition.member(plan_id)
    assert own is not None
    members = coalition.accepted if coalition.status in HOLDING else coalition.current
    others = [one.authority for one in members if one.plan_id != plan_id and not waits_for_person(one.authority, today)]
    return OwnGroup(
        coalition.coalition_id,
        coalition.status,
        tuple(sorted(name_on(one, today) for one in others)),
        own.state,
    )
