"""Coalitions for users and programs: the list, one in full, and the block for a joint notice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionMember, CoalitionState, CoalitionStatus, MemberState
from services.domain.coalition import AGREED, LIVING
from services.domain.disclosure import is_open
from services.domain.reorganisation import name_on
from services.domain.route_prompt import route_lines, route_prompts
from services.store import authorities, plans, responses
from services.store import coalitions as store
from services.store.route_records import load_coalition_routes


class CoalitionError(Exception):
    """There is no such coalition, or it has nothing to export; the message gives the remedy."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response about a coalition, as far as the lead may see it."""

    authority: str
    kind: str
    outcome: str
    detail: str | None
    on: str
    undone: bool
    response_id: str


async def listed(session: AsyncSession, authority: str | None, *, ended: bool, limit: int) -> Sequence[CoalitionState]:
    """Return the living coalitions, or the ended ones, newest first; optionally of one authority."""
    statuses = [status.value for status in CoalitionStatus if (status in LIVING) is not ended]
    rows = await store.listed(session, None if authority is None else [authority], statuses, limit)
    return [CoalitionState.model_validate(row.payload) for row in rows]


async def waiting_for(session: AsyncSession, authority: str, limit: int) -> Sequence[CoalitionState]:
    """Return the coalitions that wait for an authority's answer, the most urgent first."""
    return [CoalitionState.model_validate(one) for one in await store.waiting_for(session, authority, limit)]


async def find(session: AsyncSession, coalition_id: str) -> CoalitionState:
    """Return one coalition. Raises CoalitionError."""
    row = await store.load(session, coalition_id)
    if row is None:
        raise CoalitionError(f"there is no coalition {coalition_id}; `jointly coalition list` shows them")
    return CoalitionState.model_validate(row.payload)


async def answers(session: AsyncSession, coalition_id: str) -> list[Answer]:
    """Return the responses about a coalition, oldest first. Reasons belong to the authority and are not shown."""
    rows = await responses.of_subject(session, coalition_id)
    return [
        Answer(
            authority=row.authority,
            kind=row.kind,
            outcome=row.outcome,
            detail=row.detail,
            on=row.received_on.isoformat(),
            undone=row.undone_by is not None,
            response_id=row.response_id,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class MemberRoutes:
    """The routes that members of a coalition recorded: as lines for people, and entry by entry for programs."""

    lines: tuple[str, ...]
    entries: tuple[dict[str, Any], ...]


async def load_routes(session: AsyncSession, state: CoalitionState, day: date) -> MemberRoutes:
    """Load the routes of the members that share their plans openly. An ended coalition has nothing left to consider."""
    stored = await plans.by_id(session, [member.plan_id for member in state.members])
    visible = {plan_id for plan_id, plan in stored.items() if is_open(plan.state)}
    routes = await load_coalition_routes(session, None, state.coalition_id, visible)
    entries = [one for found in routes.by_step.values() for one in found]
    names = {one.authority: name_on(one.authority, day) for one in entries}
    lines = route_prompts(routes, names) if state.status in LIVING else route_lines(routes, names)
    return MemberRoutes(lines, tuple(one.as_json() for one in entries))


async def joint_notice(session: AsyncSession, coalition_id: str) -> dict[str, Any]:
    """Build the block of a joint notice (Procurement Regulations 2024, regulation 13): the lead, then each other
    authority.

    Raises CoalitionError before the coalition has formed. Postal addresses stay empty: the database holds none.
    """
    state = await find(session, coalition_id)
    members = [member for member in state.members if member.state == MemberState.ACCEPTED]
    if state.status not in AGREED or state.lead is None:
        raise CoalitionError(
            f"the coalition is {state.status}; a joint notice needs one that has formed and has a lead"
        )
    register = await authorities.by_codes(session, [member.authority for member in members])
    mailboxes = {code: row.mailbox for code, row in register.items()}
    ordered = sorted(members, key=lambda member: (member.plan_id != state.lead, member.authority_name))
    lead, *others = [_party(member, mailboxes.get(member.authority)) for member in ordered]
    return {"coalition_id": coalition_id, "lead": lead, "acting_jointly_with": others}


def _party(member: CoalitionMember, mailbox: str | None) -> dict[str, Any]:
    return {
        "name": member.authority_name,
        "identifier": member.authority,
        "postal_address": None,
        "email": mailbox,
        "plan_id": member.plan_id,
        "committed": member.committed,
    }
