"""`jointly what-if` on a database that the matcher and the coalitions process have filled."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text

from services.store.database import make_engine
from tests.support.filled_database import BRADFORD, CAMDEN, KENT, LEEDS, Publish, plan, run

LATE = {"tender_window": {"earliest": "2028-04-01", "latest": "2028-08-31"}}
OWN = f"{LEEDS}:HR-1"
_WRITTEN = "SELECT '{table}', CAST(xmin AS text), CAST(xmax AS text) FROM {table} ORDER BY 2, 3"


def tried(*words: str) -> dict[str, Any]:
    done = run("what-if", OWN, *words, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ids(partners: list[dict[str, Any]]) -> set[str]:
    return {one["plan_id"].partition(":")[0] for one in partners}


def test_another_window_gains_and_loses_partners_and_groups(publish: Publish) -> None:
    publish(plan(LEEDS), plan(BRADFORD), plan(CAMDEN), plan(KENT, **LATE), plan("E08000034", **LATE))
    found = tried("--window", "2028-06-01/2028-08-31")
    assert ids(found["gained"]) == {KENT, "E08000034"}
    assert ids(found["lost"]) == {BRADFORD, CAMDEN}
    assert found["kept"] == 0
    assert {one["because"][0] for one in found["lost"]} == {
        "Bradford must tender by 31 August 2027, Leeds starts on 1 June 2028.",
        "Camden must tender by 31 August 2027, Leeds starts on 1 June 2028.",
    }
    assert [{plan_id.partition(":")[0] for plan_id in one["plans"]} for one in found["groups_gained"]] == [
        {LEEDS, KENT, "E08000034"}
    ]
    assert [{plan_id.partition(":")[0] for plan_id in one["plans"]} for one in found["groups_lost"]] == [
        {LEEDS, BRADFORD, CAMDEN}
    ]
    assert "no longer fit each other" in found["groups_lost"][0]["because"]
    assert found == tried("--months", "12"), "the same window, said in months"
    said = run("what-if", OWN, "--months", "12").stdout
    assert "2 gained, 2 lost, 0 kept" in said
    assert "+ group of 3: Kirklees, Leeds and Kent" in said
    assert "Nothing was changed." in said


def test_no_change_changes_nothing(publish: Publish) -> None:
    publish(plan(LEEDS), plan(BRADFORD), plan(CAMDEN), plan(KENT, **LATE))
    found = tried("--months", "0")
    assert (found["gained"], found["lost"], found["groups_gained"], found["groups_lost"]) == ([], [], [], [])
    assert found["kept"] == 2


def test_an_extension_of_the_present_contract_reaches_a_later_window(publish: Publish) -> None:
    publish(
        plan(LEEDS, contract={"start": "2022-01-01", "end": "2028-06-30"}),
        plan(BRADFORD),
        plan(KENT, tender_window={"earliest": "2027-12-01", "latest": "2028-03-31"}),
    )
    assert ids(tried("--extension", "0")["gained"]) == set()
    found = tried("--extension", "12")
    assert ids(found["gained"]) == {KENT}
    assert ids(found["lost"]) == set()


@pytest.mark.parametrize("sharing", ["match_only", "private"])
def test_only_openly_shared_plans_are_reckoned(publish: Publish, sharing: str) -> None:
    publish(plan(LEEDS), plan(BRADFORD, sharing=sharing), plan(KENT, sharing=sharing, **LATE))
    found = tried("--months", "12")
    assert (found["gained"], found["lost"], found["kept"]) == ([], [], 0)
    done = run("what-if", f"{KENT}:HR-1", "--months", "-12")
    assert done.exit_code == 1
    assert "not shared openly" in done.stderr


def test_nothing_is_written(publish: Publish, database_url: str) -> None:
    publish(plan(LEEDS), plan(BRADFORD), plan(KENT, **LATE))
    before = _everything(database_url)
    tried("--months", "12")
    assert _everything(database_url) == before


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((OWN,), 2, "give one of --window, --months and --extension"),
        ((OWN, "--months", "1", "--extension", "1"), 2, "give one of"),
        ((OWN, "--window", "2028-04-01"), 2, "a window is its first and last day"),
        ((OWN, "--window", "2028-04-02/2028-04-01"), 2, "a window is its first and last day"),
        ((f"{LEEDS}:NONE", "--months", "1"), 1, "there is no plan"),
        ((OWN, "--extension", "6"), 1, "names no present contract that ends"),
    ],
)
def test_a_wrong_question_is_answered_in_a_sentence(
    publish: Publish,
    words: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    publish(plan(LEEDS), plan(BRADFORD))
    done = run("what-if", *words)
    assert done.exit_code == code
    assert sentence in " ".join(done.output.split())


def _everything(database_url: str) -> list[tuple[Any, ...]]:
    """The last transaction that wrote each row of what could be written."""

    async def read() -> list[tuple[Any, ...]]:
        engine = make_engine(database_url)
        async with engine.connect() as connection:
            found: list[tuple[Any, ...]] = []
            for table in ("plans", "opportunities", "plan_features", "outbox", "coalitions"):
                found += [tuple(row) for row in await connection.execute(text(_WRITTEN.format(table=table)))]
        await engine.dispose()
        return found

    return asyncio.run(read())
