"""`jointly answer`, `invite` and `coalition`: what they print, what they would send, and what is refused."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from events.coalitions import CoalitionState
from events.responses import RESPONSE_PAYLOADS
from services.application.responses import ResponseError, read_jsonl
from tests.support.coalitions import (
    BRADFORD,
    CALDERDALE,
    KIRKLEES,
    LEEDS,
    CoalitionsHarness,
    open_harness,
    plan,
    plan_id,
)
from tests.support.command_line import CommandLine

THREE = (LEEDS, BRADFORD, KIRKLEES)
Scene = Callable[[Callable[[CoalitionsHarness], Awaitable[Any]]], Any]


@pytest.fixture
def scene(database_url: str) -> Scene:
    """Does something with a harness, and gives back what came of it."""

    def play(act: Callable[[CoalitionsHarness], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            async with open_harness(database_url) as harness:
                return await act(harness)

        return asyncio.run(run())

    return play


@pytest.fixture
def coalition(scene: Scene) -> CoalitionState:
    """Leeds, Bradford and Kirklees, suggested."""

    async def make(harness: CoalitionsHarness) -> CoalitionState:
        await harness.publish(*(plan(authority) for authority in THREE))
        return await harness.only()

    found: CoalitionState = scene(make)
    return found


def _payload(printed: str) -> Any:
    values = json.loads(printed)
    kinds = [kind for kind in RESPONSE_PAYLOADS if set(kind.model_fields) == set(values)]
    assert len(kinds) == 1
    return kinds[0].model_validate(values)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["answer", "ID", "interested"], {"answer": "interested"}),
        (
            ["answer", "ID", "other-dates", "--window", "2027-09-01/2027-12-31"],
            {"answer": "other-dates", "window": {"earliest": "2027-09-01", "latest": "2027-12-31"}},
        ),
        (["answer", "ID", "not-the-same", "--reason", "wrong-place"], {"reason": "wrong-place", "share_reason": False}),
        (["answer", "ID", "later", "--remind-on", "2027-01-15"], {"remind_on": "2027-01-15"}),
        (["invite", "ID", "--reply-days", "15", "--scope", "HR"], {"reply_days": 15, "scope": "HR", "plan_ids": []}),
        (["coalition", "act", "ID", "accept"], {"act": "accept"}),
        (["coalition", "act", "ID", "lead"], {"act": "lead"}),
        (["coalition", "act", "ID", "join"], {"act": "join"}),
        (["coalition", "act", "ID", "leave"], {"act": "leave"}),
        (["coalition", "dates", "ID", "--reply-by", "2027-01-22"], {"reply_by": "2027-01-22"}),
    ],
)
def test_what_would_be_sent(
    jointly: CommandLine, coalition: CoalitionState, arguments: list[str], said: dict[str, Any]
) -> None:
    given = [coalition.coalition_id if one == "ID" else one for one in arguments]
    code, printed, _ = jointly(*given, "--authority", LEEDS.lower(), "--dry-run")
    assert code == 0
    values = json.loads(printed)
    assert said.items() <= values.items()
    payload = _payload(printed)
    assert (payload.authority, payload.plan_id) == (LEEDS, plan_id(LEEDS))
    assert (payload.subject, payload.subject_id) == ("coalition", coalition.coalition_id)
    assert payload.subject_revision == coalition.terms_revision


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["answer", "0" * 32, "interested", "--authority", LEEDS], 1, "no coalition or opportunity"),
        (["answer", "ID", "interested"], 2, "say who answers"),
        (["answer", "ID", "interested", "--authority", CALDERDALE], 1, "has no plan in"),
        (["answer", "ID", "other-dates", "--authority", LEEDS, "--window", "autumn"], 2, "not two days"),
        (["answer", "ID", "other-dates", "--authority", LEEDS, "--window", "2027-09-01/soon"], 1, "window"),
        (["answer", "nothing.jsonl"], 2, "no file at"),
        (["answer", "response-1", "undo", "--authority", LEEDS], 1, "gave no answer"),
        (["coalition", "show", "0" * 32], 1, "there is no coalition"),
        (["coalition", "export", "ID"], 1, "needs one that has formed"),
    ],
)
def test_what_is_refused(
    jointly: CommandLine, coalition: CoalitionState, arguments: list[str], code: int, sentence: str
) -> None:
    found, _, said = jointly(*(coalition.coalition_id if one == "ID" else one for one in arguments))
    assert found == code
    assert sentence in said
    assert said.count("\n") == 1


def test_what_is_shown_of_a_coalition(jointly: CommandLine, scene: Scene, coalition: CoalitionState) -> None:
    code, printed, errors = jointly("coalition", "list", "--authority", LEEDS)
    assert (code, errors) == (0, "1 coalition\n")
    names, row = (line.split("\t") for line in printed.splitlines())
    assert names == ["id", "status", "members", "together from", "reply by"]
    assert row[:2] == [coalition.coalition_id, "suggested"]
    assert row[2].count("; ") == 2
    assert jointly("coalition", "list", "--authority", CALDERDALE)[1:] == ("\t".join(names) + "\n", "0 coalitions\n")

    async def form(harness: CoalitionsHarness) -> None:
        await harness.invite(LEEDS, scope="HR and payroll")
        await harness.act(BRADFORD, "accept")
        await harness.act(KIRKLEES, "decline")
        await harness.act(KIRKLEES, "accept")

    scene(form)
    code, printed, _ = jointly("coalition", "show", coalition.coalition_id)
    assert code == 0
    assert "formed" in printed
    assert "Reply by 8 January 2027. HR and payroll" in printed
    assert "accepted, lead: Leeds" in printed
    assert "£1.2 million" in printed
    assert "accept (refused): plan E08000034:HR-1 is no longer in this coalition (declined)" in printed
    values = json.loads(jointly("coalition", "show", coalition.coalition_id, "--json")[1])
    assert [one["outcome"] for one in values["answers"]] == ["recorded", "recorded", "recorded", "refused"]
    block = json.loads(jointly("coalition", "export", coalition.coalition_id)[1])
    assert block["lead"]["identifier"] == LEEDS
    assert [party["identifier"] for party in block["acting_jointly_with"]] == [BRADFORD]
    assert json.loads(jointly("coalition", "list", "--json")[1])["status"] == "formed"
    assert jointly("coalition", "list", "--ended")[2] == "0 coalitions\n"


def test_an_answer_is_taken_back_by_its_id(jointly: CommandLine, scene: Scene, coalition: CoalitionState) -> None:
    given = scene(lambda harness: harness.answer(BRADFORD, "not-this-time"))
    assert jointly("answer", given, "undo", "--authority", LEEDS, "--dry-run")[0] == 1
    code, printed, _ = jointly("answer", given, "undo", "--authority", BRADFORD, "--dry-run")
    assert code == 0
    scene(lambda harness: harness.respond(_payload(printed)))
    assert scene(lambda harness: harness.states())[BRADFORD] == "suggested"


def test_a_file_of_answers(jointly: CommandLine, coalition: CoalitionState, tmp_path: Path) -> None:
    common = {
        "subject": "coalition",
        "subject_id": coalition.coalition_id,
        "subject_revision": coalition.terms_revision,
    }
    own = {"authority": LEEDS, "plan_id": plan_id(LEEDS)}
    lines = [
        json.dumps({"kind": "answered", **own, **common, "answer": "interested"}),
        json.dumps({"kind": "membership", **own, **common, "act": "explode"}),
        "{",
        "",
        json.dumps({"kind": "answered", **common, "authority": LEEDS, "plan_id": plan_id(BRADFORD), "answer": "later"}),
        json.dumps({**own, **common}),
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    code, printed, said = jointly("answer", path, "--dry-run")
    assert code == 1
    assert [json.loads(line)["answer"] for line in printed.splitlines()] == ["interested"]
    assert [line.split("line ")[1][:1] for line in said.splitlines()] == ["2", "3", "5", "6"]
    assert "must start with the event's authority" in said
    again = [one for one in read_jsonl(path) if not isinstance(one, ResponseError)]
    assert again[0].response_id == json.loads(printed)["response_id"], "published again, it is the same response"
