"""Coalitions and their members. Rows are never deleted; a revision rises only when the content changes."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, Column, ColumnElement, Index, and_, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from events.coalitions import CoalitionStatus, MemberState
from services.domain.coalition import CURRENT, LIVING, Coalition
from services.store.database import in_array, json_column, now, timestamp
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord
from services.store.sharing import is_open, open_sql

_COALITION: Final = TypeAdapter(Coalition)
_LIVING: Final = sorted(status.value for status in LIVING)


class CoalitionRow(SQLModel, table=True):
    """One coalition. `state` is the domain's state, `payload` the payload of its latest event.

    `status_by`: the authority whose act caused the status; null if a plan or the calendar did. `review_on`: the next
    day on which the calendar alone may change the status.
    """

    __tablename__ = "coalitions"
    __table_args__ = (
        Index("coalitions_review", "review_on", postgresql_where=text("review_on IS NOT NULL")),
        Index("coalitions_status", "status", "created_at"),
    )

    coalition_id: str = Field(primary_key=True)
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    status: str
    status_by: str | None = Field(default=None)
    state: Any = Field(sa_column=json_column())
    payload: Any = Field(sa_column=json_column())
    content_hash: str
    review_on: date | None = Field(default=None)
    created_at: datetime = Field(sa_column=timestamp())
    updated_at: datetime = Field(sa_column=timestamp())

    @property
    def coalition(self) -> Coalition:
        """Decode the coalition's state for the domain."""
        return _COALITION.validate_python(self.state)


class CoalitionMemberRow(SQLModel, table=True):
    """The membership of a plan in a coalition. `plan_revision` is the revision that the coalitions process last
    reviewed."""

    __tablename__ = "coalition_members"

    coalition_id: str = Field(primary_key=True, foreign_key="coalitions.coalition_id", ondelete="CASCADE")
    plan_id: str = Field(primary_key=True, index=True)
    authority: str = Field(index=True)
    state: str
    plan_revision: int = Field(sa_column=Column(BigInteger, nullable=False))


def dump(coalition: Coalition) -> Any:
    """Encode a coalition for `CoalitionRow.state`."""
    return _COALITION.dump_python(coalition, mode="json")


async def load(session: AsyncSession, coalition_id: str) -> CoalitionRow | None:
    """Return one coalition."""
    return await session.get(CoalitionRow, coalition_id)


async def living_with(session: AsyncSession, plan_ids: Collection[str]) -> list[CoalitionRow]:
    """Return the living coalitions that one of these plans is or was in, oldest first."""
    return await _with(session, plan_ids, col(CoalitionRow.status).in_(_LIVING))


async def ended_with(session: AsyncSession, plan_ids: Collection[str]) -> list[CoalitionRow]:
    """Return the ended coalitions that one of these plans was in, oldest first."""
    return await _with(session, plan_ids, col(CoalitionRow.status).not_in(_LIVING))


async def ended_with_forgotten(session: AsyncSession, plan_ids: Collection[str]) -> list[CoalitionRow]:
    """Return the ended coalitions of these plans whose messages may still hold forgotten content of a plan."""
    forgotten = select(col(CoalitionMemberRow.coalition_id)).where(
        in_array(col(CoalitionMemberRow.plan_id), plan_ids), col(CoalitionMemberRow.plan_revision) == _UNSEEN
    )
    return await _with(
        session,
        plan_ids,
        and_(col(CoalitionRow.status).not_in(_LIVING), col(CoalitionRow.coalition_id).in_(forgotten)),
    )


async def _with(session: AsyncSession, plan_ids: Collection[str], wanted: Any) -> list[CoalitionRow]:
    members = select(col(CoalitionMemberRow.coalition_id)).where(in_array(col(CoalitionMemberRow.plan_id), plan_ids))
    found = await session.execute(
        select(CoalitionRow)
        .where(wanted, col(CoalitionRow.coalition_id).in_(members))
        .order_by(col(CoalitionRow.created_at), col(CoalitionRow.coalition_id))
    )
    return list(found.scalars())


async def save_members(session: AsyncSession, coalition: Coalition, revisions: dict[str, int]) -> None:
    """Replace the members of a coalition. `revisions` maps plans to the revisions reviewed."""
    coalition_id = coalition.coalition_id
    await session.execute(delete(CoalitionMemberRow).where(col(CoalitionMemberRow.coalition_id) == coalition_id))
    session.add_all(
        CoalitionMemberRow(
            coalition_id=coalition_id,
            plan_id=member.plan_id,
            authority=member.authority,
            state=member.state.value,
            plan_revision=revisions.get(member.plan_id, 0),
        )
        for member in coalition.members
    )


async def mark_looked_at(session: AsyncSession, coalition_id: str, revisions: dict[str, int]) -> None:
    """Record the reviewed revisions of the members' plans when nothing else changed."""
    for row in (
        await session.execute(select(CoalitionMemberRow).where(col(CoalitionMemberRow.coalition_id) == coalition_id))
    ).scalars():
        row.plan_revision = revisions.get(row.plan_id, row.plan_revision)


