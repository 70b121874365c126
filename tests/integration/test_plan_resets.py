"""An operator sets a frozen plan back: it takes lower revisions again, and a rebuild comes to the same."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from typer.testing import CliRunner

from events.plans import PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn
from services.cli import application
from services.maintenance.plan_reset import ResetError, reset
from services.maintenance.rebuild import compare
from services.matcher.batch_handler import Matcher
from services.matcher.sweeper import sweep
from services.platform.settings import settings
from services.store.database import Sessions, transaction
from tests.pipeline import AS_OF, record_of
from tests.support.matcher import make_matcher

LEEDS, CAMDEN = "E08000035", "E09000007"
PLAN = f"{LEEDS}:HR-1"
FROZEN = 1_790_000_000_000_000


@pytest_asyncio.fixture
async def matcher(sessions: Sessions) -> Matcher:
    return await make_matcher(sessions)


@pytest.fixture
def command(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url.replace("postgresql+psycopg", "postgresql"))
    settings.cache_clear()
    yield lambda *words: CliRunner().invoke(application("plans"), ["plans", *words])
    settings.cache_clear()


def plan(authority: str, revision: int, title: str = "Replacement of the HR and payroll system") -> PlanPublished:
    kind = PlanPublished if revision == 1 else PlanUpdated
    made = kind.model_validate(
        {
            "plan_id": f"{authority}:HR-1",
            "revision": revision,
            "authority": authority,
            "title": title,
            "kind": "renewal",
            "cpv": ["48450000"],
            "tender_window": {"earliest": "2027-03-01", "latest": "2027-06-30"},
        }
    )
    assert isinstance(made, PlanPublished | PlanUpdated)
    return made  # type: ignore[return-value]


async def take(matcher: Matcher, *payloads: PlanPayload) -> None:
    for number, payload in enumerate(payloads):
        await matcher.handle([record_of(payload, number)])


async def stand(sessions: Sessions) -> tuple[int, str, str]:
    async with sessions() as session:
        query = text("SELECT revision, status, state ->> 'title' FROM plans WHERE plan_id = :plan")
        (row,) = await session.execute(query, {"plan": PLAN})
    return row[0], row[1], row[2]


async def pairs(sessions: Sessions) -> list[tuple[str, int, int]]:
    async with sessions() as session:
        rows = await session.execute(text("SELECT status, revision_a, revision_b FROM opportunities"))
        return [(status, a, b) for status, a, b in rows]


async def is_as_the_log_says(matcher: Matcher, sessions: Sessions) -> bool:
    async with transaction(sessions, isolation="REPEATABLE READ") as view:
        found = await compare(matcher.context, sessions, view, AS_OF, lambda *_: None)
        return found.equal and found.waiting_plans == 0


async def test_a_frozen_plan_takes_lower_revisions_again(matcher: Matcher, sessions: Sessions) -> None:
    await take(matcher, plan(CAMDEN, 1), plan(LEEDS, 1), plan(LEEDS, FROZEN, "Payroll by mistake"), plan(LEEDS, 5))
    assert await stand(sessions) == (FROZEN, "active", "Payroll by mistake")

    done = await reset(sessions, PLAN, 5, "Programme office", "published in microseconds")
    assert (done.from_revision, done.to_revision) == (FROZEN, 5)
    assert await stand(sessions) == (5, "active", "Replacement of the HR and payroll system")
    await sweep(matcher.context, sessions, timedelta(0))
    assert await pairs(sessions) == [("active", 5, 1)]
    assert await is_as_the_log_says(matcher, sessions)

    await take(matcher, plan(LEEDS, 6, "HR and payroll system, corrected"))
    assert await stand(sessions) == (6, "active", "HR and payroll system, corrected")
    await take(matcher, plan(LEEDS, FROZEN, "Payroll by mistake"), plan(LEEDS, 5))
    assert (await stand(sessions))[0] == 6, "a copy of what was annulled, or is older, changes nothing"
    assert await is_as_the_log_says(matcher, sessions)


async def test_a_withdrawal_that_was_superseded_takes_effect(matcher: Matcher, sessions: Sessions) -> None:
    late = PlanWithdrawn(plan_id=PLAN, revision=7, authority=LEEDS)
    await take(matcher, plan(CAMDEN, 1), plan(LEEDS, FROZEN), late)
    assert [status for status, *_ in await pairs(sessions)] == ["active"]
    await reset(sessions, PLAN, 7, "Programme office", "withdrawn long ago")
    await sweep(matcher.context, sessions, timedelta(0))
    assert (await stand(sessions))[:2] == (7, "withdrawn")
    assert [status for status, *_ in await pairs(sessions)] == ["withdrawn"]
    assert await is_as_the_log_says(matcher, sessions)


@pytest.mark.parametrize(
    ("plan_id", "to", "sentence"),
    [
        (PLAN, FROZEN, "stands at"),
        (PLAN, 4, "has no revision 4"),
        (PLAN, FROZEN + 1, "has no revision"),
        ("E08000035:NONE", 1, "there is no plan"),
    ],
)
async def test_what_the_log_does_not_have_is_no_place_to_go_back_to(
    matcher: Matcher, sessions: Sessions, plan_id: str, to: int, sentence: str
) -> None:
    await take(matcher, plan(LEEDS, 1), plan(LEEDS, FROZEN))
    with pytest.raises(ResetError, match=sentence):
        await reset(sessions, plan_id, to, "Programme office", "a try")
    assert (await stand(sessions))[0] == FROZEN


async def test_an_annulled_revision_is_no_place_to_go_back_to_either(matcher: Matcher, sessions: Sessions) -> None:
    await take(matcher, plan(LEEDS, 1), plan(LEEDS, 3), plan(LEEDS, FROZEN))
    await reset(sessions, PLAN, 1, "Programme office", "first")
    await take(matcher, plan(LEEDS, 9))
    with pytest.raises(ResetError):
        await reset(sessions, PLAN, 3, "Programme office", "second")


async def test_the_command_says_and_keeps_who_when_and_why(matcher: Matcher, command: Any) -> None:
    await take(matcher, plan(LEEDS, 1), plan(LEEDS, FROZEN))

    def checks() -> None:
        assert command("reset", PLAN, "--to", "1", "--by", " ", "--why", "x").exit_code == 2
        refused = command("reset", PLAN, "--to", "2", "--by", "Programme office", "--why", "x")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "has no revision 2" in refused.stderr

        spelled = PLAN.replace("E08", "e08")
        done = command("reset", spelled, "--to", "1", "--by", "Programme office", "--why", "2^53-1")
        assert done.exit_code == 0, done.output
        shown = command("revisions", PLAN).stdout
        assert f"{FROZEN}  updated" in shown
        assert "annulled by reset 1" in shown
        assert f"from {FROZEN} to 1, by Programme office: 2^53-1" in shown
        lines = [json.loads(line) for line in command("revisions", PLAN, "--json").stdout.splitlines()]
        assert [(line["revision"], line["annulled_by"]) for line in lines] == [(FROZEN, 1), (1, None)]
        assert command("revisions", "E08000035:NONE").exit_code == 1

    # The command has an event loop of its own.
    await asyncio.to_thread(checks)
