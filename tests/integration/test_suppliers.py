"""`jointly suppliers` on a real database: contracts and plans, as far as each is shared."""

import asyncio
import json

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from services.cli import application
from services.platform.settings import Settings, settings
from services.store.database import make_sessions
from tests.support.coalitions import AS_OF, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, CoalitionsHarness, plan
from tests.support.contracts import ContractsHarness, contract
from tests.support.matcher import make_matcher

pytestmark = pytest.mark.integration

NOW = {"reference": "77", "supplier": "NORTHMOOR SOFTWARE LIMITED", "product": "People", "end": "2027-06-30"}
RATINGS = [
    {"period": {"earliest": "2025-04-01", "latest": "2026-03-31"}, "indicator": "payslips", "rating": "good"},
]


async def _fill(database: AsyncEngine) -> None:
    sessions, using = make_sessions(database), Settings(as_of=AS_OF)
    harness = CoalitionsHarness(await make_matcher(sessions, using), sessions, using)
    contracts = ContractsHarness(sessions, AS_OF)
    await contracts.handle(
        contract(LEEDS, performance=RATINGS),
        contract(BRADFORD, reference="77", performance=RATINGS),
        contract(KIRKLEES, sharing={"coalition": "2026-01-01"}, performance=RATINGS, product="Secret"),
    )
    await harness.publish(
        plan(BRADFORD, current_contract=NOW),
        plan(CALDERDALE, current_contract=NOW),
        plan(KIRKLEES, current_contract={**NOW, "product": "Hidden"}, sharing="match_only"),
    )


async def test_what_is_shared_is_shown_once_and_nothing_else(
    database: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _fill(database)
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("JOINTLY_AS_OF", AS_OF.isoformat())
    found = [json.loads(line) for line in (await asyncio.to_thread(_jointly, "northmoor", "--json")).splitlines()]
    assert [one["reference"] for one in found] == [f"{BRADFORD}:77", f"{LEEDS}:C-1", f"{CALDERDALE}:HR-1"]
    shown = await asyncio.to_thread(_jointly, "--product", "people")
    assert "Leeds" in shown
    assert "Secret" not in shown
    assert "Hidden" not in shown
    assert "Rated" not in await asyncio.to_thread(_jointly, "northmoor"), "two ratings are too few to be shown"
    groups = await asyncio.to_thread(_jointly)
    assert groups.startswith("3 councils' contracts with Northmoor Software Ltd end within a year:")
    assert "not a need" in groups


def _jointly(*arguments: str) -> str:
    settings.cache_clear()
    try:
        done = CliRunner().invoke(application("suppliers"), ["suppliers", *arguments], env={"COLUMNS": "200"})
        assert done.exit_code == 0, done.output
        return done.output
    finally:
        settings.cache_clear()
