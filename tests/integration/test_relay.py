"""The relay on a real database and real brokers: order within a key, failover, and nothing forgotten."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from events.cloudevents import Message
from services.messaging import kafka, topic_admin
from services.platform.dependencies import Dependencies
from services.platform.settings import Settings
from services.relay.outbox_publisher import OutboxPublisher
from services.store import outbox
from services.store.bulk_writes import bulk_writes
from services.store.database import database_responds, make_engine, make_sessions, transaction
from tests.chaos.proxy import proxies
from tests.conftest import AnyBroker
from tests.pipeline import kafka_requests, records_of

TOPIC = "collaboration.opportunities.v1"


@contextmanager
def settings_on(broker: AnyBroker, database_url: str) -> Iterator[Settings]:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap, database_url=database_url)
    asyncio.run(topic_admin.create(settings))
    yield settings


async def fill(url: str, keys: int, revisions: int) -> None:
    engine = make_engine(url)
    for revision in range(revisions):
        async with transaction(make_sessions(engine)) as session:
            for key in range(keys):
                value = json.dumps({"key": key, "revision": revision}).encode()
                message = Message(str(key).encode(), (("ce_id", b"1"),), value)
                session.add(outbox.to_outbox_row(TOPIC, f"{key}-{revision}", message))
    await engine.dispose()


async def relaying(settings: Settings, url: str, relays: int = 1, seconds: float = 60.0) -> None:
    """Runs relays until the outbox is empty."""
    engine = make_engine(url, pool=10)
    sessions = make_sessions(engine)
    producers = [kafka.make_producer(settings, f"relay-{number}") for number in range(relays)]
    for producer in producers:
        await producer.start()
    tasks = [asyncio.create_task(OutboxPublisher(engine, producer).run_for_ever()) for producer in producers]
    try:
        async with asyncio.timeout(seconds):
            while True:
                async with sessions() as session:
                    if (await outbox.backlog(session))[0] == 0:
                        return
                await asyncio.sleep(0.1)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for producer in producers:
            await producer.stop()
        await engine.dispose()


def history(broker: AnyBroker) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for record in records_of(broker.bootstrap, TOPIC):
        content = json.loads(record.value)
        found.setdefault(content["key"], []).append(content["revision"])
    return found


def test_every_message_leaves_in_the_order_of_its_key(broker: AnyBroker, database_url: str) -> None:
    with settings_on(broker, database_url) as settings:
        asyncio.run(fill(database_url, keys=40, revisions=20))
        asyncio.run(relaying(settings, database_url, relays=2))
        assert history(broker) == {key: list(range(20)) for key in range(40)}


def test_messages_that_wait_leave_in_few_requests(broker: AnyBroker, database_url: str) -> None:
    with settings_on(broker, database_url) as settings:
        asyncio.run(fill(database_url, keys=100, revisions=8))
        with kafka_requests() as asked:
            asyncio.run(relaying(settings, database_url))
        assert 0 < asked["ProduceRequest"] <= 40, asked
        assert len(history(broker)) == 100


def test_one_that_takes_over_says_the_newest_again(tansu_broker: AnyBroker, database_url: str) -> None:
    with settings_on(tansu_broker, database_url) as settings:
        asyncio.run(fill(database_url, keys=5, revisions=3))
        asyncio.run(relaying(settings, database_url))
        asyncio.run(fill(database_url, keys=1, revisions=1))
        asyncio.run(relaying(settings, database_url))
        told = history(tansu_broker)
        assert told[1] == [0, 1, 2, 2], "its predecessor might have had it in flight"
        assert told[0] == [0, 1, 2, 2, 0]


class _Refusing:
    """A producer whose nth message is never acknowledged, as when the broker's disk is full."""

    def __init__(self, producer: AIOKafkaProducer, refuse: set[int]) -> None:
        self._producer, self._refuse, self._sent = producer, refuse, 0

    async def send(self, *args: object, **kwargs: object) -> object:
        self._sent += 1
        if self._sent in self._refuse:
            failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            failed.set_exception(ConnectionError("not acknowledged"))
            return failed
        return await self._producer.send(*args, **kwargs)


