"""The parts themselves do what the services count on: the same on Tansu and on Apache Kafka."""

from __future__ import annotations

import asyncio
import os
import signal
import smtplib
import subprocess
import sys
import textwrap
import time
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError
from pydantic import SecretStr

from services.local_stack import child_process
from services.local_stack.child_process import ComponentError
from services.local_stack.demo import settings_of
from services.local_stack.mail_sink import MailSink
from services.local_stack.postgres import Server
from services.local_stack.stack import INHERITED, Stack
from services.messaging import kafka, topic_admin
from services.platform.settings import Settings
from tests import brokers
from tests.brokers import ApacheKafka, Listener
from tests.conftest import AnyBroker, clear
from tests.support.databases import DatabasePool

TOPIC = "parts.v1"


async def _create(bootstrap: str, *names: str, partitions: int = 3) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, replication_factor=1) for name in names or (TOPIC,)])
    finally:
        await admin.close()


async def _produce(bootstrap: str, first: int, count: int) -> dict[bytes, int]:
    """Send numbered records with keys k0 to k4; returns the partition that each key went to."""
    partitions: dict[bytes, int] = {}
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for number in range(first, first + count):
            key = f"k{number % 5}".encode()
            sent = await producer.send_and_wait(
                TOPIC, str(number).encode(), key=key, headers=[("ce_id", b"id"), ("odd", b"\xff")]
            )
            partitions[key] = sent.partition
    return partitions


def _consumer(bootstrap: str, group: str) -> AIOKafkaConsumer:
    # Tansu lets a member in after half a session timeout, and after nearly two where another has left.
    return AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=2000,
        heartbeat_interval_ms=500,
    )


async def _take(consumer: AIOKafkaConsumer, count: int) -> list[int]:
    """Read `count` records one by one, committing exactly those."""
    numbers = []
    for _ in range(count):
        record = await asyncio.wait_for(consumer.getone(), 30)
        numbers.append(int(record.value))
        await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
    return numbers


async def test_records_keep_key_partition_order_and_headers(broker: AnyBroker) -> None:
    await _create(broker.bootstrap)
    partitions = await _produce(broker.bootstrap, 0, 30)
    assert await _produce(broker.bootstrap, 30, 30) == partitions
    seen: dict[bytes, list[int]] = {}
    async with _consumer(broker.bootstrap, "readers") as consumer:
        for _ in range(60):
            record = await asyncio.wait_for(consumer.getone(), 30)
            assert record.partition == partitions[record.key]
            assert record.headers == (("ce_id", b"id"), ("odd", b"\xff"))
            seen.setdefault(record.key, []).append(int(record.value))
    assert {len(numbers) for numbers in seen.values()} == {12}
    assert all(numbers == sorted(numbers) for numbers in seen.values())


async def test_a_group_goes_on_where_it_committed(broker: AnyBroker) -> None:
    await _create(broker.bootstrap)
    await _produce(broker.bootstrap, 0, 20)
    async with _consumer(broker.bootstrap, "resuming") as first:
        taken = await _take(first, 8)
    async with _consumer(broker.bootstrap, "resuming") as second:
        rest = await _take(second, 12)
    assert sorted(taken + rest) == list(range(20))


async def test_two_members_share_the_partitions(broker: AnyBroker) -> None:
    await _create(broker.bootstrap, partitions=4)
    async with _consumer(broker.bootstrap, "sharing") as one, _consumer(broker.bootstrap, "sharing") as two:
        async with asyncio.timeout(30):
            # In the middle of a rebalance one may still hold what the other has been given.
            while (len(one.assignment()), len(two.assignment()), len(one.assignment() | two.assignment())) != (2, 2, 4):
                await asyncio.gather(one.getmany(timeout_ms=100), two.getmany(timeout_ms=100))


