"""Forgetting a plan: its words are nowhere any more, and all that is decided, promised and rebuilt still holds."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from typer.testing import CliRunner

from events.cloudevents import decode
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from events.plans import PlanPublished, PlanUpdated, PlanWithdrawn
from events.topics import OPPORTUNITIES
from services.cli import application
from services.cli.blanking import TOPICS
from services.cli.dead_letters import find_letters
from services.local_stack.tansu import Broker
from services.matcher import assessment, erasure
from services.matcher.app import adopt
from services.matcher.batch_handler import Matcher
from services.matcher.sweeper import sweep
from services.platform.settings import Settings, settings
from services.store import authorities as register
from services.store.database import make_engine, make_sessions, now, transaction
from services.store.responses import ResponseRow
from tests.conftest import AnyBroker
from tests.integration.test_dead_letters import refuse_all
from tests.integration.test_matcher_steps import Rig, context_of
from tests.integration.test_rebuild import compared
from tests.pipeline import AS_OF, invented_plans
from tests.unit.events.messages import example, headers_of, value_of

WORD = "Quixotrix"
"""A word that only the plan to be forgotten uses."""


@pytest_asyncio.fixture
async def rig(database_url: str) -> AsyncIterator[Rig]:
    engine = make_engine(database_url)
    sessions = make_sessions(engine)
    context = context_of(Settings(as_of=AS_OF))
    await adopt(context, sessions)
    yield Rig(Matcher(context, sessions, producer=None), sessions)  # type: ignore[arg-type]
    await engine.dispose()


def plan(reference: str, authority: str, **changes: Any) -> PlanPublished:
    return PlanPublished.model_validate(
        {
            "plan_id": f"{authority}:{reference}",
            "revision": 1,
            "authority": authority,
            "title": f"{WORD} payroll system",
            "description": f"Hosted HR and payroll software by {WORD} with self-service and pensions reporting.",
            "kind": "renewal",
            "cpv": ["48450000"],
            "tender_window": {"earliest": "2027-06-01", "latest": "2027-09-30"},
            **changes,
        }
    )


OURS = plan("HR-1", "E08000035")
THEIRS = plan("P-9", "E09000003", title="Payroll system", description="HR and payroll software with self-service.")
LATER = PlanUpdated.model_validate({**OURS.model_dump(), "revision": 2, "title": f"{WORD} payroll and HR system"})
ENDED = PlanWithdrawn(plan_id=OURS.plan_id, revision=3, authority=OURS.authority, reason=f"No {WORD} needed")


async def forget(rig: Rig, subject: str) -> erasure.ErasedContent:
    async with transaction(rig.sessions) as session:
        ids = await erasure.plans_of(session, subject)
    return await erasure.erase(rig.sessions, rig.matcher.context.engine.policy, ids)


async def tables_with(rig: Rig, word: str) -> set[str]:
    """The tables of which a row holds the word, as text, in JSON or as bytes."""
    names = await rig.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = set()
    for (name,) in names:
        query = f'SELECT count(*) FROM "{name}" t WHERE t::text LIKE :word OR t::text LIKE :hex'
        async with transaction(rig.sessions) as session:
            given = {"word": f"%{word}%", "hex": f"%{word.encode().hex()}%"}
            if (await session.execute(text(query), given)).scalar_one():
                found.add(name)
    return found


async def messages(rig: Rig) -> list[OpportunityState | None]:
    """What the opportunities' topic is told, in order; None for a tombstone."""
    rows = await rig.rows(f"SELECT headers, value FROM outbox WHERE topic = '{OPPORTUNITIES.name}' ORDER BY id")
    return [
        decode([(n, v.encode()) for n, v in headers], bytes(value), OPPORTUNITY_PAYLOADS).payload if value else None  # type: ignore[misc]
        for headers, value in rows
    ]


async def log(rig: Rig, plan_id: str) -> list[tuple[Any, ...]]:
    columns = "revision, event_id, event_type, content_hash, origin::text, published_at"
    return [tuple(r) for r in await rig.rows(f"SELECT {columns} FROM plan_log WHERE plan_id = '{plan_id}' ORDER BY 1")]


