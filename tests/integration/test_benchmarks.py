"""Benchmark cells are published once a quarter, and every read of them is in the audit log."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from services.cli import application
from services.coalitions.benchmark_publishing import publish_ended_quarter
from services.domain.benchmark_cells import PriceStep, Quarter
from services.platform.settings import settings
from services.store import benchmarks
from services.store.database import make_sessions
from tests.support.coalitions import AS_OF, LEEDS
from tests.support.contracts import ContractsHarness, contract

pytestmark = pytest.mark.integration

SUPPLIERS = ("Northmoor Software Ltd", "Fellgate Systems plc", "Ashdown Digital")
PRICES = (12.0, 15.0, 17.4, 19.0, 30.0)


@pytest_asyncio.fixture
async def harness(database: AsyncEngine) -> AsyncIterator[ContractsHarness]:
    yield ContractsHarness(make_sessions(database), AS_OF)


async def share(harness: ContractsHarness, count: int, first: int = 0) -> None:
    """Some more authorities share what they pay."""
    for number in range(first, first + count):
        price = {"item": "licence", "unit": "user-year", "quantity": 2000, "unit_price": PRICES[number % 5]}
        await harness.handle(contract(f"E080000{number:02}", prices=[price], supplier=SUPPLIERS[number % 3]))


async def test_a_quarter_is_published_once_whatever_comes_later(harness: ContractsHarness) -> None:
    assert not await publish_ended_quarter(harness.sessions, AS_OF), "without a price there is nothing to publish"
    await share(harness, 5)
    both = [publish_ended_quarter(harness.sessions, AS_OF) for _ in range(2)]
    assert sorted(await asyncio.gather(*both)) == [False, True]
    before = await harness.rows("SELECT * FROM benchmark_quarters")
    await share(harness, 3, first=5)
    assert not await publish_ended_quarter(harness.sessions, AS_OF)
    assert await harness.rows("SELECT * FROM benchmark_quarters") == before
    assert await publish_ended_quarter(harness.sessions, date(2027, 1, 1))
    async with harness.sessions() as session:
        (older,) = await benchmarks.cells(session, "48450", Quarter(2026, 3))
        (newest,) = await benchmarks.cells(session, "48450")
    assert (older.authorities, older.median, older.quartiles) == (5, PriceStep.containing(17.4), None)
    assert (newest.quarter, newest.authorities, newest.quartiles is not None) == (Quarter(2026, 4), 8, True)


async def test_the_command_shows_the_cell_and_the_read_is_logged(
    harness: ContractsHarness, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await share(harness, 5)
    await harness.handle(contract("E08000077", prices=[], withheld="confidential-term"))
    await publish_ended_quarter(harness.sessions, AS_OF)
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url.replace("+psycopg", ""))
    text = await asyncio.to_thread(_jointly, "benchmark", "48450000", "--authority", LEEDS)
    assert "16.94 to 17.79" in text
    assert "from 8 authorities" in text
    assert "1 confidential-term" in text
    (line,) = (await asyncio.to_thread(_jointly, "benchmark", "48450", "--json")).splitlines()
    cell = json.loads(line)
    assert (cell["authorities"], cell["suppliers"], cell["quarter"]) == (5, 3, "2026-Q3")
    acts = await harness.rows("SELECT action, authority, subject FROM audit_log ORDER BY seq")
    assert acts == [("benchmark-read", LEEDS, "benchmark:48450"), ("benchmark-read", None, "benchmark:48450")]


@pytest.mark.parametrize("about", ["HR", "4845", "E08000035:NONE"])
async def test_what_is_no_category_is_refused_with_a_sentence(
    database: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch, about: str
) -> None:
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url.replace("+psycopg", ""))
    text = await asyncio.to_thread(_jointly, "benchmark", about, code=1)
    assert "plan id" in text


def _jointly(*arguments: str, code: int = 0) -> str:
    settings.cache_clear()
    try:
        done = CliRunner().invoke(application(arguments[0]), list(arguments), env={"COLUMNS": "200"})
        assert done.exit_code == code, done.output
        return done.output
    finally:
        settings.cache_clear()
