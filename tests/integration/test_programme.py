"""`jointly programme` and `signatories` on real PostgreSQL, against a count of its own over a seeded scenario."""

import asyncio
import csv
import io
import json
import math
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, text

from events.plans import PlanAwarded, PlanPublished, PlanUpdated
from events.topics import NOTICES, PLANS
from services.coalitions.programme_metrics import measure_programme
from services.platform import metrics
from services.store.database import make_engine, make_sessions, table_of
from services.store.plan_log import PlanLog
from services.store.responses import ResponseRow
from tests.support.command_line import CommandLine, command_line

COUNCILS = ["E08000035", "E08000032", "E08000034", "E08000033", "E06000014", "E09000007"]
FIRST = date(2026, 1, 5)
DAYS = (date(2026, 6, 30), date(2026, 12, 31), date(2027, 6, 30))
SIGNED = {code: FIRST + timedelta(days=60 * number) for number, code in enumerate(COUNCILS)}


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def _events() -> list[dict[str, Any]]:
    """What six councils send in 18 months: plans that are shared, change, go to market and are awarded."""
    chance = random.Random(26)
    found: list[dict[str, Any]] = []
    for number in range(40):
        council = chance.choice(COUNCILS)
        plan, start = f"{council}:P-{number}", FIRST + timedelta(days=chance.randrange(400))
        opens = start + timedelta(days=chance.randrange(-30, 500))
        steps = ["publish", *chance.sample(["move", "confirm", "tender", "award"], chance.randrange(4))]
        steps.sort(key=["publish", "confirm", "move", "tender", "award"].index)
        for step in steps:
            opens += timedelta(days=40) if step == "move" else timedelta()
            values = {"sharing": chance.choice(["open", "open", "match_only", "private"]), "pounds": 1000 * number}
            found.append({"plan": plan, "on": start, "step": step, "opens": opens} | values)
            start += timedelta(days=chance.randrange(20, 200))
    return sorted(found, key=lambda one: one["on"])


def _answers() -> list[dict[str, Any]]:
    """Answers about one opportunity and one coalition, spread over the months."""
    pair, group = "0" * 32, "1" * 32
    asked = [f"{COUNCILS[1]}:P", f"{COUNCILS[3]}:P"]
    said = [
        (0, "P", pair, "opportunity", "interested", {}),
        (1, "P", pair, "opportunity", "other-dates", {}),
        (2, "P", group, "coalition", "not-this-time", {"reason": "capacity"}),
        (0, "P", group, "coalition", "invited", {"plan_ids": asked, "reply_days": 15}),
        (1, "P", group, "coalition", "accept", {}),
        (3, "P", group, "coalition", "decline", {}),
    ]
    days = [date(2026, month, 1) for month in (5, 6, 8, 9, 10)] + [date(2027, 2, 1)]
    return [
        {"plan": f"{COUNCILS[who]}:{plan}", "about": about, "subject": subject, "kind": kind, "said": more, "on": day}
        for (who, plan, about, subject, kind, more), day in zip(said, days, strict=True)
    ]


def _payload(one: dict[str, Any], revision: int) -> Any:
    reference = {"plan_id": one["plan"], "revision": revision, "authority": one["plan"].split(":")[0]}
    if one["step"] == "award":
        return PlanAwarded.model_validate(reference)
    values = reference | {
        "title": "A system",
        "kind": "new",
        "stage": "tendering" if one["step"] == "tender" else "planned",
        "value": {"amount": one["pounds"]},
        "tender_window": {"earliest": one["opens"], "latest": one["opens"] + timedelta(days=90)},
        "sharing": one["sharing"],
    }
    return (PlanPublished if one["step"] == "publish" else PlanUpdated).model_validate(values)


def _logged(one: dict[str, Any], revision: int, topic: str) -> dict[str, Any]:
    payload = _payload(one, revision)
    return {
        "plan_id": one["plan"],
        "revision": revision,
        "event_id": f"{one['plan']}-{revision}",
        "event_type": payload.type,
        "content_hash": "",
        "payload": payload.model_dump(mode="json"),
        "origin": {"topic": topic},
        "published_at": _noon(one["on"]),
        "received_at": _noon(one["on"]),
    }


