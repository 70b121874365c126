"""What a recorded route may be about: the authority's own plan, or a coalition that the plan is in."""

from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import ResponseRoute
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason
from services.domain.ids import plan_subject
from services.store import coalitions, plans


async def require_subject(session: AsyncSession, payload: ResponseRoute) -> None:
    """Raises AnswerRefusedError where there is no such subject. Whatever has changed since, a route is recorded."""
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
