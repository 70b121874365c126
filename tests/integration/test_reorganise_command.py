"""`jointly reorganise` on real PostgreSQL: Surrey's councils with plans, a pair and mailboxes; nothing is written."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from services.cli import application
from services.platform.settings import Settings, settings
from services.store.authorities import AuthorityUpdate, save
from services.store.database import make_engine, make_sessions, transaction
from tests.pipeline import record_of
from tests.support.coalitions import AS_OF, LEEDS, plan, plan_id
from tests.support.matcher import make_matcher

ELMBRIDGE, MOLE_VALLEY, WOKING, COUNTY = "E07000207", "E07000210", "E07000217", "E10000030"


def test_surrey_rehearsed(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def fill() -> None:
        engine = make_engine(database_url)
        sessions = make_sessions(engine)
        contract = {"start": "2027-10-01", "end": "2031-09-30"}
        opens = {"earliest": "2027-02-01", "latest": "2027-09-30"}
        sent = [plan(code, contract=contract, tender_window=opens) for code in (ELMBRIDGE, MOLE_VALLEY, COUNTY, LEEDS)]
        handler = await make_matcher(sessions, Settings(as_of=AS_OF))
        await handler.handle([record_of(*one) for one in zip(sent, range(4), strict=True)])
        async with transaction(sessions) as session:
            await save(session, AuthorityUpdate(ELMBRIDGE, {"mailbox": "ict@elmbridge.example"}))
            await save(session, AuthorityUpdate("GB-X-East-Surrey-Council", {"mailbox": "ict@eastsurrey.example"}))
        await engine.dispose()

    async def count() -> list[int]:
        engine = make_engine(database_url)
        async with make_sessions(engine)() as session:
            tables = ("plan_log", "outbox", "plans", "authorities")
            counts = [(await session.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one() for name in tables]
        await engine.dispose()
        return counts

    asyncio.run(fill())
    before = asyncio.run(count())
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url.replace("postgresql+psycopg", "postgresql"))
    settings.cache_clear()

    def run(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(application("reorganise"), ["reorganise", *words])
        return done.exit_code, done.stdout, done.stderr

    code, printed, said = run("--preview", "2027-04-01", "--json")
    assert code == 0, said
    found = json.loads(printed)
    assert {one["plan_id"]: (one["destination"], one["consent"]) for one in found["plans"]} == {
        plan_id(ELMBRIDGE): ("successor", "needed"),
        plan_id(MOLE_VALLEY): ("successor", "needed"),
        plan_id(COUNTY): ("waits for a person", "needed"),
    }
    both = [one for one in found["one_authority"] if set(one["plans"]) == {plan_id(ELMBRIDGE), plan_id(MOLE_VALLEY)}]
    assert [(one["successor"], one["certain"]) for one in both] == [("GB-X-East-Surrey-Council", True)]
    assert all(not one["certain"] for one in found["one_authority"] if plan_id(COUNTY) in one["plans"])
    woking = next(one for one in found["authorities"] if one["authority"] == WOKING)
    assert woking["without_mailbox"] == ["GB-X-West-Surrey-Council"]
    page = run("--preview", "2027-04-01")[1]
    assert "Elmbridge Borough Council: not any more; East Surrey Council instead\n" in page
    assert "will be one authority, East Surrey Council, on 1 April 2027" in page
    assert asyncio.run(count()) == before, "a rehearsal writes nothing"

    file = tmp_path / "successions.csv"
    header = "predecessor,successor,successor_name,starts,kind,source\n"
    file.write_text(f"{header}{LEEDS},GB-X-New,New Council,2028-04-01,whole,an order\n", "utf-8")
    assert json.loads(run("--preview", str(file), "--json")[1])["plans"][0]["plan_id"] == plan_id(LEEDS)
    file.write_text(f"{header}{LEEDS},GB-X-New,New Council,2028-04-01,merged,an order\n", "utf-8")
    assert (run("--preview", str(file))[0], run("--preview", "2027-04-02")[0]) == (1, 1)
    parts = [
        f"{LEEDS},GB-X-{name},{name} Council,2028-04-01,{kind},an order"
        for name, kind in (("A", "whole"), ("B", "part"))
    ]
    file.write_text(header + "\n".join(parts), "utf-8")
    code, _, said = run("--preview", str(file))
    assert (code, "can't go to A Council and B Council" in said) == (1, True)
    assert run("--preview", str(tmp_path / "none.csv"))[0] == 2
    settings.cache_clear()