def _stored(number: int, one: dict[str, Any]) -> dict[str, Any]:
    answer = {"answer": one["kind"]} if one["kind"] not in ("invited", "accept", "decline") else {}
    authority = one["plan"].split(":")[0]
    return {
        "speaker": authority,
        "response_id": f"response-{number}",
        "authority": authority,
        "plan_id": one["plan"],
        "subject": one["subject"],
        "subject_id": one["about"],
        "kind": one["kind"],
        "payload": one["said"] | answer,
        "content_hash": "",
        "outcome": "recorded",
        "asked": one["said"].get("plan_ids"),
        "reply_by": one["on"] + timedelta(days=21) if one["kind"] == "invited" else None,
        "received_on": one["on"],
        "received_at": _noon(one["on"]),
    }


@pytest.fixture
def jointly(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(database_url, monkeypatch, JOINTLY_AS_OF="2027-06-30") as run:
        _fill(run, database_url, tmp_path)
        yield run


def _fill(run: CommandLine, database_url: str, tmp_path: Path) -> None:
    register = tmp_path / "signatories.csv"
    lines = [f"{code},,Chief Digital Officer,{day}" for code, day in SIGNED.items()]
    register.write_text("\n".join(["authority,name,position,signed_on", *lines]), "utf-8")
    assert run("signatories", "import", register)[:2] == (0, "6 added, 0 changed, 0 unchanged, 0 rejected\n")
    values = {"step": "publish", "opens": FIRST, "sharing": "open", "pounds": 9}
    notice = {"plan": f"{COUNCILS[0]}:N", "on": FIRST} | values
    log = [_logged(one, number + 1, PLANS.name) for number, one in enumerate(_events())]
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(insert(table_of(PlanLog)), [*log, _logged(notice, 1, NOTICES.name)])
        connection.execute(insert(table_of(ResponseRow)), [_stored(*one) for one in enumerate(_answers())])
    engine.dispose()


def _expected(as_of: date) -> dict[str, float | None]:
    """The same numbers, counted day by day from the scenario."""
    first: dict[str, date] = {}
    last: dict[str, dict[str, Any]] = {}
    state: dict[str, dict[str, Any]] = {}
    tendered: dict[str, date] = {}
    day = FIRST
    while day <= as_of:
        for one in _events():
            if one["on"] != day:
                continue
            last[one["plan"]] = one
            if one["step"] == "award":
                continue
            state[one["plan"]] = one
            if one["sharing"] != "private":
                first.setdefault(one["plan"], day)
            if one["step"] == "tender":
                tendered.setdefault(one["plan"], day)
        day += timedelta(days=1)
    ahead = [(state[plan]["opens"] - shared).days for plan, shared in first.items()]
    standing = [plan for plan, one in last.items() if one["step"] != "award" and state[plan]["sharing"] != "private"]
    old = [plan for plan in standing if (as_of - last[plan]["on"]).days > 182]
    recent = {plan.split(":")[0] for plan, one in last.items() if (as_of - one["on"]).days < 90}
    signed = {code for code, when in SIGNED.items() if when <= as_of}
    said = [one for one in _answers() if one["on"] <= as_of]
    kinds = [one["kind"] for one in said]
    return {
        "median days": float(median(ahead)),
        "over 12 months": sum(days > 365 for days in ahead),
        "after the window opened": sum(days < 0 for days in ahead),
        "signed": len(signed),
        "sharing": len(signed & recent),
        "with a mailbox": 0,
        "shared plans": len(standing),
        "not confirmed": len(old),
        "answered": len({one["plan"] for one in said}),
        "mutual interest": 2 if "other-dates" in kinds else 0,
        "in a coalition": 2 if "accept" in kinds else 0,
        "tendered": sum((as_of - when).days < 365 for plan, when in tendered.items() if plan in first),
        "sent": kinds.count("invited"),
        "under 20 working days": kinds.count("invited"),
        "accepted": kinds.count("accept"),
        "declined": kinds.count("decline"),
        "no answer": 2 * kinds.count("invited") - kinds.count("accept") - kinds.count("decline"),
    }


@pytest.mark.parametrize("as_of", DAYS)
def test_the_report_agrees_with_a_count_of_its_own(jointly: CommandLine, as_of: date) -> None:
    code, printed, said = jointly("programme", "--as-of", as_of.isoformat(), "--format", "json")
    assert code == 0, said
    found = {one["name"]: one["value"] for one in json.loads(printed)["measures"]}
    expected = _expected(as_of)
    assert {name: found[name] for name in expected} == expected
    lateness = ("over 12 months", "6 to 12 months", "under 6 months", "under 90 days", "after the window opened")
    assert sum(found[name] for name in lateness) > 0


def test_the_forms_say_the_same(jointly: CommandLine) -> None:
    measures = json.loads(jointly("programme", "--format", "json", "--rate", "2-5")[1])["measures"]
    rows = list(csv.DictReader(io.StringIO(jointly("programme", "--format", "csv", "--rate", "2-5%")[1])))
    assert [row["measure"] for row in rows] == [one["name"] for one in measures]
    assert [row["value"] or None for row in rows] == [
        None if one["value"] is None else f"{one['value']:.10g}" for one in measures
    ]
    page = jointly("programme", "--rate", "2-5")[1]
    assert "Programme report as of 30 June 2027" in page
    assert all(one["definition"] in page for one in measures)
    assert len(page.splitlines()) < 66, "one page"
    assert jointly("programme", "--rate", "five")[0] == 2
    own = jointly("programme", "--authority", COUNCILS[0])[1]
    assert "Leeds City Council" in own
    assert "Funnel" not in own


def test_operators_see_the_same_numbers(jointly: CommandLine, database_url: str) -> None:
    async def measure() -> None:
        engine = make_engine(database_url)
        await measure_programme(make_sessions(engine), DAYS[-1])
        await engine.dispose()

    asyncio.run(measure())
    (family,) = metrics.PROGRAMME.collect()
    shown = {(one.labels["section"], one.labels["measure"]): one.value for one in family.samples}
    report = json.loads(jointly("programme", "--format", "json")[1])["measures"]
    assert {(one["section"], one["name"]): one["value"] for one in report} == {
        about: None if math.isnan(value) else value for about, value in shown.items()
    }


def test_plans_to_confirm_are_listed(jointly: CommandLine) -> None:
    lines = [json.loads(line) for line in jointly("plans", "stale", "--json")[1].splitlines()]
    assert len(lines) == _expected(DAYS[-1])["not confirmed"] > 0
    council = lines[0]["plan_id"].split(":")[0]
    own = jointly("plans", "stale", "--authority", council)[1]
    assert f"jointly confirm {lines[0]['plan_id']}" in own
    assert len(own.splitlines()) - 1 == sum(line["plan_id"].startswith(council) for line in lines)


def test_the_register_is_listed_written_and_read_again(jointly: CommandLine, tmp_path: Path, database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE authorities SET mailbox = 'ict@leeds.example' WHERE authority = :code"), {"code": COUNCILS[0]}
        )
    written = jointly("signatories", "export")[1]
    assert "ict@leeds.example" not in written
    file = tmp_path / "again.csv"
    line = f"{COUNCILS[0]},Leeds City Council,Chief Digital Officer,2026-01-05,,"
    assert line in written
    file.write_text(written.replace(line, f"{line}2027-01-01") + "nonsense\n", "utf-8")
    code, printed, said = jointly("signatories", "import", file)
    assert (code, printed) == (1, "0 added, 1 changed, 5 unchanged, 1 rejected\n")
    assert "line 8: name is missing" in said
    with engine.begin() as connection:
        assert connection.execute(text("SELECT mailbox FROM authorities WHERE mailbox IS NOT NULL")).scalars().all()
    engine.dispose()
    _, listed, counted = jointly("signatories", "list")
    assert f"{COUNCILS[0]}\tLeeds City Council\tChief Digital Officer\twithdrawn\t2026-01-05\n" in listed
    assert counted == "5 signed, 1 lapsed or withdrawn\n"
    found = [json.loads(line) for line in jointly("signatories", "list", "--json")[1].splitlines()]
    assert {one["status"] for one in found} == {"signed", "withdrawn"}