_UNSEEN: Final = 0
"""Marks a member whose plan needs another review, whatever the status of the coalition."""

_CHANGED_PLANS: Final = text(
    "SELECT DISTINCT m.plan_id FROM coalition_members m"  # noqa: S608 (ours)
    " JOIN coalitions c USING (coalition_id) JOIN plans p ON p.plan_id = m.plan_id"
    " WHERE c.status = ANY(:living) AND p.revision <> m.plan_revision OR m.plan_revision = :unseen"
    " UNION SELECT m.plan_id FROM coalition_members m JOIN coalitions c USING (coalition_id)"
    " CROSS JOIN jsonb_array_elements(c.state -> 'proposals') proposed"
    " JOIN plans p ON p.plan_id = proposed ->> 'plan_id'"
    " WHERE c.status = ANY(:living) AND proposed ->> 'kind' = 'fits-too'"
    f" AND (p.status <> 'active' OR NOT {open_sql('p.state')})"
    " ORDER BY plan_id LIMIT :limit"
)
_FORGET: Final = text("UPDATE coalition_members SET plan_revision = :unseen WHERE plan_id = :plan_id")


async def forget_plan(session: AsyncSession, plan_id: str) -> None:
    """Mark the plan, so that the coalitions process rewrites its coalitions without the forgotten content."""
    await session.execute(_FORGET, {"plan_id": plan_id, "unseen": _UNSEEN})


_FORGET_INVITATIONS: Final = text(
    "WITH blanked AS (UPDATE coalitions SET state = jsonb_set(state, '{invitation}',"
    "  state -> 'invitation' || jsonb_build_object('scope', '', 'route', ''))"
    " WHERE concat(state #>> '{invitation,scope}', state #>> '{invitation,route}') <> ''"
    "  AND (ARRAY[state #>> '{invitation,by}', state #>> '{invitation,convened_by}'] && CAST(:subjects AS text[])"
    "   OR state #>> '{invitation,convened_by}' IS NOT NULL AND coalition_id IN"
    "    (SELECT coalition_id FROM coalition_members WHERE plan_id = ANY(:subjects)))"
    " RETURNING coalition_id)"
    " UPDATE coalition_members SET plan_revision = :unseen WHERE coalition_id IN (SELECT coalition_id FROM blanked)"
)


async def forget_invitations(session: AsyncSession, subjects: Collection[str]) -> None:
    """Delete the words of invitations for plans or by parties, and mark their coalitions, so that the coalitions
    process rewrites them. The caller holds the lock of coalitions."""
    await session.execute(_FORGET_INVITATIONS, {"subjects": list(subjects), "unseen": _UNSEEN})


async def says_forgotten(session: AsyncSession, coalition_id: str) -> bool:
    """Return whether a coalition's messages may still hold forgotten content of a member's plan."""
    found = await session.execute(
        select(func.count())
        .select_from(CoalitionMemberRow)
        .where(col(CoalitionMemberRow.coalition_id) == coalition_id, col(CoalitionMemberRow.plan_revision) == _UNSEEN)
    )
    return bool(found.scalar_one())


async def changed_plans(session: AsyncSession, limit: int) -> list[str]:
    """Return members' plans with a revision that a living coalition has not reviewed, and forgotten plans. Also return
    the members of coalitions that propose a plan which is no longer open: its own events may not name it."""
    given = {"living": _LIVING, "unseen": _UNSEEN, "limit": limit}
    return list((await session.execute(_CHANGED_PLANS, given)).scalars())


async def due(session: AsyncSession, today: date, limit: int) -> list[CoalitionRow]:
    """Return the coalitions whose status the calendar may have changed, oldest first."""
    found = await session.execute(
        select(CoalitionRow)
        .where(col(CoalitionRow.review_on) <= today)
        .order_by(col(CoalitionRow.review_on), col(CoalitionRow.coalition_id))
        .limit(limit)
    )
    return list(found.scalars())


async def listed(
    session: AsyncSession, authorities: Collection[str] | None, statuses: Iterable[str], limit: int
) -> Sequence[Any]:
    """Return the coalitions with these statuses, newest first; with authorities, only those that one is or was in."""
    wanted: list[ColumnElement[bool]] = [col(CoalitionRow.status).in_(list(statuses))]
    if authorities is not None:
        own = select(col(CoalitionMemberRow.coalition_id)).where(
            in_array(col(CoalitionMemberRow.authority), authorities)
        )
        wanted.append(col(CoalitionRow.coalition_id).in_(own))
    found = await session.execute(
        select(CoalitionRow)
        .where(*wanted)
        .order_by(col(CoalitionRow.updated_at).desc(), col(CoalitionRow.coalition_id))
        .limit(limit)
    )
    return list(found.scalars())


