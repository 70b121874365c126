"""The groups that one of an authority's plans is in, with the names of the other councils."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.coalition import Coalition, CoalitionStatus
from services.domain.reorganisation import name_on, waits_for_person
from services.store import coalitions

_AGREED: Final = (CoalitionStatus.FORMED, CoalitionStatus.FROZEN)


@dataclass(frozen=True, slots=True)
class OwnGroup:
    """One group of a plan. `others`: the other councils in it. `agreed`: the group has formed, and the plan is in."""

    coalition_id: str
    status: CoalitionStatus
    others: tuple[str, ...]
    agreed: bool


async def groups_of_plan(session: AsyncSession, plan_id: str, today: date) -> list[OwnGroup]:
    """The groups that have not ended and that the plan is in or can still be in, oldest first."""
    found = [row.coalition for row in await coalitions.living_with(session, [plan_id])]
    return [to_own_group(one, plan_id, today) for one in found if one.member(plan_id) in one.current]


def to_own_group(coalition: Coalition, plan_id: str, today: date) -> OwnGroup:
    """A coalition as the group of one of its plans."""
    formed = coalition.status in _AGREED
    members = coalition.accepted if formed else coalition.current
    others = [one.authority for one in members if one.plan_id != plan_id and not waits_for_person(one.authority, today)]
    return OwnGroup(
        coalition.coalition_id,
        coalition.status,
        tuple(sorted(name_on(one, today) for one in others)),
        formed and coalition.member(plan_id) in coalition.accepted,
    )
