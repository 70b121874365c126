"""What is purged once it was kept long enough, and what never is."""

import asyncio
import math
from datetime import timedelta

import pytest
from sqlalchemy import text

from events.plans import PlanUpdated
from events.topics import OPPORTUNITIES
from services.matcher.purge import ROWS_AT_ONCE, PurgeError, PurgeResult, RetentionRules, purge, purge_for_ever
from services.messaging import kafka, topic_admin
from services.messaging.kafka import make_producer
from services.notifier.event_handler import handle
from services.platform import metrics
from services.platform.settings import Settings
from services.store.database import now, transaction
from services.store.outbox import Outbox, tombstone
from tests.conftest import AnyBroker
from tests.pipeline import records_of
from tests.support.forgetting import ENDED, LATER, OURS, THEIRS, WORD, forget, messages, plan, tables_with
from tests.support.matcher import MatcherHarness
from tests.support.rebuilding import compared, told

TWO_YEARS = timedelta(days=730)
KEEP = RetentionRules(TWO_YEARS, TWO_YEARS)


async def purged(harness: MatcherHarness, days: int, keep: RetentionRules = KEEP) -> PurgeResult:
    """What a round does that many days from now."""
    done = await purge(harness.sessions, harness.matcher.context.engine.policy, keep, now() + timedelta(days=days))
    assert done is not None
    return done


async def change(harness: MatcherHarness, statements: str) -> None:
    async with transaction(harness.sessions) as session:
        for statement in statements.split(";;"):
            await session.execute(text(statement))


async def one_by_one(harness: MatcherHarness, *events: object) -> None:
    for event in events:
        await harness.handle([event])  # type: ignore[list-item]


async def test_what_has_ended_is_forgotten_when_its_time_has_come(harness: MatcherHarness) -> None:
    await one_by_one(harness, THEIRS, OURS, LATER, ENDED)
    assert await told(harness) == 0  # nobody was told before it ended
    assert await purged(harness, 729) == PurgeResult()
    assert WORD in str(await harness.rows("SELECT payload FROM plan_log"))
    done = await purged(harness, 731)
    assert (done.plans, done.opportunities) == (1, 1)
    assert await tables_with(harness, WORD) == set()
    assert (await messages(harness))[-1] is None
    found, _ = await compared(harness)
    assert found.equal, (found.plans, found.pairs)
    assert await purged(harness, 732) == PurgeResult()


async def test_what_stands_is_never_purged(harness: MatcherHarness) -> None:
    await one_by_one(harness, THEIRS, OURS, LATER)
    await told(harness)
    intents = await harness.rows("SELECT count(*) FROM notification_intents")
    done = await purged(harness, 10_000)
    assert done == PurgeResult(revisions=1)
    ((first,), (second,)) = await harness.rows(
        f"SELECT payload FROM plan_log WHERE plan_id = '{OURS.plan_id}' ORDER BY revision"
    )
    assert first["forgotten"]
    assert second["title"] == LATER.title
    assert await harness.rows("SELECT count(*) FROM notification_intents") == intents
    assert len(await harness.active()) == 1
    found, _ = await compared(harness)
    assert found.equal, (found.plans, found.pairs)


async def test_a_pair_found_again_after_its_tombstone_goes_on_counting(harness: MatcherHarness) -> None:
    await one_by_one(harness, THEIRS, OURS, LATER, ENDED)
    await purged(harness, 731)
    await harness.handle([PlanUpdated.model_validate({**OURS.model_dump(), "revision": 4})])
    *_, before, last = await messages(harness)
    assert before is None
    assert last is not None
    assert (last.status, last.revision) == ("active", 4)
    assert await harness.rows("SELECT tombstoned_at FROM opportunities") == [(None,)]
    assert await purged(harness, 731) == PurgeResult()


async def test_forgotten_ones_become_tombstones_after_a_week(harness: MatcherHarness) -> None:
    await one_by_one(harness, THEIRS, OURS)
    await forget(harness, OURS.plan_id)
    never = RetentionRules(None, None)
    assert (await purged(harness, 6, never)).opportunities == 0
    assert (await purged(harness, 8, never)).opportunities == 1
    assert (await messages(harness))[-1] is None


async def test_zero_days_keep_everything(harness: MatcherHarness) -> None:
    await one_by_one(harness, THEIRS, OURS, LATER, ENDED)
    assert await purged(harness, 20_000, RetentionRules(None, None)) == PurgeResult()


