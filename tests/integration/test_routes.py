"""Route records on a real database: recorded by events, shown as a note, taken back; nothing else changes."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from events.responses import DelegationScope, ResponseAnswered, ResponseRoute, ResponseUndone
from services.cli import lazy_encoder
from services.platform.settings import settings
from tests.support.coalitions import AS_OF, BRADFORD, KIRKLEES, LEEDS, CoalitionsHarness, open_harness, plan, plan_id
from tests.support.command_line import CommandLine, command_line
from tests.support.parties import delegated, register_party, since

OWN = hashlib.sha256(plan_id(LEEDS).encode()).hexdigest()[:32]
EXAMPLE = Path(__file__).parents[2] / "docs/examples/frameworks.csv"


@pytest.fixture
def jointly(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    lazy_encoder.encoder.cache_clear()
    chosen = {"JOINTLY_EMBEDDING_MODEL": "hashing", "JOINTLY_AS_OF": AS_OF.isoformat()}
    with command_line(database_url, monkeypatch, **chosen) as run:
        yield run
    lazy_encoder.encoder.cache_clear()


@pytest.fixture
def play(database_url: str) -> Callable[[Callable[[CoalitionsHarness], Awaitable[Any]]], Any]:
    def play(act: Callable[[CoalitionsHarness], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            async with open_harness(database_url) as harness:
                return await act(harness)

        return asyncio.run(run())

    return play


def _route(number: int, **changes: Any) -> ResponseRoute:
    values = {
        "response_id": f"route-{number:06}",
        "authority": LEEDS,
        "plan_id": plan_id(LEEDS),
        "subject": "plan",
        "subject_id": OWN,
        "subject_revision": 1,
        "step": "framework",
        "outcome": "unsuitable",
        "asked_at": "2026-11-20",
        "by": "Category manager, ICT",
        "reason": "scope",
    }
    return ResponseRoute.model_validate(values | changes)


async def _publish(harness: CoalitionsHarness) -> None:
    await harness.publish(*(plan(authority) for authority in (LEEDS, BRADFORD, KIRKLEES)))


def test_a_record_is_kept_shown_and_taken_back(jointly: CommandLine, play: Any) -> None:
    async def act(harness: CoalitionsHarness) -> tuple[Any, Any]:
        await _publish(harness)
        before = await harness.only()
        await harness.respond(
            _route(1),
            _route(1),
            _route(2, step="new", outcome="chosen", reason=None, note="Call Jo on 0113 496 0000 or jo@leeds.example"),
            _route(3, reason="fee", candidates=["EX-0001, lot 1"], asked_at="2026-11-24"),
            _route(4, step="coalition", outcome="none-found", reason=None),
        )
        own = {"authority": LEEDS, "plan_id": plan_id(LEEDS), "subject": "plan", "subject_id": OWN}
        undo = ResponseUndone(**own, response_id="undo-000001", subject_revision=1, undoes="route-000004")
        await harness.respond(undo)
        assert await harness.refusals() == []
        assert await harness.rows("SELECT response_id FROM responses WHERE undone_by IS NOT NULL") == [
            ("route-000004",)
        ]
        return before, await harness.only()

    before, after = play(act)
    assert before == after, "a record changes nothing"
    code, printed, said = jointly("route", "show", plan_id(LEEDS))
    assert code == 0, said
    assert "1. Framework: looked at, does not suit (fee). Category manager, ICT, 24 November 2026." in printed
    assert "Looked at: EX-0001, lot 1" in printed
    assert "2. Joint further competition under a framework: nothing recorded" in printed
    assert "4. New contract: chosen." in printed
    assert "nothing is recorded of these routes: coalition of its own" in printed
    assert "0113" not in printed
    assert "jo@leeds" not in printed
    assert len(printed.splitlines()) < 30, "half a page"
    found = json.loads(jointly("route", "show", plan_id(LEEDS), "--json")[1])
    assert (found["chosen"], found["missing"]) == ("new", ["coalition"])
    assert len(found["coalitions"]) == 1


def test_what_is_recorded_for_a_coalition_shows_for_its_members(jointly: CommandLine, play: Any) -> None:
    async def act(harness: CoalitionsHarness) -> Any:
        await _publish(harness)
        state = await harness.only()
        coalition = {"subject": "coalition", "subject_id": state.coalition_id}
        await harness.respond(_route(1, **coalition, step="framework-coalition", outcome="chosen"))
        # An answer to the coalition can be taken back although a route was recorded after it.
        answer = await harness.answer(LEEDS, "interested")
        await harness.respond(_route(2, **coalition))
        undo = {"authority": LEEDS, "plan_id": plan_id(LEEDS), **coalition, "subject_revision": 1}
        await harness.respond(ResponseUndone(**undo, response_id="undo-000001", undoes=answer))
        assert await harness.refusals() == []
        return state.coalition_id

    coalition_id = play(act)
    printed = jointly("route", "show", plan_id(BRADFORD))[1]
    assert "2. Joint further competition under a framework: chosen (scope)." in printed
    assert "of Leeds City Council" in printed
    assert "A group is suggested with Kirklees and Leeds." in printed
    assert coalition_id not in printed
    shown = jointly("coalition", "show", coalition_id)[1]
    assert "  Joint further competition under a framework: Leeds, chosen (scope).\n" in shown
    assert "  Framework: Leeds, looked at, does not suit (scope).\n" in shown
    routes = json.loads(jointly("coalition", "show", coalition_id, "--json")[1])["routes"]
    assert [(one["step"], one["authority"], one["coalition_id"]) for one in routes] == [
        ("framework", LEEDS, coalition_id),
        ("framework-coalition", LEEDS, coalition_id),
    ]
    play(lambda harness: harness.matcher.handle([harness.record(plan(LEEDS, 2, sharing="match_only"))]))
    assert json.loads(jointly("coalition", "show", coalition_id, "--json")[1])["routes"] == [], (
        "no longer shared openly"
    )


def test_what_does_not_count_is_refused(play: Any) -> None:
    async def act(harness: CoalitionsHarness) -> Any:
        await _publish(harness)
        state = await harness.only()
        (pair,) = await harness.rows(
            f"SELECT opportunity_id FROM opportunities WHERE '{plan_id(LEEDS)}' IN (plan_a, plan_b) LIMIT 1"
        )
        about_plan = _route(9).model_dump(mode="json") | {"response_id": "answer-00009", "answer": "interested"}
        await harness.respond(
            _route(1, subject_id="0" * 32),
            _route(2, subject="coalition", subject_id="0" * 32),
            _route(3, subject="opportunity", subject_id=pair[0]),
            _route(4, subject="coalition", subject_id=OWN),
            _route(5, subject="plan", subject_id=state.coalition_id),
            ResponseAnswered.model_validate(about_plan | {"reason": None}),
        )
        return await harness.refusals()

    refused = play(act)
    assert [reason for reason, _ in refused] == [
        "unknown-subject",
        "unknown-subject",
        "response-refused",
        "unknown-subject",
        "unknown-subject",
        "response-refused",
    ]
    assert refused[2][1] == "a route is recorded for a plan or for a coalition, not for an opportunity"


def test_the_command_says_what_it_would_send(jointly: CommandLine, play: Any) -> None:
    play(_publish)
    words = ("route", "record", plan_id(LEEDS), "framework", "none-found", "--by", "Category manager")
    code, printed, said = jointly(*words, "--candidate", "EX-1", "--dry-run")
    assert code == 0, said
    sent = ResponseRoute.model_validate_json(printed)
    assert (sent.subject, sent.subject_id, sent.subject_revision) == ("plan", OWN, 1)
    assert (sent.asked_at, sent.candidates, sent.outcome) == (AS_OF, ("EX-1",), "none-found")
    assert jointly(*words, "--coalition", "0" * 32, "--dry-run")[0] == 1
    assert jointly("route", "show", "E08000035:NONE")[0] == 1


def test_frameworks_that_cover_the_plan_are_to_be_looked_at(jointly: CommandLine, play: Any) -> None:
    play(_publish)
    assert jointly("frameworks", "import", EXAMPLE)[0] == 0
    assert "Check first: 1 framework covers this. Back-office software." in jointly("route", "show", plan_id(LEEDS))[1]
    play(lambda harness: harness.respond(_route(1)))
    assert "Check first" not in jointly("route", "show", plan_id(LEEDS))[1]


@pytest.mark.parametrize(("day", "name"), [(AS_OF, "Elmbridge"), (date(2027, 4, 1), "East Surrey Council (for Elm")])
def test_commands_name_the_successor_from_the_day_on(
    jointly: CommandLine, play: Any, monkeypatch: pytest.MonkeyPatch, day: date, name: str
) -> None:
    elmbridge = "E07000207"

    async def act(harness: CoalitionsHarness) -> None:
        await harness.publish(plan(elmbridge), plan(LEEDS))
        await register_party(harness.sessions, since(AS_OF, elmbridge))
        await harness.respond(delegated(DelegationScope.ANSWER, 1).model_copy(update={"authority": elmbridge}))
        assert await harness.refusals() == []

    play(act)
    monkeypatch.setenv("JOINTLY_AS_OF", day.isoformat())
    settings.cache_clear()
    own = plan_id(elmbridge)
    for words in (
        ("explain", own, plan_id(LEEDS)),
        ("explain", own),
        ("route", "show", own),
        ("parties", "delegations"),
    ):
        code, printed, said = jointly(*words)
        assert code == 0, said
        assert name in printed, words
        assert ("East Surrey" in printed) == (day > AS_OF), words
