"""`jointly doctor` on real parts: all there, each of them away, and what it says of each."""

import asyncio
import gc
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from events.topics import OPPORTUNITIES
from services import cli
from services.application import diagnosis
from services.cli.errors import ExitCode
from services.coalitions import app as coalitions
from services.local_stack.child_process import free_port
from services.local_stack.mail_sink import MailSink
from services.matcher import app as matcher
from services.messaging import topic_admin
from services.notifier import app as notifier
from services.platform.settings import PREFIX, Settings, settings
from tests.conftest import AnyBroker

pytestmark = pytest.mark.integration


@pytest.fixture
def parts(
    monkeypatch: pytest.MonkeyPatch, broker: AnyBroker, database_url: str, mailbox: MailSink
) -> Iterator[pytest.MonkeyPatch]:
    for name, value in {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        "SMTP_URL": mailbox.url,
    }.items():
        monkeypatch.setenv(PREFIX + name, value)
    settings.cache_clear()
    asyncio.run(topic_admin.create(Settings()))
    yield monkeypatch
    settings.cache_clear()


def examined() -> tuple[int, dict[str, Any]]:
    settings.cache_clear()
    done = CliRunner().invoke(cli.application("doctor"), ["doctor", "--json"])
    return done.exit_code, {part["part"]: part for part in json.loads(done.stdout)["parts"]}


def test_all_parts_are_there(parts: pytest.MonkeyPatch, mailbox: MailSink, database_url: str) -> None:
    code, found = examined()
    assert code == ExitCode.DONE
    assert not [part for part in found.values() if part["verdict"] == "failed"]
    groups = [sentence.split()[0] for sentence in found["lag"]["sentences"]]
    assert groups == [
        matcher.GROUP,
        notifier.GROUP,
        notifier.COALITIONS_GROUP,
        coalitions.GROUP,
        coalitions.RESPONSES_GROUP,
        coalitions.CONTRACTS_GROUP,
    ]
    assert all("is 0 records behind" in sentence for sentence in found["lag"]["sentences"])
    assert found["generation"]["verdict"] == "warning", "no matcher has run on this database"
    assert mailbox.mails() == []
    assert found["audit"] == {
        "part": "audit", "verdict": "ok", "sentences": ["0 entries, all covered by a signed checkpoint"],
    }  # fmt: skip
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute(
            "INSERT INTO audit_log (seq, at, action, subject, body, leaf)"
            " VALUES (0, now() - interval '3 hours', 'answered', 'nothing', '', '')"
        )
    code, found = examined()
    assert (code, found["audit"]["verdict"]) == (ExitCode.DONE, "warning")
    assert "the relay has no JOINTLY_INSTALLATION_KEY_FILE" in found["audit"]["sentences"][1]


@pytest.mark.parametrize(
    ("setting", "value", "part", "code", "says"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:{port}", "kafka", ExitCode.BROKER, "can't be reached at"),
        ("DATABASE_URL", "postgresql://u@127.0.0.1:{port}/x", "database", ExitCode.DATABASE, "PostgreSQL at"),
        ("SMTP_URL", "smtp://127.0.0.1:{port}", "smtp", ExitCode.REFUSED, "can't be reached or refuses"),
    ],
    ids=["kafka", "database", "smtp"],
)
def test_a_part_that_is_away_is_named(
    parts: pytest.MonkeyPatch, setting: str, value: str, part: str, code: ExitCode, says: str
) -> None:
    parts.setenv(PREFIX + setting, value.format(port=free_port()))
    ended, found = examined()
    assert (ended, found[part]["verdict"]) == (code, "failed")
    assert says in found[part]["sentences"][0]
    assert {"settings", "kafka", "database", "generation", "lag", "work", "audit", "smtp"} == found.keys()
    assert any(other["verdict"] == "ok" for other in found.values())


# The client leaves a connection open that is cut off while it opens; the command ends soon after.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_group_that_no_broker_coordinates_does_not_hold_up_the_rest(parts: pytest.MonkeyPatch) -> None:
    parts.setattr(diagnosis, "LAG_SECONDS", 0.001)
    ended, found = examined()
    gc.collect()  # here, and not in some later test
    assert (ended, found["lag"]["verdict"]) == (ExitCode.REFUSED, "failed")
    assert "how far the groups are: look at its __consumer_offsets" in found["lag"]["sentences"][0]
    assert found["work"]["verdict"] == "ok"


def test_missing_topics_are_named_with_the_command(parts: pytest.MonkeyPatch) -> None:
    from aiokafka.admin import AIOKafkaAdminClient

    async def delete() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings().need_kafka())
        await admin.start()
        try:
            await admin.delete_topics([OPPORTUNITIES.name])
            async with asyncio.timeout(30):
                while OPPORTUNITIES.name in await admin.list_topics():
                    await asyncio.sleep(0.1)
        finally:
            await admin.close()

    asyncio.run(delete())
    _, found = examined()
    assert found["kafka"]["verdict"] == "warning"
    assert "collaboration.opportunities.v1: run `jointly topics`" in found["kafka"]["sentences"][0]
