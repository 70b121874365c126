"""Builds the responses of parties and their members: a delegation, its end, and an invitation by a party."""

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import MemberState
from events.responses import DelegationScope, ResponseConvened, ResponseDelegated
from services.application.responses import ResponseError, build
from services.domain.coalition import MIN_MEMBERS
from services.domain.delegation import Delegation
from services.domain.ids import party_subject
from services.store import coalitions, delegations, parties


async def delegated(
    session: AsyncSession,
    authority: str,
    party: str,
    scope: DelegationScope,
    days: tuple[date, date],
    response_id: str | None = None,
) -> ResponseDelegated:
    """The response that delegates to a party, from the first to the last of these days.

    Raises ResponseError if there is no such party or the days are invalid.
    """
    if await parties.load(session, party) is None:
        raise ResponseError(f"there is no party {party}; `jointly parties list` shows them")
    return await _delegation(session, authority, party, (scope, *days), response_id)


async def revoked(
    session: AsyncSession, authority: str, party: str, today: date, response_id: str | None = None
) -> ResponseDelegated:
    """The response that ends a delegation. Raises ResponseError if there is none."""
    current = await delegations.load(session, authority, party)
    if current is None or current.scope is None:
        raise ResponseError(f"{authority} has delegated nothing to {party}")
    return await _delegation(session, authority, party, (None, today, today), response_id)


async def convened(
    session: AsyncSession, party: str, subject_id: str, day: date, *, plan_ids: Collection[str] = (), **values: Any
) -> ResponseConvened:
    """The response by which a party invites its members: those of the given plans, or all that can be invited.

    `subject_id`: a coalition's, or a pair's. Raises ResponseError if there is no such party or subject, or if fewer
    than two plans of members can be invited.
    """
    found = await parties.load(session, party)
    if found is None:
        raise ResponseError(f"there is no party {party}; `jointly parties list` shows them")
    subject, suggested = await _convenable(session, subject_id)
    members = found.members_on(day)
    chosen = sorted(plan_ids) or [plan_id for plan_id, authority in suggested if authority in members]
    if len(chosen) < MIN_MEMBERS:
        raise ResponseError(f"{party} has to invite {MIN_MEMBERS} plans or more of its members of {day}")
    common = {"response_id": str(uuid4()), "authority": party, "plan_ids": chosen}
    built = build(ResponseConvened, common | subject | values)
    assert isinstance(built, ResponseConvened)
    return built


async def _convenable(session: AsyncSession, subject_id: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The subject of an invitation, and the plans that nobody has invited yet, each with its authority."""
    row = await coalitions.load(session, subject_id)
    if row is not None:
        fields = {"subject": "coalition", "subject_revision": row.coalition.terms_revision}
        suggested = [(one.plan_id, one.authority) for one in row.coalition.in_state(MemberState.SUGGESTED)]
        return fields | {"subject_id": subject_id}, suggested
    pair = await coalitions.load_opportunity(session, subject_id)
    if pair is None:
        raise ResponseError(
            f"there is no coalition or opportunity {subject_id}; `jointly coalition list` and `jointly opportunities` "
            "show them"
        )
    fields = {"subject": "opportunity", "subject_revision": pair.revision}
    return fields | {"subject_id": subject_id}, [(pair.plan_a, pair.authority_a), (pair.plan_b, pair.authority_b)]


async def _delegation(
    session: AsyncSession,
    authority: str,
    party: str,
    terms: tuple[DelegationScope | None, date, date],
    response_id: str | None,
) -> ResponseDelegated:
    current = await delegations.load(session, authority, party)
    values = {
        "response_id": response_id or str(uuid4()),
        "authority": authority,
        "subject": "party",
        "subject_id": party_subject(party),
        "subject_revision": current.revision + 1 if current is not None else 1,
        "party": party,
        "scope": terms[0],
        "starts_on": terms[1],
        "until": terms[2],
    }
    built = build(ResponseDelegated, values)
    assert isinstance(built, ResponseDelegated)
    return built


def delegation_json(one: Delegation, day: date) -> dict[str, Any]:
    """A delegation for programs."""
    return {
        "authority": one.authority,
        "party": one.party,
        "scope": one.scope.value if one.scope is not None else None,
        "starts_on": one.starts_on.isoformat(),
        "until": one.until.isoformat(),
        "valid": one.is_valid_on(day),
    }
