"""A rebuild beside a matcher, and what the notifier would tell."""

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import text

from events.cloudevents import decode
from events.opportunities import OPPORTUNITY_PAYLOADS
from services.maintenance import apply_rebuild
from services.maintenance.apply_rebuild import RebuildApplied
from services.maintenance.rebuild import RebuildReport, compare
from services.notifier.event_handler import OpportunityEvent, record_intents
from services.store.database import transaction
from tests.pipeline import AS_OF
from tests.support.matcher import MatcherHarness


async def compared(harness: MatcherHarness, *, swap: bool = False) -> tuple[RebuildReport, RebuildApplied | None]:
    """Compare with the log, and apply what was found if `swap`."""
    async with transaction(harness.sessions, isolation="REPEATABLE READ") as view:
        found = await compare(harness.matcher.context, harness.sessions, view, AS_OF, lambda *_: None)
        done = await apply_rebuild.apply_rebuild(harness.sessions, found) if swap else None
    return found, done


async def told(harness: MatcherHarness) -> int:
    """How many things the notifier, having read every event, would tell."""
    async with transaction(harness.sessions) as session:
        rows = await session.execute(text("SELECT headers, value FROM outbox WHERE topic LIKE 'collab%' ORDER BY id"))
        events = [
            decode([(name, value.encode()) for name, value in headers], bytes(value), OPPORTUNITY_PAYLOADS)
            for headers, value in rows
        ]
    for event in events:
        await record_intents(
            harness.sessions, [OpportunityEvent(event.id, event.payload, cast(Any, None))], datetime.now(UTC), 0
        )  # type: ignore[arg-type]
    ((count,),) = await harness.rows("SELECT count(*) FROM notification_intents WHERE state <> 'cancelled'")
    return int(count)
