"""Shows operators the numbers of the programme report, as of today."""

import asyncio
import math
from datetime import date
from typing import Final

from services.domain.programme.report import Measure, Records, build_scene, measure_all
from services.platform import logs, metrics, retry
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import programme
from services.store.database import Sessions, begin_snapshot

MEASURE_SECONDS: Final = 3600.0
"""The report reads the whole plan log, and its numbers move by the day."""

log: Final = logs.get(__name__)


async def measure_for_ever(sessions: Sessions, settings: Settings) -> None:
    """Measure at regular intervals. After a failure, the last measurement stays until the next one."""
    failure = "measuring the programme failed"
    await retry.repeat(lambda: measure_programme(sessions, today(settings.as_of)), MEASURE_SECONDS, failure, log)


async def measure_programme(sessions: Sessions, as_of: date) -> None:
    """Show every measure of the report; one without a value is no number."""
    async with sessions() as session:
        await begin_snapshot(session)
        records = await programme.load_records(session)
    # Beside the event loop: answers are handled meanwhile.
    for one in await asyncio.to_thread(_measure, records, as_of):
        value = math.nan if one.value is None else one.value
        metrics.PROGRAMME.labels(section=one.section, measure=one.name).set(value)


def _measure(records: Records, as_of: date) -> list[Measure]:
    return measure_all(build_scene(records, as_of))