def test_an_unacknowledged_message_goes_again_first(tansu_broker: AnyBroker, database_url: str) -> None:
    """The last record of a key must be the newest, also where an earlier one failed and a later one got through."""

    async def run(settings: Settings) -> None:
        engine = make_engine(database_url)
        producer = kafka.make_producer(settings, "relay")
        await producer.start()
        relay = OutboxPublisher(engine, _Refusing(producer, {2}))  # type: ignore[arg-type]
        task = asyncio.create_task(relay.run_for_ever())
        sessions = make_sessions(engine)
        async with asyncio.timeout(60):
            while True:
                async with sessions() as session:
                    if (await outbox.backlog(session))[0] == 0:
                        break
                await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await producer.stop()
        await engine.dispose()

    with settings_on(tansu_broker, database_url) as settings:
        asyncio.run(fill(database_url, keys=1, revisions=4))
        asyncio.run(run(settings))
        told = history(tansu_broker)[0]
        assert sorted(set(told)) == [0, 1, 2, 3]
        assert told[-1] == 3


def test_a_relay_whose_locks_were_taken_stops_publishing(tansu_broker: AnyBroker, database_url: str) -> None:
    """The locks live on the connection that marks: without it there is nothing to publish with."""

    async def run(settings: Settings) -> int:
        engine = make_engine(database_url)
        producer = kafka.make_producer(settings, "relay")
        await producer.start()
        task = asyncio.create_task(OutboxPublisher(engine, producer).run_for_ever())
        watcher = make_engine(database_url)
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7401"
        async with asyncio.timeout(30):
            async with watcher.connect() as connection:
                while (await connection.execute(text(held))).scalar_one() < outbox.OUTBOX_SHARDS:
                    await asyncio.sleep(0.05)
                killed = (
                    await connection.execute(
                        text(
                            "SELECT count(pg_terminate_backend(pid)) FROM (SELECT DISTINCT pid FROM pg_locks "
                            "WHERE locktype = 'advisory' AND classid = 7401) AS holders"
                        )
                    )
                ).scalar_one()
                await connection.commit()
                await fill(database_url, keys=3, revisions=2)
                while (
                    await connection.execute(text("SELECT count(*) FROM outbox WHERE published_at IS NULL"))
                ).scalar_one():
                    await connection.commit()
                    await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await producer.stop()
        await engine.dispose()
        await watcher.dispose()
        return int(killed)

    with settings_on(tansu_broker, database_url) as settings:
        assert asyncio.run(run(settings)) == 1
        assert {key: told[-1] for key, told in history(tansu_broker).items()} == {0: 1, 1: 1, 2: 1}


HOLDERS = "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7401"
AT_WORK = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%outbox.shard = ANY%' "
    "AND pid <> ALL(:others) AND pid <> pg_backend_pid()"
)


