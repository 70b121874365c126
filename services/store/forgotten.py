"""Plans whose content was forgotten on request, each with the last forgotten revision and the time.

The rows stay. A redelivered event can't bring the content back, and an operator who restores an older backup can see
which plans to forget again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from services.store.database import now, timestamp
from services.store.pipelined_queries import PipelinedQuery

FORGOTTEN: Final = "forgotten"
"""The member of a payload that marks it as blanked."""


class ForgottenPlan(SQLModel, table=True):
    """One plan, forgotten up to a revision. Higher revisions are processed normally."""

    __tablename__ = "forgotten_plans"

    plan_id: str = Field(primary_key=True)
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    forgotten_at: datetime = Field(sa_column=timestamp())


_REVISIONS: Final = text("SELECT plan_id, revision FROM forgotten_plans WHERE plan_id = ANY(:ids)")
_NOTE: Final = text(
    "INSERT INTO forgotten_plans (plan_id, revision, forgotten_at) VALUES (:plan_id, :revision, :at)"
    " ON CONFLICT (plan_id) DO UPDATE SET revision = greatest(forgotten_plans.revision, excluded.revision),"
    " forgotten_at = excluded.forgotten_at"
)


def revisions(plan_ids: Sequence[str]) -> PipelinedQuery[dict[str, int]]:
    """Return the last forgotten revision of each of these plans; plans never forgotten are left out."""
    return PipelinedQuery(_REVISIONS, {"ids": list(plan_ids)}, lambda found: {row[0]: row[1] for row in found})


async def note(session: AsyncSession, plan_id: str, revision: int) -> None:
    """Record that a plan is forgotten up to a revision."""
    await session.execute(_NOTE, {"plan_id": plan_id, "revision": revision, "at": now()})


def blank(plan_id: str, revision: int, authority: str) -> dict[str, Any]:
    """Build a payload that holds only the plan's identity."""
    return {"plan_id": plan_id, "revision": revision, "authority": authority, FORGOTTEN: True}


def is_blank(payload: Mapping[str, Any]) -> bool:
    """Return whether a payload was blanked."""
    return payload.get(FORGOTTEN) is True


async def blank_log(session: AsyncSession, plan_ids: Collection[str]) -> int:
    """Blank every logged payload of these plans, whatever its revision; returns the number of rows. Ids and hashes
    stay."""
    found = await session.execute(_BLANK_LOG, {"ids": list(plan_ids), "forgotten": FORGOTTEN})
    return len(found.all())


_BLANK_LOG: Final = text(
    "UPDATE plan_log SET payload = jsonb_build_object('plan_id', plan_id, 'revision', revision, 'authority',"
    " split_part(plan_id, ':', 1), CAST(:forgotten AS text), true)"
    " WHERE plan_id = ANY(:ids) AND NOT jsonb_exists(payload, :forgotten) RETURNING id"
)
