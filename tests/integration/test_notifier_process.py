"""The notifier as it runs: a process between a real Kafka, a real database and a real mail server."""

import asyncio
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from events.cloudevents import Event, decode, encode
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetter
from events.opportunities import OpportunityState
from events.topics import DEAD_OPPORTUNITIES, OPPORTUNITIES
from services.local_stack import child_process
from services.local_stack.child_process import ChildProcess, free_port
from services.local_stack.mail_sink import MailSink
from services.messaging import topic_admin
from services.notifier.dispatch import SENDERS
from services.platform.settings import Settings
from services.store.database import make_engine, make_sessions
from tests.conftest import AnyBroker
from tests.support.notifier import NotifierHarness
from tests.support.service_processes import fork_service
from tests.unit.notifier.making import CAMDEN, LEEDS, side, state

PATIENCE_SECONDS = 90


@pytest.fixture
async def notifier(database_url: str, mailbox: MailSink) -> AsyncIterator[NotifierHarness]:
    engine = make_engine(database_url)
    yield NotifierHarness(make_sessions(engine), mailbox, now=datetime.now(UTC))
    await engine.dispose()


@pytest.fixture
def environment(broker: AnyBroker, database_url: str, mailbox: MailSink) -> dict[str, str]:
    return {
        "JOINTLY_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        "JOINTLY_DATABASE_URL": database_url.replace("postgresql+psycopg", "postgresql"),
        "JOINTLY_SMTP_URL": mailbox.url,
        "JOINTLY_NOTIFY_BATCH_SECONDS": "0",
        "JOINTLY_HTTP_PORT": str(free_port()),
    }


@asynccontextmanager
async def notifier_process(environment: dict[str, str], log: Path) -> AsyncIterator[ChildProcess]:
    process = fork_service("notifier", environment, log, int(environment["JOINTLY_HTTP_PORT"]))
    try:
        yield process
    finally:
        if process.running():
            await asked_to_stop(process)


async def asked_to_stop(process: ChildProcess) -> None:
    process.handle.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.handle.wait, PATIENCE_SECONDS)


async def until(what: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = what()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.1)


