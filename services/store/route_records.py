"""Route records: stored responses as entries of a record, and the routes of a coalition's members."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import ResponseRoute
from services.domain.route import CoalitionRoutes, RouteEntry, build_coalition_routes
from services.store import responses
from services.store.responses import ResponseRow


async def load_coalition_routes(
    session: AsyncSession, plan_id: str | None, coalition_id: str, visible: Collection[str]
) -> CoalitionRoutes:
    """Load the routes recorded for a coalition by members with a visible plan.

    With a `plan_id`: as its authority sees them, with all that were recorded for this plan.
    """
    rows = await responses.routes(session, [plan_id] if plan_id else [], [coalition_id])
    return build_coalition_routes(to_entry(row) for row in rows if row.plan_id in visible)


def to_entry(row: ResponseRow) -> RouteEntry:
    """Convert a stored response into an entry of the record."""
    payload = responses.payload_of(row, ResponseRoute)
    return RouteEntry(
        step=payload.step,
        outcome=payload.outcome,
        asked_at=payload.asked_at,
        by=payload.by,
        authority=row.authority,
        recorded_on=row.received_on,
        candidates=payload.candidates,
        reason=payload.reason,
        note=payload.note,
        coalition_id=row.subject_id if row.subject == "coalition" else None,
        response_id=row.response_id,
    )