async def _listed(bootstrap: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return {name for name in await admin.list_topics() if not name.startswith("__")}
    finally:
        await admin.close()


async def test_a_test_starts_without_topics(broker: AnyBroker) -> None:
    assert await _listed(broker.bootstrap) == set()


@pytest.mark.kafka
async def test_topics_that_were_created_are_listed_at_once(apache_broker: ApacheKafka) -> None:
    """A matcher looks for its topics by a pattern when it starts, and then only every five minutes."""
    for _ in range(12):  # the broker follows its controller after a moment, most often too short to notice
        made = await topic_admin.create(Settings(kafka_bootstrap_servers=apache_broker.bootstrap))
        assert await _listed(apache_broker.bootstrap) == {*made.created}
        await clear(apache_broker.bootstrap)


# Starts Apache Kafka twice more.
@pytest.mark.slow
@pytest.mark.kafka
async def test_a_killed_kafka_comes_back_with_what_it_acknowledged(tmp_path: Path) -> None:
    reason = brokers.unavailable()
    if reason is not None:
        pytest.skip(reason)
    with brokers.apache_kafka(tmp_path) as node:
        await _create(node.bootstrap)
        await _produce(node.bootstrap, 0, 10)
        node.kill()
        with pytest.raises(RuntimeError, match="not running"):
            _ = node.process
        node.start()
        await _produce(node.bootstrap, 10, 10)
        async with _consumer(node.bootstrap, "after") as consumer:
            assert sorted(await _take(consumer, 20)) == list(range(20))


def _signed_in(node: ApacheKafka, password: str) -> Settings:
    return Settings(
        kafka_bootstrap_servers=(f"{child_process.LOOPBACK}:{node.sasl_port}",),
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_username="leeds",
        kafka_password=SecretStr(password),
    )


@pytest.mark.kafka
async def test_an_account_writes_where_it_may_and_nowhere_else(tmp_path: Path) -> None:
    """What keeps one authority's system out of another's topic, with our own client settings."""
    reason = brokers.unavailable()
    if reason is not None:
        pytest.skip(reason)
    own, other = "procurement.plans.v1.E08000035", "procurement.plans.v1.E09000015"
    with brokers.apache_kafka(tmp_path, secured=Listener({"leeds": "a-password"})) as node:
        await _create(node.bootstrap, own, other, partitions=1)
        node.tool(
            "AclCommand", "--add", "--allow-principal", "User:leeds", "--operation", "Write", "--operation", "Describe",
            "--topic", own,
        )  # fmt: skip
        async with kafka.make_producer(_signed_in(node, "a-password"), "test") as producer:
            assert (await producer.send_and_wait(own, b"plan")).offset == 0
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait(other, b"plan")
        refused = kafka.make_producer(_signed_in(node, "a-guess"), "test")
        with pytest.raises(KafkaConnectionError):
            await refused.start()
        await refused.stop()


@pytest.mark.kafka
async def test_topics_are_not_created_by_accident(apache_broker: ApacheKafka) -> None:
    async with AIOKafkaProducer(bootstrap_servers=apache_broker.bootstrap, request_timeout_ms=2000) as producer:
        with pytest.raises(KafkaError):
            await producer.send_and_wait("procurment.plans.v1", b"a typing mistake")


def _plain(url: str) -> str:
    """The URL as psycopg takes it: SQLAlchemy's names the driver."""
    return url.replace("+psycopg", "", 1)


def test_a_fresh_database_is_a_copy_of_its_template(postgres_server: Server) -> None:
    def prepare(url: str) -> None:
        with psycopg.connect(_plain(url)) as connection:
            connection.execute("CREATE TABLE kept (id int)")

    template = postgres_server.create_template("parts_template", prepare)
    for _ in range(2):
        with postgres_server.fresh_database(template=template) as url, psycopg.connect(_plain(url)) as connection:
            assert connection.execute("SELECT * FROM kept").fetchall() == []
            connection.execute("INSERT INTO kept VALUES (1)")


def test_a_borrowed_database_is_as_its_template_after_each_test(postgres_server: Server) -> None:
    def prepare(url: str) -> None:
        with psycopg.connect(_plain(url)) as connection:
            connection.execute("CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY, name text)")
            connection.execute("INSERT INTO counted (name) VALUES ('kept')")

    pool = DatabasePool(postgres_server, postgres_server.create_template("borrowed_template", prepare))
    names = []
    for change in (
        "DELETE FROM counted",
        "ALTER TABLE counted ALTER name SET NOT NULL",
        "UPDATE counted SET name = 'x'",
    ):
        with pool.lend() as url, psycopg.connect(_plain(url)) as connection:
            connection.execute("INSERT INTO counted (name) VALUES ('new')")
            assert connection.execute("SELECT * FROM counted ORDER BY id").fetchall() == [(1, "kept"), (2, "new")]
            connection.execute(change)
            connection.commit()
            names.append(url)
    assert names[0] == names[1] != names[2], "only one that has another schema is given up"


def test_postgresql_refuses_a_wrong_password(postgres_server: Server) -> None:
    url = postgres_server.url("postgres").replace("+psycopg", "").replace(postgres_server.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def _mail(recipient: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "jointly@jointly.example", recipient, "Grüße"
    mail.set_content("Both tender for payroll.\n.\nA line with a lone dot above.\n")
    return mail


def test_the_mailbox_keeps_what_it_takes(mailbox: MailSink) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=10) as client:
        client.send_message(_mail("it@leeds.example"))
        client.send_message(_mail("it@york.example"))
    first, second = mailbox.mails()
    assert (first["X-Envelope-To"], second["X-Envelope-To"]) == ("it@leeds.example", "it@york.example")
    assert first["Subject"] == "Grüße"
    assert "\n.\n" in first.get_content().replace("\r\n", "\n")


@pytest.mark.parametrize("answer", ["450 4.2.0 Mailbox busy", "550 5.1.1 No such mailbox"])
def test_the_mailbox_refuses_a_recipient(mailbox: MailSink, answer: str) -> None:
    mailbox.answers.recipients["it@leeds.example"] = answer
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=10) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.send_message(_mail("it@leeds.example"))
        client.send_message(_mail("it@york.example"))
    assert refused.value.recipients["it@leeds.example"][0] == int(answer[:3])
    assert [mail["To"] for mail in mailbox.mails()] == ["it@york.example"]


def test_the_mailbox_refuses_a_whole_mail(mailbox: MailSink) -> None:
    mailbox.answers.data["it@leeds.example"] = "451 4.3.0 Try later"
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=10) as client, pytest.raises(smtplib.SMTPDataError):
        client.send_message(_mail("it@leeds.example"))
    assert mailbox.mails() == []


