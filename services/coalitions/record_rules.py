"""Checks records of routes and documents: a route of the authority's own plan or coalition, or a coalition's
document."""

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionStatus
from events.responses import ResponseDocument, ResponseRoute
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason
from services.domain.ids import plan_subject
from services.store import coalitions, plans


async def require_subject(session: AsyncSession, payload: ResponseRoute) -> None:
    """Raise AnswerRefusedError if the subject does not exist. Later changes of the subject do not matter."""
    if payload.subject == "plan":
        await _require_plan(session, payload)
    elif payload.subject == "coalition":
        await _require_member(session, payload)
    else:
        raise AnswerRefusedError(
            RefusalReason.NOT_ALLOWED, "a route is recorded for a plan or for a coalition, not for an opportunity"
        )


async def _require_plan(session: AsyncSession, payload: ResponseRoute) -> None:
    stored = (await plans.by_id(session, [payload.plan_id])).get(payload.plan_id)
    if stored is None or payload.subject_id != plan_subject(payload.plan_id):
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"{payload.subject_id} is not the plan {payload.plan_id}, or there is none"
        )


async def _require_member(session: AsyncSession, payload: ResponseRoute) -> None:
    row = await coalitions.load(session, payload.subject_id)
    if row is None or payload.plan_id not in {member.plan_id for member in row.coalition.current}:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"plan {payload.plan_id} is in no coalition {payload.subject_id}"
        )


async def require_accepted(session: AsyncSession, payload: ResponseDocument) -> None:
    """Raise AnswerRefusedError unless the plan is in the coalition and the coalition has not ended."""
    row = await coalitions.load(session, payload.subject_id) if payload.subject == "coalition" else None
    if row is None or payload.plan_id not in {member.plan_id for member in row.coalition.accepted}:
        raise AnswerRefusedError(
            RefusalReason.NOT_A_MEMBER, "only a member that is in shows the others a document; accept or join first"
        )
    if row.status in (CoalitionStatus.DISSOLVED, CoalitionStatus.LAPSED):
        raise AnswerRefusedError(RefusalReason.CLOSED, "the coalition has ended; send the document yourselves")
