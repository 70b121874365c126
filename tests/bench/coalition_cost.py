"""The cost of coalitions: events a second, and the time from one opportunity event to the commit of its coalitions.

    python -m tests.bench.coalition_cost --plans 1000

Plans of invented words go through a matcher with the hashing model. Then the coalitions process handles their
opportunity events twice, each time from an empty table: in batches of 100, and one by one. Prints one JSON object.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from sqlalchemy import text

from events.plans import PlanPayload
from services.coalitions.opportunity_handler import OpportunityHandler
from services.local_stack.postgres import postgres
from services.platform import logs
from services.store.migrate import migrate
from tests.pipeline import invented_plans
from tests.support.coalitions import CoalitionsHarness, open_harness

BATCH: Final = 100
PLANS_A_SUBJECT: Final = 6


async def measure(database_url: str, plans: list[PlanPayload]) -> dict[str, Any]:
    """Return the counts and the times of one run."""
    async with open_harness(database_url) as harness:
        for start in range(0, len(plans), BATCH):
            await harness.matcher.handle([harness.record(plan) for plan in plans[start : start + BATCH]])
        records = await harness.opportunity_records()
        batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
        seconds = sum(await _handle(harness, batches))
        formed = len(await harness.coalitions())
        await _forget(harness)
        each = quantiles(await _handle(harness, [[record] for record in records]), n=100)
        assert len(await harness.coalitions()) == formed
        return {
            "plans": len(plans),
            "opportunity_events": len(records),
            "coalitions": formed,
            "events_a_second": round(len(records) / seconds),
            "milliseconds_p50": round(1000 * each[49], 1),
            "milliseconds_p99": round(1000 * each[98], 1),
        }


async def _handle(harness: CoalitionsHarness, batches: list[list[Any]]) -> list[float]:
    """Have one coalitions process handle these batches. Return the seconds that each took."""
    handler, taken = OpportunityHandler(harness.sessions, harness.settings), []
    for batch in batches:
        started = time.perf_counter()
        await handler.handle(batch)
        taken.append(time.perf_counter() - started)
    return taken


async def _forget(harness: CoalitionsHarness) -> None:
    async with harness.sessions() as session:
        await session.execute(text("TRUNCATE coalitions, coalition_members"))
        await session.commit()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=1000)
    given = parser.parse_args()
    logs.setup("bench", "WARNING")
    plans: list[PlanPayload] = list(invented_plans(given.plans, given.plans // PLANS_A_SUBJECT))
    with tempfile.TemporaryDirectory() as folder, postgres(Path(folder)) as server:
        url = server.create_database("coalitions")
        migrate(url)
        print(json.dumps(asyncio.run(measure(url, plans)), indent=2))


if __name__ == "__main__":
    main()