def test_the_mailbox_hangs_with_the_mail_taken(mailbox: MailSink) -> None:
    mailbox.answers.hang.add("it@leeds.example")
    client = smtplib.SMTP(mailbox.host, mailbox.port, timeout=1)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        client.send_message(_mail("it@leeds.example"))
    client.close()
    assert len(mailbox.mails()) == 1


def test_a_part_that_fails_says_why(tmp_path: Path) -> None:
    child = child_process.start(
        "Broken part", [sys.executable, "-c", "raise SystemExit('no disk left')"], tmp_path / "log"
    )
    with pytest.raises(ComponentError, match=r"(?s)Broken part ended with status 1.*no disk left"):
        child_process.wait_until(lambda: False, child, seconds=30)


def test_two_stacks_do_not_share_a_folder(tmp_path: Path) -> None:
    with Stack(tmp_path), pytest.raises(ComponentError, match="Another local stack is running"), Stack(tmp_path):
        pass


OUTSIDE = {
    *("database_silence_seconds", "database_statement_seconds", "database_url"),
    *("collect_pause_seconds", "collect_seconds", "contracts_finder_url", "find_a_tender_url"),
    *("http_host", "http_port", "otel_endpoint"),
    *("installation_key_file", "signatures", "signing_key_file"),
    *("kafka_bootstrap_servers", "kafka_ca_file", "kafka_certificate_file", "kafka_key_file"),
    *("kafka_max_poll_interval_seconds", "kafka_password", "kafka_replication_factor", "kafka_sasl_mechanism"),
    *("kafka_security_protocol", "kafka_session_timeout_seconds", "kafka_username"),
    *("link_secret", "public_url", "smtp_url", "web_host", "web_port", "web_proxies"),
}
"""The settings that a local stack does not take from its own environment."""