class _Held:
    """A producer that keeps what it is given until it may go."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def send(self, *args: object, **kwargs: object) -> object:
        self.reached.set()
        await self.go_on.wait()
        return await self._producer.send(*args, **kwargs)


def test_a_relay_keeps_the_connection_of_its_locks(tansu_broker: AnyBroker, database_url: str) -> None:
    """A relay shares its pool with what measures the backlog. Were its locks on one connection and its work on another,
    the database would end the silence of the wrong one, and a relay that stands still kept its shards."""

    async def run(settings: Settings) -> tuple[list[int], set[int], set[int]]:
        engine = make_engine(database_url)
        producer = kafka.make_producer(settings, "relay")
        await producer.start()
        held = _Held(producer)
        relay = OutboxPublisher(engine, held, silence_seconds=600)  # type: ignore[arg-type]  # no lock ends by itself
        task = asyncio.create_task(relay.run_for_ever())
        others: list[int] = []
        async with asyncio.timeout(60), AsyncExitStack() as exits:
            for _ in range(6):
                other = await exits.enter_async_context(make_sessions(engine)())
                others.append((await other.execute(text("SELECT pg_backend_pid()"))).scalar_one())
                before = relay.last_round
                while relay.last_round == before:
                    await asyncio.sleep(0.02)
            await fill(database_url, keys=1, revisions=1)
            await held.reached.wait()
            holds = set((await other.execute(text(HOLDERS))).scalars())
            works = set((await other.execute(text(AT_WORK), {"others": others})).scalars())
            held.go_on.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            while (await other.execute(text(HOLDERS))).first():  # not given to the pool with its locks
                await asyncio.sleep(0.02)
        await producer.stop()
        await engine.dispose()
        return others, holds, works

    with settings_on(tansu_broker, database_url) as settings:
        others, holds, works = asyncio.run(run(settings))
        assert not holds & set(others)
        assert holds == works
        assert len(works) == 1


async def test_whoever_waits_is_woken_by_what_is_written(database_url: str) -> None:
    """Without being woken the wait would outlast the limit."""
    engine = make_engine(database_url)
    message = Message(b"1", (("ce_id", b"1"),), b"{}")
    async with engine.connect() as connection, AsyncSession(connection) as waiting:
        await outbox.listen(waiting)
        await waiting.commit()
        wait = asyncio.create_task(outbox.wait_for_notify(waiting, seconds=600))
        async with transaction(make_sessions(engine)) as session, bulk_writes(session) as writes:
            outbox.append(writes, [outbox.to_columns(TOPIC, "1", message)])
        async with asyncio.timeout(60):
            await wait
        assert len(await outbox.unpublished(waiting, range(outbox.OUTBOX_SHARDS), 10)) == 1
    await engine.dispose()


async def test_a_relay_is_alive_while_its_database_is_away(tansu_broker: AnyBroker, database_url: str) -> None:
    settings = Settings(kafka_bootstrap_servers=tansu_broker.bootstrap)
    await topic_admin.create(settings)
    producer = kafka.make_producer(settings, "relay")
    await producer.start()
    with proxies() as made:
        address = make_url(database_url)
        link = made.link(address.port or 5432)
        engine = make_engine(address.set(host="127.0.0.1", port=link.port).render_as_string(hide_password=False))
        relay = OutboxPublisher(engine, producer)
        dependencies = Dependencies({"postgresql": database_responds(make_sessions(engine))})
        live = dependencies.rounds(lambda: relay.last_turn, 120, "the relay has not read the outbox")
        tasks = [asyncio.create_task(relay.run_for_ever()), asyncio.create_task(dependencies.watch_for_ever(0.05))]
        try:
            assert await live() is None
            link.toxics["up"] = "reset"
            await fill(database_url, keys=1, revisions=1)
            await until(lambda: not dependencies.all_answer())
            turn, round_ = relay.last_turn, relay.last_round
            await until(lambda: relay.last_turn > turn)
            assert relay.last_round == round_, "a failed one is a turn, and publishes nothing"
            two_minutes_pass(relay, dependencies)
            assert await live() is None, "a restart would mend nothing"
            link.toxics.clear()
            await until(dependencies.all_answer)
            relay.last_turn -= 121
            assert await live() is None, "it has just come back"
            await until(lambda: relay.last_round > round_)
            tasks[0].cancel()
            two_minutes_pass(relay, dependencies)
            assert str(await live()).startswith("the relay has not read the outbox, for 12")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await engine.dispose()
            await producer.stop()


def two_minutes_pass(relay: OutboxPublisher, dependencies: Dependencies) -> None:
    relay.last_turn -= 121
    relay.last_round -= 121
    dependencies.answering_since -= 121


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not reached():
            await asyncio.sleep(0.05)
