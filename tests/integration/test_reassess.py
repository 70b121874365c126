"""Moving a database to another generation: what is foreseen is what then happens, also after a crash half way."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import text

from events.cloudevents import decode
from events.opportunities import OPPORTUNITY_PAYLOADS
from matching.encoders.loading import load_embedder
from matching.engine import Engine
from matching.policy import Policy
from services.maintenance.notification_forecast import forecast
from services.maintenance.reassess import ChangeKind, OpportunityChange, preview_reassessment, reassess
from services.maintenance.rebuild import compare
from services.matcher import assessment
from services.matcher.context import MatcherContext
from services.matcher.settlement import WrongGenerationError
from services.matcher.sweeper import sweep
from services.notifier.event_handler import OpportunityEvent, record_intents
from services.platform.settings import Settings
from services.store import authorities
from services.store.authorities import AuthorityUpdate
from services.store.database import Sessions, transaction
from tests.chaos.order_independence import history
from tests.pipeline import _WHO, AS_OF
from tests.support.matcher import MatcherHarness, hashing_context, make_harness
from tests.support.policies import with_changes

COUNT, SUBJECTS = 120, 30


@pytest_asyncio.fixture
async def harness(sessions: Sessions) -> MatcherHarness:
    made = await make_harness(sessions)
    await made.handle(history(7, COUNT, SUBJECTS))
    async with transaction(sessions) as session:
        for code in _WHO[1:]:
            await authorities.save(
                session, AuthorityUpdate(code, {"name": code, "mailbox": f"buying@{code.lower()}.example"})
            )
    return made


class OtherModel:
    """Another model: the same vectors in another order, which changes none of the scores but all of the keys."""

    model = "backwards/1"

    def __init__(self) -> None:
        self._hashing = load_embedder("hashing")
        self.dimensions = self._hashing.dimensions
        self.embedded = 0

    def embed(self, texts: Any) -> np.ndarray:
        self.embedded += len(texts)
        return np.ascontiguousarray(self._hashing.embed(texts)[:, ::-1])


def stricter() -> MatcherContext:
    """A policy under which more is asked: some pairs end, others change their band."""
    shipped = Policy.load()
    exponents = replace(shipped.exponents, specification=1.5, timing=0.7, value=0.5)
    bands = replace(shipped.bands, notify=85.0, digest=45.0, feed=35.0)
    return hashing_context(policy=with_changes(shipped, exponents=exponents, bands=bands))


async def look(harness: MatcherHarness, context: MatcherContext) -> list[OpportunityChange]:
    async with transaction(harness.sessions, isolation="REPEATABLE READ") as view:
        return await preview_reassessment(context, view, lambda *_: None)


async def outbox(harness: MatcherHarness, after: int = 0) -> list[Any]:
    rows = await harness.rows(
        f"SELECT headers, value FROM outbox WHERE topic LIKE 'collab%' AND id > {after} ORDER BY id"
    )
    return [
        decode([(n, v.encode()) for n, v in headers], bytes(value), OPPORTUNITY_PAYLOADS) for headers, value in rows
    ]


async def told(harness: MatcherHarness, after: int = 0) -> Counter[tuple[str, str]]:
    """What the notifier would tell of the events behind `after`: by authority and purpose."""
    before = {row.id for row in await harness.rows("SELECT id FROM notification_intents")}
    for event in await outbox(harness, after):
        await record_intents(
            harness.sessions, [OpportunityEvent(event.id, event.payload, cast(Any, None))], datetime.now(UTC), 0
        )
    rows = await harness.rows("SELECT id, authority, purpose FROM notification_intents")
    return Counter((row.authority, row.purpose) for row in rows if row.id not in before)


def slightly_stricter() -> MatcherContext:
    """A policy under which every score falls a little, by less than what is worth telling."""
    shipped = Policy.load()
    bands = replace(shipped.bands, notify=shipped.bands.notify + 1.0, digest=shipped.bands.digest + 1.0)
    exponents = replace(shipped.exponents, specification=shipped.exponents.specification * 1.02)
    return hashing_context(policy=with_changes(shipped, exponents=exponents, bands=bands))


async def test_every_changed_pair_is_counted(harness: MatcherHarness) -> None:
    columns = "opportunity_id, status, band, score, material_revision"
    before = {row[0]: row[1:] for row in await harness.rows(f"SELECT {columns} FROM opportunities")}
    context = slightly_stricter()
    changes = {change.after.opportunity_id: change for change in await look(harness, context)}
    assert await reassess(context, harness.sessions, lambda *_: None) == 0
    after = {row[0]: row[1:] for row in await harness.rows(f"SELECT {columns} FROM opportunities")}

    moved = {key for key, row in after.items() if row[:3] != before.get(key, ())[:3]}
    assert moved
    assert moved <= changes.keys()
    silent = {key for key in moved if key in before and after[key][3] == before[key][3]}
    rebanded = {key for key in silent if after[key][1] != before[key][1]}
    assert rebanded, "a band that changes by too little to be told is seen, too"
    assert {key for key, one in changes.items() if one.kind is ChangeKind.BAND_WITHIN_MARGIN} == rebanded
    assert {key for key, one in changes.items() if one.kind is ChangeKind.SCORE} == silent - rebanded


async def test_what_is_foreseen_is_what_happens(harness: MatcherHarness) -> None:
    await told(harness)
    # Everything has been told: who must be corrected is foreseen, too.
    async with transaction(harness.sessions) as session:
        await session.execute(text("UPDATE notification_intents SET state = 'sent' WHERE state = 'pending'"))
    ((last,),) = await harness.rows("SELECT max(id) FROM outbox")
    before = await harness.rows("SELECT * FROM opportunities ORDER BY 1")
    context = stricter()
    changes = await look(harness, context)
    kinds = Counter(change.kind for change in changes)
    assert kinds["withdrawn"] > 0
    assert kinds["band"] > 0
    async with transaction(harness.sessions) as session:
        tellings = await forecast(session, changes)
    assert await harness.rows("SELECT * FROM opportunities ORDER BY 1") == before, "nothing was written"
    assert await harness.rows("SELECT max(id) FROM outbox") == [(last,)]

    assert await reassess(context, harness.sessions, lambda *_: None) == 0
    events = await outbox(harness, last)
    assert {event.causation_id for event in events} == {None}, "no plan event is behind it, so it is nobody's own act"
    assert {event.payload.opportunity_id: event.payload for event in events} == {
        change.after.opportunity_id: type_of(events, change)(**change.after.model_dump())
        for change in changes
        if change.is_event
    }
    happened = await told(harness, last)
    assert sum(happened.values()) > 0
    foretold = Counter({(one.authority, how): n for one in tellings for how, n in one.tells.items()})
    unreachable = foretold.pop((_WHO[0], "unreachable"))
    assert foretold == Counter({key: n for key, n in happened.items() if key[0] != _WHO[0]})
    assert unreachable == sum(n for key, n in happened.items() if key[0] == _WHO[0]) > 0
    assert await look(harness, context) == [], "nothing is left to change"
    await equals_its_log(harness, context)


def type_of(events: list[Any], change: OpportunityChange) -> Any:
    return next(type(e.payload) for e in events if e.payload.opportunity_id == change.after.opportunity_id)


async def equals_its_log(harness: MatcherHarness, context: MatcherContext) -> None:
    async with transaction(harness.sessions, isolation="REPEATABLE READ") as view:
        found = await compare(context, harness.sessions, view, AS_OF, lambda *_: None)
    assert found.equal, (found.plans, found.pairs)
    assert found.live is not None
    assert found.live.pairs > 10


@pytest.mark.parametrize("resumed_by", ["reassess", "a matcher's sweeper"])
async def test_a_crash_half_way_is_made_good(
    harness: MatcherHarness, monkeypatch: pytest.MonkeyPatch, resumed_by: str
) -> None:
    settle = assessment.settle
    left = [1]

    async def crash(*arguments: Any) -> Any:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return await settle(*arguments)

    context = stricter()
    expected = {change.after.opportunity_id: change.after.revision for change in await look(harness, context)}
    with monkeypatch.context() as patched:
        patched.setattr(assessment, "settle", crash)
        with pytest.raises(KeyboardInterrupt):
            await reassess(context, harness.sessions, lambda *_: None)
    ((pending,),) = await harness.rows("SELECT count(*) FROM plans WHERE assessed_revision < revision")
    assert 0 < pending < COUNT
    with pytest.raises(WrongGenerationError):
        await sweep(harness.matcher.context, harness.sessions)
    if resumed_by == "reassess":
        assert await reassess(stricter(), harness.sessions, lambda *_: None) == 0
    else:
        await sweep(stricter(), harness.sessions)
    await equals_its_log(harness, stricter())
    rows = dict(await harness.rows("SELECT opportunity_id, revision FROM opportunities"))
    assert {key: rows[key] for key in expected} == expected, "no revision was counted twice"


async def test_another_model_embeds_each_text_once(harness: MatcherHarness) -> None:
    def context(embedder: OtherModel) -> MatcherContext:
        return MatcherContext(Engine.load(model=embedder.model), embedder, Settings(as_of=AS_OF))

    first = OtherModel()
    ((texts,),) = await harness.rows("SELECT count(*) FROM embeddings")
    assert await reassess(context(first), harness.sessions, lambda *_: None) == 0
    assert 0 < first.embedded <= texts
    ((kept,),) = await harness.rows("SELECT count(*) FROM embeddings WHERE model = 'backwards/1'")
    assert kept == first.embedded
    second = OtherModel()
    await equals_its_log(harness, context(second))
    assert second.embedded == 0


async def test_the_same_generation_again_mends_and_tells(harness: MatcherHarness) -> None:
    await told(harness)
    ((last,),) = await harness.rows("SELECT max(id) FROM outbox")
    context = hashing_context()
    assert await reassess(context, harness.sessions, lambda *_: None) == 0
    assert await reassess(context, harness.sessions, lambda *_: None, again=True) == 0
    assert await outbox(harness, last) == [], "nothing was wrong"
    async with transaction(harness.sessions) as session:
        key = "SELECT min(opportunity_id) FROM opportunities WHERE status = 'active' AND band <> 'feed'"
        await session.execute(text(f"DELETE FROM opportunities WHERE opportunity_id = ({key})"))
        await session.execute(text("DELETE FROM notification_intents"))
    assert await reassess(context, harness.sessions, lambda *_: None, again=True) == 0
    assert sum((await told(harness, last)).values()) == 2, "both sides of the pair that was missing"
    await equals_its_log(harness, context)


async def test_plans_that_were_set_aside_get_another_chance(harness: MatcherHarness) -> None:
    async with transaction(harness.sessions) as session:
        await session.execute(
            text("UPDATE plans SET quarantined = true, matchable = false, attempts = 3 WHERE matchable")
        )
    assert await look(harness, stricter()) != []
    assert await reassess(stricter(), harness.sessions, lambda *_: None) == 0
    assert await harness.rows("SELECT count(*) FROM plans WHERE quarantined") == [(0,)]
    await equals_its_log(harness, stricter())
