"""Publishes the benchmark cells of the quarter that has ended, once."""

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
    """Publishes the cells of the last quarter that has ended, unless they are there; whether this call did.

    Two processes may do it at the same moment: the database takes one. A quarter without any price waits.
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
