"""Alerts on the time of the last success count from the start of a process that never had one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from datetime import date
from typing import Any

import pytest

from services.coalitions.sweeper import sweep_for_ever
from services.collector.app import _collect_for_ever
from services.platform import metrics
from services.platform.clock import now
from services.platform.settings import Settings
from services.store.database import make_engine, make_sessions

NOBODY = "http://127.0.0.1:1/"
AWAY = make_sessions(make_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))


async def _begin(work: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work, 0.3)


async def test_a_sweep_that_never_succeeds_counts_from_the_start() -> None:
    metrics.COALITIONS_SWEPT.set(math.nan)
    await _begin(sweep_for_ever(AWAY, Settings(sweep_interval_seconds=60)))
    assert now().timestamp() - metrics.COALITIONS_SWEPT._value.get() < 60


async def test_a_configured_feed_counts_from_the_start() -> None:
    for source in ("find-a-tender", "contracts-finder"):
        metrics.FEED_COLLECTED.labels(source=source).set(math.nan)
    settings = Settings(find_a_tender_url=NOBODY, contracts_finder_url="", collect_from=date(2026, 11, 1))
    await _begin(_collect_for_ever(settings, AWAY))
    assert now().timestamp() - metrics.FEED_COLLECTED.labels(source="find-a-tender")._value.get() < 60
    assert math.isnan(metrics.FEED_COLLECTED.labels(source="contracts-finder")._value.get())