def answer(environment: dict[str, str], path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{environment['JOINTLY_HTTP_PORT']}{path}", timeout=5) as found:
            return str(found.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return ""


async def publish(environment: dict[str, str], *states: OpportunityState, garbage: bytes | None = None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=environment["JOINTLY_KAFKA_BOOTSTRAP_SERVERS"])
    await producer.start()
    try:
        if garbage is not None:
            await producer.send_and_wait(OPPORTUNITIES.name, garbage, key=b"x")
        for item in states:
            event = Event(f"e-{item.revision}", type(item).type, "/matcher", datetime.now(UTC), item)  # type: ignore[attr-defined]
            message = encode(event, item.opportunity_id)
            await producer.send_and_wait(
                OPPORTUNITIES.name, message.value, key=message.key, headers=list(message.headers)
            )
    finally:
        await producer.stop()


async def dead_letter(environment: dict[str, str]) -> DeadLetter:
    consumer = AIOKafkaConsumer(
        DEAD_OPPORTUNITIES.name,
        bootstrap_servers=environment["JOINTLY_KAFKA_BOOTSTRAP_SERVERS"],
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)
    finally:
        await consumer.stop()
    payload = decode(record.headers, record.value, DEAD_LETTER_PAYLOADS).payload
    assert isinstance(payload, DeadLetter)
    return payload


async def test_an_opportunity_event_becomes_mails(
    notifier: NotifierHarness, environment: dict[str, str], tmp_path: Path
) -> None:
    names = {name.removeprefix("JOINTLY_").lower(): value for name, value in environment.items()}
    await topic_admin.create(Settings.model_validate(names))
    await notifier.register(LEEDS, CAMDEN)
    await notifier.stands(state())
    log = tmp_path / "notifier.log"
    async with notifier_process(environment, log) as process:
        await until(lambda: answer(environment, "/health/ready") == "ok")
        await publish(environment, state(), state(), garbage=b"not an event")
        await until(lambda: len(notifier.mails()) >= 2)
        assert (await dead_letter(environment)).reason == "not-json"

        ended = state(material=2, status="withdrawn")
        await notifier.stands(ended)
        await publish(environment, ended)
        await until(lambda: len(notifier.mails()) >= 4)
        await until(lambda: 'jointly_events_in_total{family="opportunities"} 4.0' in answer(environment, "/metrics"))
        found = answer(environment, "/metrics")
        assert 'jointly_emails_total{outcome="sent",purpose="immediate"} 2.0' in found
        assert 'jointly_emails_total{outcome="sent",purpose="correction"} 2.0' in found
        assert 'jointly_emails_total{outcome="failed-permanent",purpose="immediate"} 0.0' in found
        assert "jointly_pending_plans" not in found, "that is the matcher's"
        assert 'jointly_dependency_up{dependency="kafka"} 1.0' in found
        assert 'jointly_dependency_up{dependency="postgresql"} 1.0' in found
        assert answer(environment, "/health/live") == "ok"

        await asked_to_stop(process)
    assert [mail["Subject"][-7:] for mail in notifier.mails(LEEDS)] == ["oin you", "den now"]
    assert "@" not in log.read_text(), "no address in the log"
    assert "HR and payroll" not in log.read_text(), "nor a plan's text"


# `make chaos` kills notifiers in the gate, with an oracle.
@pytest.mark.slow
async def test_after_a_kill_nobody_is_told_twice(
    notifier: NotifierHarness, environment: dict[str, str], tmp_path: Path
) -> None:
    names = {name.removeprefix("JOINTLY_").lower(): value for name, value in environment.items()}
    await topic_admin.create(Settings.model_validate(names))
    partners = [f"E0600{number:04d}" for number in range(60)]
    await notifier.register(*partners)
    states = [state(side(LEEDS, plan_id=f"{LEEDS}:{code}"), side(code)) for code in partners]
    await notifier.stands(*states)
    async with notifier_process(environment, tmp_path / "first.log") as first:
        await publish(environment, *states)
        await until(lambda: len(notifier.mails()) >= 5)
        child_process.kill(first)
    # What it had in its hands is unknown, and waits for the end of its lease.
    in_hand = {mail.authority for mail in await notifier.all_mails() if mail.state in ("claimed", "sending")}
    assert len(in_hand) <= SENDERS
    async with notifier_process(environment, tmp_path / "second.log"):
        await until(_settled(notifier, len(partners), in_hand))
    states_ = [mail.state for mail in await notifier.all_mails()]
    assert states_.count("sent") == len(partners) - len(in_hand), "a sender that is asked to stop leaves nothing open"
    told = [mail["To"] for mail in notifier.mails()]
    assert len(told) == len(set(told)), "nobody was told twice"
    assert len(told) >= len(partners) - len(in_hand)


def _settled(notifier: NotifierHarness, count: int, in_hand: set[str]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        found = await notifier.all_mails()
        open_ = {mail.authority for mail in found if mail.state != "sent"}
        return len(found) == count and open_ <= in_hand

    return look


async def test_asked_to_stop_it_finishes_what_it_is_sending(
    notifier: NotifierHarness, environment: dict[str, str], tmp_path: Path
) -> None:
    names = {name.removeprefix("JOINTLY_").lower(): value for name, value in environment.items()}
    await topic_admin.create(Settings.model_validate(names))
    partners = [f"E0600{number:04d}" for number in range(60)]
    await notifier.register(*partners)
    states = [state(side(LEEDS, plan_id=f"{LEEDS}:{code}"), side(code)) for code in partners]
    await notifier.stands(*states)
    async with notifier_process(environment, tmp_path / "notifier.log"):
        await publish(environment, *states)
        await until(lambda: len(notifier.mails()) >= 5)
    found = [mail.state for mail in await notifier.all_mails()]
    assert set(found) <= {"sent", "queued"}, "what was begun is finished, the rest is still to do"
    assert found.count("sent") == len(notifier.mails())