async def test_what_was_told_goes_with_its_opportunity(harness: MatcherHarness) -> None:
    await one_by_one(harness, THEIRS, OURS)
    assert await told(harness) == 2
    third = plan("HR-2", "E08000025", title="Payroll system", description="HR and payroll software, hosted.")
    await one_by_one(harness, third, ENDED)
    mail = "INSERT INTO notification_mails (mail_id, authority, channel, purpose, message_id, state, attempts,"
    mail += " unknown_outcomes, next_attempt_at, created_at, updated_at) SELECT 'm', authority, 'email', purpose, 'm',"
    mail += " 'sent', 1, 0, due_at, created_at, updated_at FROM notification_intents WHERE opportunity_id IN (SELECT"
    mail += " opportunity_id FROM opportunities WHERE status = 'withdrawn') LIMIT 1"
    async with transaction(harness.sessions) as session:
        await session.execute(text(mail))
        await session.execute(
            text(
                "UPDATE notification_intents SET mail_id = 'm' FROM notification_mails m WHERE m.authority ="
                " notification_intents.authority"
            )
        )
        await session.execute(
            text(mail.replace("SELECT 'm'", "SELECT 'c'").replace("'email', purpose", "'email', 'coalition'"))
        )
        await session.execute(
            text(
                "INSERT INTO coalition_notices (coalition_id, authority, plan_id, kind, occasion, mail_id, created_at)"
                " VALUES ('c', 'E08000025', 'E08000025:HR-2', 'invited', '1', 'c', now())"
            )
        )
    done = await purged(harness, 731)
    assert (done.opportunities > 0, done.intents > 0, done.mails) == (True, True, 1)
    assert await harness.rows("SELECT mail_id FROM notification_mails") == [("c",)], (
        "a coalition's notice keeps its email"
    )
    left = await harness.rows(
        "SELECT count(*) FROM notification_intents JOIN opportunities USING (opportunity_id) WHERE status <> 'active'"
    )
    assert [tuple(row) for row in left] == [(0,)]


REFUSING = """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;;
CREATE TRIGGER refuse BEFORE UPDATE ON plan_log EXECUTE FUNCTION refuse()"""


async def test_a_step_that_fails_keeps_no_other_from_running(harness: MatcherHarness) -> None:
    await one_by_one(harness, THEIRS, OURS, LATER, ENDED)
    await change(harness, REFUSING)
    with pytest.raises(PurgeError) as failed:
        await purged(harness, 731)
    assert failed.value.steps == ["plans", "revisions"]
    assert (await messages(harness))[-1] is None, "the opportunity has become a tombstone"


async def test_a_failed_step_is_a_metric_until_a_purge_succeeds(harness: MatcherHarness) -> None:
    await one_by_one(harness, OURS, LATER)
    at_once = RetentionRules(timedelta(0), timedelta(0))

    async def first_round() -> float:
        metrics.PURGE_FAILED_STEPS.set(math.nan)
        policy = harness.matcher.context.engine.policy
        purging = asyncio.create_task(purge_for_ever(harness.sessions, policy, at_once))
        async with asyncio.timeout(10):
            while math.isnan(metrics.PURGE_FAILED_STEPS._value.get()):
                await asyncio.sleep(0.01)
        purging.cancel()
        return metrics.PURGE_FAILED_STEPS._value.get()

    await change(harness, REFUSING)
    assert await first_round() == 1
    await change(harness, "DROP TRIGGER refuse ON plan_log")
    assert await first_round() == 0


async def test_many_rows_are_purged_in_parts_and_a_locked_one_waits(harness: MatcherHarness) -> None:
    newest = PlanUpdated.model_validate(LATER.model_dump() | {"revision": 3 * ROWS_AT_ONCE})
    await one_by_one(harness, OURS, newest)
    columns = "plan_id, event_id, event_type, content_hash, payload, origin, published_at, received_at"
    await change(
        harness,
        f"INSERT INTO plan_log (revision, {columns}) SELECT n, {columns} FROM plan_log,"
        f" generate_series(2, {ROWS_AT_ONCE + 5}) n WHERE revision = 1",
    )
    async with harness.sessions() as other:
        await other.execute(text("SELECT 1 FROM plan_log WHERE revision = 7 FOR UPDATE"))
        assert (await purged(harness, 10_000)).revisions == ROWS_AT_ONCE + 4
    assert (await purged(harness, 10_000)).revisions == 1
    assert (await purged(harness, 10_000)).revisions == 0


def test_a_tombstone_reaches_kafka_without_a_value(broker: AnyBroker) -> None:
    async def send() -> None:
        producer = make_producer(Settings(kafka_bootstrap_servers=(broker.bootstrap,)), "tests")
        await producer.start()
        await (await kafka.send(producer, OPPORTUNITIES.name, Outbox(**tombstone("topic", "key")).message()))
        await producer.stop()

    asyncio.run(topic_admin.create(Settings(kafka_bootstrap_servers=(broker.bootstrap,))))
    asyncio.run(send())
    (record,) = records_of(broker.bootstrap, OPPORTUNITIES.name)
    assert (record.key, record.value) == (b"key", None)
    refused: list[object] = []

    async def refuse(*letter: object) -> None:
        refused.append(letter)

    # The notifier leaves it alone: it needs neither database nor dead letter.
    asyncio.run(handle([record], sessions=None, refuse=refuse, clock=now, notify_batch_seconds=0))  # type: ignore[arg-type]
    assert refused == []