@pytest.mark.parametrize("events", [[OURS], [OURS, LATER], [OURS, LATER, ENDED]], ids=["new", "updated", "ended"])
async def test_no_word_of_a_forgotten_plan_is_left(rig: Rig, events: list[Any]) -> None:
    await rig.handle([THEIRS, *invented_plans(20, subjects=5)])
    for event in events:
        await rig.handle([event])
    assert await tables_with(rig, WORD) >= {"plan_log", "plans"}
    assert await rig.rows(f"SELECT 1 FROM opportunities WHERE plan_a = '{OURS.plan_id}' OR plan_b = '{OURS.plan_id}'")
    before, vectors = await log(rig, OURS.plan_id), await rig.rows("SELECT count(*) FROM embeddings")
    done = await forget(rig, OURS.plan_id)
    assert (done.plans, done.events) == (1, len(events))
    assert await tables_with(rig, WORD) == set()
    assert await log(rig, OURS.plan_id) == before
    assert (await rig.rows("SELECT count(*) FROM embeddings"))[0][0] < vectors[0][0]
    columns = "state IS NULL, status, matchable"
    row = await rig.rows(f"SELECT {columns} FROM plans WHERE plan_id = '{OURS.plan_id}'")
    assert [tuple(values) for values in row] == [(True, "withdrawn", False)]
    *_, last = await messages(rig)
    assert last is not None
    assert (last.status, last.score, [side.title for side in last.plans]) == ("withdrawn", None, [None, None])
    found, _ = await compared(rig)
    assert found.equal, (found.plans, found.pairs)
    assert await forget(rig, OURS.plan_id) == erasure.ErasedContent(plans=1, ended=done.withdrawn + done.ended)


async def test_the_pairs_of_a_plan_are_withdrawn_in_parts(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "PAIRS_AT_ONCE", 2)
    codes = ("E09000003", "E09000004", "E09000005", "E09000006", "E09000007")
    await rig.handle([*(plan("P-1", code, title="Payroll system") for code in codes), OURS])
    pair = f"plan_a = '{OURS.plan_id}' OR plan_b = '{OURS.plan_id}'"
    assert await rig.rows(f"SELECT count(*) FROM opportunities WHERE status = 'active' AND ({pair})") == [(5,)]
    done = await forget(rig, OURS.plan_id)
    assert (done.plans, done.withdrawn, done.ended) == (1, 5, 0)
    assert not await rig.rows(f"SELECT 1 FROM opportunities WHERE status = 'active' AND ({pair})")
    sizes = "SELECT count(*) FROM opportunities WHERE {} GROUP BY xmin::text ORDER BY 1"
    assert await rig.rows(sizes.format(pair)) == [(1,), (2,), (2,)], "one transaction a part"
    told = [each for each in await messages(rig) if each and each.status == "withdrawn"]
    assert len(told) == len({each.opportunity_id for each in told}) == 5, "each once"
    found, _ = await compared(rig)
    assert found.equal, (found.plans, found.pairs)


async def test_no_word_of_an_answer_for_the_plan_is_left(rig: Rig) -> None:
    await rig.handle([OURS])
    written = {
        "invited": {"scope": f"{WORD} for both", "route": f"{WORD} framework", "reply_days": 20},
        "route": {"step": "framework", "by": f"{WORD} buyer", "note": f"Not {WORD}", "candidates": [WORD]},
        "document": {"title": f"{WORD} specification", "url": f"https://leeds.example/{WORD}"},
        "commit": {"act": "commit", "decided_by": f"{WORD} board"},
    }
    async with transaction(rig.sessions) as session:
        for kind, payload in written.items():
            session.add(_response(kind, payload))
    await forget(rig, OURS.plan_id)
    assert await tables_with(rig, WORD) == set()
    kept = await rig.rows("SELECT kind, payload ? 'reply_days' OR payload ? 'act' OR payload ? 'step' FROM responses")
    assert dict(kept) == {"invited": True, "route": True, "document": False, "commit": True}
    assert await rig.rows("SELECT kind FROM responses WHERE undone_by IS NOT NULL") == [("document",)]


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


async def test_the_topic_forgets_what_ended_long_ago(rig: Rig) -> None:
    for event in (THEIRS, OURS, LATER, ENDED):
        await rig.handle([event])
    async with transaction(rig.sessions) as session:
        await session.execute(text("UPDATE opportunities SET updated_at = updated_at - interval '8 days'"))
    await forget(rig, OURS.plan_id)
    assert await messages(rig) == [None]
    assert await tables_with(rig, WORD) == set()
    found, _ = await compared(rig)
    assert found.equal, (found.plans, found.pairs)


