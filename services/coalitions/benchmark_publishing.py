"""Publishes the benchmark cells of each quarter once, after the quarter has ended."""

from datetime import date
from typing import Final

from events.contracts import ContractPublished
from services.domain.benchmark_cells import Quarter
from services.domain.benchmark_inputs import cells_of_quarter
from services.platform import logs
from services.store import benchmarks, contracts
from services.store.database import Sessions, transaction

log: Final = logs.get(__name__)


async def publish_ended_quarter(sessions: Sessions, today: date) -> bool:
    """Publish the cells of the last ended quarter unless they exist; return whether this call did.

    If two processes try at the same moment, the database accepts one. A quarter without any price waits.
    """
    quarter = Quarter.containing(today).previous
    async with transaction(sessions) as session:
        if await benchmarks.is_published(session, quarter):
            return False
        known = [ContractPublished.model_validate(row.payload) for row in await contracts.priced(session)]
        cells = cells_of_quarter(known, quarter)
        published = bool(cells) and await benchmarks.publish(session, quarter, cells)
    if published:
        shown = sum(cell.suppression is None for cell in cells)
        log.info("benchmarks published", quarter=str(quarter), cells=shown, suppressed=len(cells) - shown)
    return published
