"""Forgetting a plan: its words are nowhere any more, and all that is decided, promised and rebuilt still holds."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from events.dead_letters import DeadLetter
from events.plans import PlanPublished, PlanUpdated, PlanWithdrawn
from services.cli import application
from services.cli.blanking import TOPICS, concerns
from services.cli.dead_letters import find_letters
from services.local_stack.tansu import Broker
from services.matcher import assessment, erasure
from services.matcher.sweeper import sweep
from services.platform.settings import Settings, settings
from services.store import authorities as register
from services.store.database import now, transaction
from services.store.responses import ResponseRow
from tests.conftest import AnyBroker
from tests.pipeline import AS_OF, invented_plans
from tests.support.broker_records import refuse_all
from tests.support.forgetting import ENDED, LATER, OURS, THEIRS, WORD, forget, messages, plan, tables_with
from tests.support.matcher import MatcherHarness
from tests.support.rebuilding import compared
from tests.unit.events.messages import example, headers_of, value_of


async def log(harness: MatcherHarness, plan_id: str) -> list[tuple[Any, ...]]:
    columns = "revision, event_id, event_type, content_hash, origin::text, published_at"
    return [
        tuple(r) for r in await harness.rows(f"SELECT {columns} FROM plan_log WHERE plan_id = '{plan_id}' ORDER BY 1")
    ]


@pytest.mark.parametrize("events", [[OURS], [OURS, LATER], [OURS, LATER, ENDED]], ids=["new", "updated", "ended"])
async def test_no_word_of_a_forgotten_plan_is_left(harness: MatcherHarness, events: list[Any]) -> None:
    await harness.handle([THEIRS, *invented_plans(20, subjects=5)])
    for event in events:
        await harness.handle([event])
    assert await tables_with(harness, WORD) >= {"plan_log", "plans"}
    assert await harness.rows(
        f"SELECT 1 FROM opportunities WHERE plan_a = '{OURS.plan_id}' OR plan_b = '{OURS.plan_id}'"
    )
    before, vectors = await log(harness, OURS.plan_id), await harness.rows("SELECT count(*) FROM embeddings")
    done = await forget(harness, OURS.plan_id)
    assert (done.plans, done.events) == (1, len(events))
    assert await tables_with(harness, WORD) == set()
    assert await log(harness, OURS.plan_id) == before
    assert (await harness.rows("SELECT count(*) FROM embeddings"))[0][0] < vectors[0][0]
    columns = "state IS NULL, status, matchable"
    row = await harness.rows(f"SELECT {columns} FROM plans WHERE plan_id = '{OURS.plan_id}'")
    assert [tuple(values) for values in row] == [(True, "withdrawn", False)]
    *_, last = await messages(harness)
    assert last is not None
    assert (last.status, last.score, [side.title for side in last.plans]) == ("withdrawn", None, [None, None])
    found, _ = await compared(harness)
    assert found.equal, (found.plans, found.pairs)
    assert await forget(harness, OURS.plan_id) == erasure.ErasedContent(plans=1, ended=done.withdrawn + done.ended)


async def test_the_pairs_of_a_plan_are_ended_in_parts(harness: MatcherHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "PAIRS_AT_ONCE", 2)
    codes = ("E09000003", "E09000004", "E09000005", "E09000006", "E09000007")
    await harness.handle([*(plan("P-1", code, title="Payroll system") for code in codes), OURS])
    pair = f"plan_a = '{OURS.plan_id}' OR plan_b = '{OURS.plan_id}'"
    assert await harness.rows(f"SELECT count(*) FROM opportunities WHERE status = 'active' AND ({pair})") == [(5,)]
    done = await forget(harness, OURS.plan_id)
    assert (done.plans, done.withdrawn, done.ended) == (1, 5, 0)
    assert not await harness.rows(f"SELECT 1 FROM opportunities WHERE status = 'active' AND ({pair})")
    sizes = "SELECT count(*) FROM opportunities WHERE {} GROUP BY xmin::text ORDER BY 1"
    assert await harness.rows(sizes.format(pair)) == [(1,), (2,), (2,)], "one transaction a part"
    told = [each for each in await messages(harness) if each and each.status == "withdrawn"]
    assert len(told) == len({each.opportunity_id for each in told}) == 5, "each once"
    found, _ = await compared(harness)
    assert found.equal, (found.plans, found.pairs)


async def test_no_word_of_an_answer_for_the_plan_is_left(harness: MatcherHarness) -> None:
    await harness.handle([OURS])
    written = {
        "invited": {"scope": f"{WORD} for both", "route": f"{WORD} framework", "reply_days": 20},
        "route": {"step": "framework", "by": f"{WORD} buyer", "note": f"Not {WORD}", "candidates": [WORD]},
        "document": {"title": f"{WORD} specification", "url": f"https://leeds.example/{WORD}"},
        "commit": {"act": "commit", "decided_by": f"{WORD} board"},
    }
    async with transaction(harness.sessions) as session:
        for kind, payload in written.items():
            session.add(_response(kind, payload))
    await forget(harness, OURS.plan_id)
    assert await tables_with(harness, WORD) == set()
    kept = await harness.rows(
        "SELECT kind, payload ? 'reply_days' OR payload ? 'act' OR payload ? 'step' FROM responses"
    )
    assert dict(kept) == {"invited": True, "route": True, "document": False, "commit": True}
    assert await harness.rows("SELECT kind FROM responses WHERE undone_by IS NOT NULL") == [("document",)]


def _response(kind: str, payload: dict[str, Any]) -> ResponseRow:
    return ResponseRow(
        speaker=OURS.authority,
        response_id=f"response-{kind}",
        authority=OURS.authority,
        plan_id=OURS.plan_id,
        subject="coalition",
        subject_id="0" * 32,
        kind=kind,
        payload=payload,
        content_hash="0",
        outcome="recorded",
        received_on=AS_OF,
        received_at=now(),
    )


async def test_the_topic_forgets_what_ended_long_ago(harness: MatcherHarness) -> None:
    for event in (THEIRS, OURS, LATER, ENDED):
        await harness.handle([event])
    async with transaction(harness.sessions) as session:
        await session.execute(text("UPDATE opportunities SET updated_at = updated_at - interval '8 days'"))
    await forget(harness, OURS.plan_id)
    assert await messages(harness) == [None]
    assert await tables_with(harness, WORD) == set()
    found, _ = await compared(harness)
    assert found.equal, (found.plans, found.pairs)


async def test_rebuild_mends_a_database_with_forgotten_plans(harness: MatcherHarness) -> None:
    await harness.handle([THEIRS, OURS, LATER, *invented_plans(20, subjects=5)])
    await forget(harness, OURS.plan_id)
    async with transaction(harness.sessions) as session:
        await session.execute(text("DELETE FROM plans"))
    found, done = await compared(harness, swap=True)
    assert not found.equal
    assert done is not None
    assert await tables_with(harness, WORD) == set()
    await sweep(harness.matcher.context, harness.sessions)
    found, _ = await compared(harness)
    assert found.equal, (found.plans, found.pairs)


async def test_an_event_delivered_again_brings_nothing_back(harness: MatcherHarness) -> None:
    await harness.handle([THEIRS, OURS, PlanUpdated.model_validate({**LATER.model_dump(), "revision": 4})])
    await forget(harness, OURS.plan_id)
    told = len(await messages(harness))
    # Again as they came, one that was never seen, and one that says something else under a revision that is known.
    other = PlanUpdated.model_validate({**LATER.model_dump(), "revision": 4, "title": f"{WORD} something else"})
    await harness.handle([OURS, LATER, PlanWithdrawn(**ENDED.model_dump()), other])
    await sweep(harness.matcher.context, harness.sessions)
    assert await tables_with(harness, WORD) == set()
    assert len(await messages(harness)) == told
    assert [row[0] for row in await log(harness, OURS.plan_id)] == [1, 2, 3, 4]
    found, _ = await compared(harness)
    assert found.equal, (found.plans, found.pairs)


async def test_a_higher_revision_is_a_plan_again(harness: MatcherHarness) -> None:
    await harness.handle([THEIRS, OURS])
    await forget(harness, OURS.plan_id)
    again = PlanUpdated.model_validate({**OURS.model_dump(), "revision": 2, "title": "Payroll system, second try"})
    await harness.handle([again])
    *_, last = await messages(harness)
    assert last is not None
    assert (last.status, last.revision) == ("active", 3)
    found, _ = await compared(harness)
    assert found.equal, (found.plans, found.pairs)


async def test_a_match_under_way_does_not_bring_it_back(
    harness: MatcherHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged from a snapshot in which the plan had its words, settled once they are forgotten."""
    await harness.handle([OURS])
    settle_all = assessment._settle_all

    async def forgotten_first(*arguments: Any) -> None:
        await forget(harness, OURS.plan_id)
        await settle_all(*arguments)

    monkeypatch.setattr(assessment, "_settle_all", forgotten_first)
    await harness.handle([THEIRS])
    monkeypatch.undo()
    assert await tables_with(harness, WORD) == set()
    assert await harness.rows("SELECT 1 FROM opportunities WHERE status = 'active'") == []


