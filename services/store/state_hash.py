"""A hash of the matcher's results for the plan log. Two databases with the same results have the same hash."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Table, collate, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.opportunity_status import OpportunityStatus
from services.store.database import table_of
from services.store.opportunities import OPPORTUNITY_TABLE
from services.store.plans import PlanRecord


@dataclass(frozen=True, slots=True)
class StateHash:
    """`sha256` over the plans (id, revision, status) and the active pairs (plans, their revisions, score, band, day).

    It excludes history: the order of pairs, revision counters, withdrawn pairs and notifications.
    """

    sha256: str
    plans: int
    pairs: int

    def as_json(self) -> dict[str, Any]:
        """The printed form."""
        return asdict(self)


async def state_hash(
    session: AsyncSession, plans: Table | None = None, opportunities: Table | None = None
) -> StateHash:
    """Hash the live tables, or the given ones, in the session's snapshot.

    If matchers are running, call it in one REPEATABLE READ transaction.
    """
    p = table_of(PlanRecord) if plans is None else plans
    o = OPPORTUNITY_TABLE if opportunities is None else opportunities
    plan_rows = select(p.c.plan_id, p.c.revision, p.c.status).order_by(collate(p.c.plan_id, "C"))
    pair_rows = (
        select(o.c.plan_a, o.c.plan_b, o.c.revision_a, o.c.revision_b, o.c.score, o.c.band, o.c.assessed_as_of)
        .where(o.c.status == OpportunityStatus.ACTIVE)
        .order_by(collate(o.c.plan_a, "C"), collate(o.c.plan_b, "C"))
    )
    running = hashlib.sha256()
    counts = []
    for name, query in (("plans", plan_rows), ("pairs", pair_rows)):
        count = 0
        async for row in await session.stream(query.execution_options(yield_per=1000)):
            running.update(_line(name, row))
            count += 1
        counts.append(count)
    return StateHash(running.hexdigest(), *counts)


def _line(name: str, row: Sequence[Any]) -> bytes:
    """Encode one row as text that is the same everywhere: shortest exact numbers, days as ISO 8601."""
    return (json.dumps([name, *row], default=str, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