def test_each_setting_belongs_to_the_local_stack_or_outside() -> None:
    assert set(Settings.model_fields) == INHERITED | OUTSIDE
    assert not INHERITED & OUTSIDE


def test_the_stack_keeps_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "successions.csv"
    own.write_text("")
    monkeypatch.setenv("JOINTLY_SUCCESSIONS_FILE", str(own))
    monkeypatch.setenv("JOINTLY_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    with Stack(tmp_path) as stack:
        assert stack.environment["JOINTLY_SUCCESSIONS_FILE"] == str(own)
        assert "JOINTLY_KAFKA_SECURITY_PROTOCOL" not in stack.environment
        settings = settings_of(stack)
        assert (settings.successions_file, settings.kafka_security_protocol) == (own, "PLAINTEXT")
        assert settings.kafka_bootstrap_servers == (stack.parts.broker.bootstrap,)
        url = stack.environment["JOINTLY_DATABASE_URL"].replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        assert stack.environment["JOINTLY_KAFKA_BOOTSTRAP_SERVERS"] == stack.parts.broker.bootstrap
        key = Path(stack.environment["JOINTLY_INSTALLATION_KEY_FILE"])
        made = (key.read_text(), key.stat().st_mode & 0o777)
    with Stack(tmp_path) as stack:
        assert (key.read_text(), 0o600) == made, "checkpoints stay comparable"
        url = stack.environment["JOINTLY_DATABASE_URL"].replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


# The demo does so in the gate.
@pytest.mark.slow
def test_a_spawned_process_runs_against_the_stack(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        assert stack.spawn(["migrate"]).handle.wait(60) == 0
        assert stack.spawn(["topics"]).handle.wait(60) == 0
        relay = stack.spawn(["relay"])
        stack.wait_ready(relay)
        assert stack.stop(relay) in (0, -signal.SIGTERM)  # uvicorn ends by the signal it was asked with
        with pytest.raises(ComponentError, match="JOINTLY_DATABASE_URL"):
            stack.wait_ready(stack.spawn(["relay"], environment={"JOINTLY_DATABASE_URL": "mysql://nowhere"}))


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (signal.SIGINT, -signal.SIGINT),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        pytest.param(
            signal.SIGKILL,
            -signal.SIGKILL,
            marks=pytest.mark.skipif(
                sys.platform != "linux", reason="only Linux signals the children of a killed parent"
            ),
        ),
    ],
)
def test_nothing_outlives_the_stack(tmp_path: Path, ending: signal.Signals, status: int) -> None:
    """However the process that holds it ends, its children end too."""
    script = f"""
        import signal, sys, time
        from pathlib import Path
        from services.local_stack.stack import Stack
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with Stack(Path({str(tmp_path / "stack")!r})) as stack:
            print(stack.parts.broker.process.pid, stack.parts.postgres.process.pid, flush=True)
            time.sleep(600)
    """
    holder = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        children = [int(pid) for pid in holder.stdout.readline().split()]
        assert len(children) == 2
        holder.send_signal(ending)
        assert holder.wait(60) == status
    for child in children:
        assert _ends(child), f"process {child} outlived the one that held the stack"


def _ends(pid: int) -> bool:
    """Whether a process that is no child of ours ends within a minute (a zombie has ended)."""
    for _ in range(600):
        try:
            os.kill(pid, 0)
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False
