"""An opportunity's id, and all else in its event, tells a reader nothing of a plan that is shared as match_only."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from events.plans import PlanWithdrawn
from events.topics import OPPORTUNITIES
from services.cli.trace import TOPICS
from services.domain.ids import IdKey, opportunity_id
from services.ingest.event_publisher import plan_event
from services.matcher.batch_handler import Matcher
from services.platform import retry
from services.store import causation, id_keys, intents
from services.store.database import Sessions, make_engine, make_sessions, transaction
from services.store.migrate import migrate
from services.store.outbox import Outbox
from tests.pipeline import record_of
from tests.support.filled_database import BRADFORD, LEEDS, plan
from tests.support.ids import KEY
from tests.support.matcher import make_matcher

OWN = f"{LEEDS}:HR-1"
GUESSES = [f"{BRADFORD}:HR-{number}" for number in range(1, 100)]
"""The partner's plan is among them; the reader doesn't know which one it is."""


@asynccontextmanager
async def matched(url: str) -> AsyncIterator[tuple[Sessions, Matcher, Outbox]]:
    """A database in which an open plan has met a match_only one, and the event of that."""
    engine = make_engine(url)
    sessions = make_sessions(engine)
    matcher = await make_matcher(sessions)
    for number, one in enumerate((plan(LEEDS), plan(BRADFORD, "HR-7", sharing="match_only"))):
        await matcher.handle([record_of(one, number)])
    async with sessions() as session:
        query = select(Outbox).where(col(Outbox.topic) == OPPORTUNITIES.name)
        event = (await session.execute(query)).scalar_one()
        yield sessions, matcher, event
    await engine.dispose()


def unkeyed(one: str, other: str) -> str:
    """The id as anybody can compute it."""
    return hashlib.sha256("\n".join(sorted((one, other))).encode()).hexdigest()[:32]


async def test_a_guessed_reference_can_not_be_checked_against_the_id(database_url: str) -> None:
    async with matched(database_url) as (_, _, event):
        payload = json.loads(event.value or "")
    assert [side["plan_id"] for side in payload["plans"]] == [None, None]
    ours = IdKey(bytes(32))
    for guess in GUESSES:
        assert payload["opportunity_id"] not in (unkeyed(OWN, guess), opportunity_id(ours, OWN, guess))
    right = [guess for guess in GUESSES if opportunity_id(KEY, OWN, guess) == payload["opportunity_id"]]
    assert right == [f"{BRADFORD}:HR-7"], "with the database's own key it is this pair's"


async def test_no_field_of_the_event_names_a_plan_or_the_key(database_url: str) -> None:
    async with matched(database_url) as (_, _, event):
        said = f"{event.key} {event.headers} {event.value}"
    assert not [guess for guess in (OWN, *GUESSES) if guess in said]
    assert KEY.secret.hex() not in said


async def test_the_cause_of_a_withdrawal_can_not_be_guessed_either(database_url: str) -> None:
    """`jointly withdraw` derives the event's id from the plan, its revision and a reason that may be empty."""
    async with matched(database_url) as (sessions, matcher, event):
        ended = PlanWithdrawn(plan_id=f"{BRADFORD}:HR-7", revision=2, authority=BRADFORD)
        await matcher.handle([record_of(ended, 9)])
        async with sessions() as session:
            query = select(Outbox).where(col(Outbox.topic) == OPPORTUNITIES.name).order_by(col(Outbox.id).desc())
            last = (await session.execute(query.limit(1))).scalar_one()
            actors = await intents.actors(session, [event.key])
            steps = await causation.steps(session, plan_event(ended).id, TOPICS)
    causes = [plan_event(ended.model_copy(update={"plan_id": guess})).id for guess in GUESSES]
    assert plan_event(ended).id in causes
    assert last.causation_id is not None
    assert not [cause for cause in causes if cause in f"{last.headers} {last.value}"]
    assert actors == {event.key: BRADFORD}, "the notifier still knows whose act it was"
    assert last.event_id in {step.id for step in steps}, "`jointly trace` still follows it"


async def test_each_database_has_a_key_and_ids_of_its_own(database_url: str, empty_database_url: str) -> None:
    migrate(empty_database_url)
    keys, ids = set(), set()
    for url in (database_url, empty_database_url):
        async with matched(url) as (sessions, _, event):
            async with transaction(sessions) as session:
                keys.add((await id_keys.load(session)).secret)
            ids.add(event.key)
    assert (len(keys), len(ids)) == (2, 2)
    assert {len(secret) for secret in keys} == {32}
    migrate(empty_database_url)
    async with matched(empty_database_url) as (sessions, _, event):
        assert event.key in ids, "a second migration keeps the key"


async def test_without_its_key_a_database_is_left_alone(database_url: str) -> None:
    async with matched(database_url) as (sessions, matcher, _):
        async with transaction(sessions) as session:
            await session.execute(text("DELETE FROM id_key"))
        with pytest.raises(retry.HaltConsumerError, match="restore the table id_key from a backup"):
            await matcher.handle([record_of(plan(LEEDS, "HR-2"), 9)])