async def test_rebuild_mends_a_database_with_forgotten_plans(rig: Rig) -> None:
    await rig.handle([THEIRS, OURS, LATER, *invented_plans(20, subjects=5)])
    await forget(rig, OURS.plan_id)
    async with transaction(rig.sessions) as session:
        await session.execute(text("DELETE FROM plans"))
    found, done = await compared(rig, swap=True)
    assert not found.equal
    assert done is not None
    assert await tables_with(rig, WORD) == set()
    await sweep(rig.matcher.context, rig.sessions)
    found, _ = await compared(rig)
    assert found.equal, (found.plans, found.pairs)


async def test_an_event_delivered_again_brings_nothing_back(rig: Rig) -> None:
    await rig.handle([THEIRS, OURS, PlanUpdated.model_validate({**LATER.model_dump(), "revision": 4})])
    await forget(rig, OURS.plan_id)
    told = len(await messages(rig))
    # Again as they came, one that was never seen, and one that says something else under a revision that is known.
    other = PlanUpdated.model_validate({**LATER.model_dump(), "revision": 4, "title": f"{WORD} something else"})
    await rig.handle([OURS, LATER, PlanWithdrawn(**ENDED.model_dump()), other])
    await sweep(rig.matcher.context, rig.sessions)
    assert await tables_with(rig, WORD) == set()
    assert len(await messages(rig)) == told
    assert [row[0] for row in await log(rig, OURS.plan_id)] == [1, 2, 3, 4]
    found, _ = await compared(rig)
    assert found.equal, (found.plans, found.pairs)


async def test_a_higher_revision_is_a_plan_again(rig: Rig) -> None:
    await rig.handle([THEIRS, OURS])
    await forget(rig, OURS.plan_id)
    again = PlanUpdated.model_validate({**OURS.model_dump(), "revision": 2, "title": "Payroll system, second try"})
    await rig.handle([again])
    *_, last = await messages(rig)
    assert last is not None
    assert (last.status, last.revision) == ("active", 3)
    found, _ = await compared(rig)
    assert found.equal, (found.plans, found.pairs)


async def test_a_match_under_way_does_not_bring_it_back(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged from a snapshot in which the plan had its words, settled once they are forgotten."""
    await rig.handle([OURS])
    settle_all = assessment._settle_all

    async def forgotten_first(*arguments: Any) -> None:
        await forget(rig, OURS.plan_id)
        await settle_all(*arguments)

    monkeypatch.setattr(assessment, "_settle_all", forgotten_first)
    await rig.handle([THEIRS])
    monkeypatch.undo()
    assert await tables_with(rig, WORD) == set()
    assert await rig.rows("SELECT 1 FROM opportunities WHERE status = 'active'") == []


async def test_an_authority_is_forgotten_with_all_its_plans(rig: Rig) -> None:
    third = plan("HR-2", "E08000035", description="Also by Quixotrix.")
    async with transaction(rig.sessions) as session:
        await register.save(
            session, register.AuthorityUpdate("E08000035", {"name": "Leeds", "mailbox": "hr@leeds.example"})
        )
    await rig.handle([THEIRS, OURS, third, ENDED])
    assert (await forget(rig, "E08000035")).plans == 2
    assert await tables_with(rig, WORD) == set()
    assert await rig.rows("SELECT status FROM plans WHERE authority = 'E09000003'") == [("active",)]


GOLDEN = example(PlanPublished.type)
REFUSED = [
    ("procurement.plans.v1", GOLDEN["key"].encode(), headers_of(GOLDEN), value_of(GOLDEN, kind="renewals")),
    ("procurement.plans.v1", b"E09000003:P-9", [], b"not JSON, for somebody else"),
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


@pytest.mark.parametrize("subject", ["", "E09000003:", "no such thing", "E09000003:a b"])
def test_only_a_plan_or_an_authority_can_be_forgotten(subject: str) -> None:
    done = CliRunner().invoke(application("forget"), ["forget", subject, "--yes"])
    assert done.exit_code == 2
    assert "neither a plan's id nor an authority's code" in done.output