_WAITING: Final = text(
    "SELECT c.payload FROM coalition_members m JOIN coalitions c USING (coalition_id)"
    " JOIN LATERAL jsonb_array_elements(c.payload -> 'members') own ON own ->> 'plan_id' = m.plan_id"
    " WHERE m.authority = :authority AND c.status = ANY(:living) AND (m.state = :invited"
    "  OR c.status = :suggestion AND m.state = :suggested AND own ->> 'interest' IS NULL)"
    " ORDER BY coalesce(CASE WHEN m.state = :invited THEN c.payload #>> '{invitation,reply_by}' END,"
    "  c.payload ->> 'decide_by'), c.coalition_id LIMIT :limit"
)


async def waiting_for(session: AsyncSession, authority: str, limit: int) -> list[Any]:
    """Return the payloads of the coalitions whose other members wait for this authority's answer, the most urgent
    first."""
    given = {
        "authority": authority,
        "living": _LIVING,
        "invited": MemberState.INVITED,
        "suggestion": CoalitionStatus.SUGGESTED,
        "suggested": MemberState.SUGGESTED,
        "limit": limit,
    }
    return list((await session.execute(_WAITING, given)).scalars())


async def open_to_party(session: AsyncSession, authorities: Collection[str], limit: int) -> list[CoalitionRow]:
    """Return the living coalitions in which one of these authorities has an openly shared plan.

    Those that nobody has begun come first, then those to decide soonest.
    """
    visible = (
        select(col(CoalitionMemberRow.coalition_id))
        .join(PlanRecord, col(PlanRecord.plan_id) == col(CoalitionMemberRow.plan_id))
        .where(in_array(col(CoalitionMemberRow.authority), authorities), is_open(col(PlanRecord.state)))
    )
    found = await session.execute(
        select(CoalitionRow)
        .where(col(CoalitionRow.status).in_(_LIVING), col(CoalitionRow.coalition_id).in_(visible))
        .order_by(
            col(CoalitionRow.status) != CoalitionStatus.SUGGESTED,
            col(CoalitionRow.payload)["decide_by"].as_string(),
            col(CoalitionRow.coalition_id),
        )
        .limit(limit)
    )
    return list(found.scalars())


async def counts(session: AsyncSession) -> dict[str, int]:
    """Count coalitions by status."""
    found = await session.execute(select(col(CoalitionRow.status), func.count()).group_by(col(CoalitionRow.status)))
    return {row[0]: row[1] for row in found}


_PAIRS_INSIDE: Final = text(
    "SELECT DISTINCT o.opportunity_id FROM opportunities o"
    " JOIN coalition_members a ON a.plan_id = o.plan_a JOIN coalition_members b ON b.plan_id = o.plan_b"
    " AND b.coalition_id = a.coalition_id JOIN coalitions c ON c.coalition_id = a.coalition_id"
    " JOIN plans p ON p.plan_id = o.plan_a JOIN plans q ON q.plan_id = o.plan_b"
    " WHERE o.opportunity_id = ANY(:ids) AND c.status IN ('inviting', 'formed', 'frozen')"
    " AND a.state IN ('invited', 'accepted') AND b.state IN ('invited', 'accepted')"
    " AND p.status = 'active' AND q.status = 'active'"
)


async def pairs_inside(session: AsyncSession, opportunity_ids: Collection[str]) -> set[str]:
    """Return those of these opportunities whose two active plans are going to market together in a living coalition."""
    return set((await session.execute(_PAIRS_INSIDE, {"ids": list(opportunity_ids)})).scalars())


_OUTSIDE: Final = text(
    "SELECT o.opportunity_id FROM opportunities o"
    " WHERE o.status = 'active' AND o.band IN ('notify', 'digest') AND o.authority_a <> o.authority_b"
    " AND o.authority_a = ANY(:authorities) AND o.authority_b = ANY(:authorities)"
    " AND NOT EXISTS (SELECT FROM coalitions c"
    "  JOIN coalition_members a ON a.coalition_id = c.coalition_id AND a.plan_id = o.plan_a"
    "  JOIN coalition_members b ON b.coalition_id = c.coalition_id AND b.plan_id = o.plan_b"
    "  WHERE c.status = ANY(:living) AND a.state = ANY(:current) AND b.state = ANY(:current))"
    " ORDER BY (o.payload ->> 'score')::float DESC NULLS LAST, o.opportunity_id"
)


async def pairs_outside(session: AsyncSession, authorities: Collection[str]) -> Sequence[str]:
    """Return the ids of pairs of these authorities that are worth telling of and not together in a living coalition,
    best first."""
    values = {"authorities": sorted(authorities), "living": _LIVING, "current": list(CURRENT)}
    return (await session.execute(_OUTSIDE, values)).scalars().all()


async def load_opportunity(session: AsyncSession, opportunity_id: str) -> Opportunity | None:
    """Return one opportunity as committed."""
    return await session.get(Opportunity, opportunity_id)


def new_row(coalition_id: str) -> CoalitionRow:
    """Build a row for a coalition that has no revision yet."""
    return CoalitionRow(
        coalition_id=coalition_id,
        revision=0,
        status="",
        state={},
        payload={},
        content_hash="",
        created_at=now(),
        updated_at=now(),
    )