async def test_an_authority_is_forgotten_with_all_its_plans(harness: MatcherHarness) -> None:
    third = plan("HR-2", "E08000035", description="Also by Quixotrix.")
    async with transaction(harness.sessions) as session:
        await register.save(
            session, register.AuthorityUpdate("E08000035", {"name": "Leeds", "mailbox": "hr@leeds.example"})
        )
    await harness.handle([THEIRS, OURS, third, ENDED])
    assert (await forget(harness, "E08000035")).plans == 2
    assert await tables_with(harness, WORD) == set()
    assert await harness.rows("SELECT status FROM plans WHERE authority = 'E09000003'") == [("active",)]


GOLDEN = example(PlanPublished.type)
REFUSED = [
    ("procurement.plans.v1", GOLDEN["key"].encode(), headers_of(GOLDEN), value_of(GOLDEN, kind="renewals")),
    ("procurement.plans.v1", b"E09000003:P-9", [], b'{"somebody else": 1}'),
    ("procurement.plans.v1", None, headers_of(GOLDEN), value_of(GOLDEN, kind="odd")),
]


@pytest.fixture
def using(broker: AnyBroker, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("JOINTLY_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url)
    settings.cache_clear()
    yield settings()
    settings.cache_clear()


def test_dead_letters_are_blanked(broker: AnyBroker, using: Settings) -> None:
    asyncio.run(refuse_all(using, REFUSED))
    before, _ = asyncio.run(find_letters(using, TOPICS))
    command = application("forget")
    asked = CliRunner().invoke(command, ["forget", GOLDEN["key"]])
    assert asked.exit_code == 2
    assert "0 plans, 0 contracts and 2 dead letters" in asked.output
    assert [kept.letter for kept in asyncio.run(find_letters(using, TOPICS))[0]] == [kept.letter for kept in before]

    done = CliRunner().invoke(command, ["forget", GOLDEN["key"], "--yes", "--json"])
    if isinstance(broker, Broker):
        # Tansu deletes no records; it keeps them in memory alone, and is for development.
        assert done.exit_code == 1
        assert "the dead letters are not blanked" in done.output
        return
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["dead_letters"] == 2
    after, unreadable = asyncio.run(find_letters(using, TOPICS))
    assert unreadable == 0
    assert len(after) == len(before) == 3
    for one, other in zip(before, after, strict=True):
        identity = ("dead_letter_id", "reason", "origin", "value_length", "value_sha256", "at")
        assert [getattr(one.letter, name) for name in identity] == [getattr(other.letter, name) for name in identity]
        if one.letter.value is not None and b"somebody else" in one.letter.value:
            assert other.letter == one.letter
        else:
            assert (other.letter.key, other.letter.value, other.letter.headers) == (None, None, ())
            assert not other.letter.complete
    # The old records are gone: nothing of it can be read from the beginning.
    again = CliRunner().invoke(command, ["forget", GOLDEN["key"], "--yes", "--json"])
    assert json.loads(again.output)["dead_letters"] == 0


def test_a_code_is_found_in_any_case(broker: AnyBroker, using: Settings) -> None:
    twin = value_of(GOLDEN, plan_id="e08000035:HR-9", authority="e08000035")
    asyncio.run(refuse_all(using, [(REFUSED[0][0], b"e08000035:HR-9", [], twin)]))
    command = application("forget")
    for subject, named in [(GOLDEN["key"], 0), ("E08000035:HR-9", 1), ("e08000035", 1)]:
        asked = CliRunner().invoke(command, ["forget", subject])
        assert f"{named} dead letters would" in asked.output, subject
    nobody = CliRunner().invoke(command, ["forget", "E09999999", "--yes"])
    assert nobody.exit_code == 1
    assert "no authority has the code E09999999" in nobody.output


@pytest.mark.parametrize(
    ("subject", "value", "named"),
    [
        ("E09000015", b'{"plan_id": "e09000015:X-1"}', True),
        ("E09000015:X-1", b'{"plan_id": "e09000015:X-1"}', True),
        ("E09000015:X-1", b'{"plan_id": "e09000015:x-1"}', False),
        ("E09000015", b'{"authority": "e09000015"}', True),
        ("GB-EDU-12-Ab", b'{"plan_id": "gb-edu-12-Ab:X-1"}', True),
        ("GB-EDU-12-Ab", b'{"plan_id": "gb-edu-12-AB:X-1"}', False),
    ],
)
def test_a_letter_names_whoever_has_the_same_code(subject: str, value: bytes, named: bool) -> None:
    letter = DeadLetter.model_construct(key=None, value=value, headers=(), detail="refused")
    assert concerns(letter, subject) is named


@pytest.mark.parametrize("subject", ["", "E09000003:", "no such thing", "E09000003:a b"])
def test_only_a_plan_or_an_authority_can_be_forgotten(subject: str) -> None:
    done = CliRunner().invoke(application("forget"), ["forget", subject, "--yes"])
    assert done.exit_code == 2
    assert "neither a plan's id nor an authority's code" in done.output
