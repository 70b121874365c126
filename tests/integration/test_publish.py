"""What is published can be read by any Kafka client and any CloudEvents SDK, and publishing again repeats it."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from events.cloudevents import decode
from events.plans import PLAN_PAYLOADS, PlanPayload
from events.topics import PLANS, authority_topic
from services.ingest import PublishOptions, publish
from services.ingest.event_publisher import PublishingError, own_topic, publish_events
from services.local_stack.sample import sample_plans
from services.messaging.topic_admin import create
from services.platform.settings import Settings
from tests.conftest import AnyBroker
from tests.support.broker_records import first_records
from tests.support.service_processes import run_command
from tests.unit.ingest import EXAMPLES, SHARED

DERBY = "E06000015"
READING = "E06000038"


@pytest.fixture
def to_broker(broker: AnyBroker) -> Settings:
    """Settings for a broker on which the declared topics stand, and two authorities' own."""
    chosen = Settings(kafka_bootstrap_servers=(broker.bootstrap,))
    asyncio.run(create(chosen, (DERBY, READING)))
    return chosen


def _command(settings: Settings, *arguments: str | Path) -> CompletedProcess[str]:
    environment = {"JOINTLY_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers[0]}
    with TemporaryDirectory(prefix="jointly-command-") as folder:
        return run_command([*map(str, arguments)], environment, Path(folder))


async def test_any_cloudevents_sdk_reads_what_was_published(to_broker: Settings) -> None:
    done = await asyncio.to_thread(_command, to_broker, "publish", EXAMPLES / "uk1-pipeline-notice.json")
    assert done.returncode == 0, done.stderr
    assert "1 published" in done.stderr

    (record,) = await first_records(to_broker, PLANS.name, 1)
    headers = dict(record.headers)
    event = from_kafka(KafkaMessage(headers=headers, key=record.key, value=record.value), JSONFormat(), CloudEvent)

    assert isinstance(event.get_data(), dict)
    assert record.key == f"{DERBY}:ocds-abc123-000001".encode()
    assert headers["content-type"] == b"application/json"
    assert event.get_type() == "jointly.plan.published.v1"
    assert event.get_source() == f"/authorities/{DERBY}/plans"
    assert event.get_subject() == f"{DERBY}:ocds-abc123-000001"
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["title"] == "Adult social care case management"


async def test_events_published_twice_are_the_same(to_broker: Settings) -> None:
    plans = sample_plans_of_a_day()
    for _ in range(2):
        summary = await publish_events(to_broker, plans)
        assert summary.published == len(plans)

    records = await first_records(to_broker, PLANS.name, 2 * len(plans))
    events = [decode(record.headers, record.value, PLAN_PAYLOADS) for record in records]
    ids = [event.id for event in events]
    assert len(ids) == 2 * len(plans)
    assert len(set(ids)) == len(plans)
    assert {event.payload for event in events} == set(plans)


async def test_events_of_one_plan_keep_their_order(to_broker: Settings) -> None:
    plans = sample_plans_of_a_day()
    await publish_events(to_broker, plans)
    revisions: dict[bytes, list[int]] = {}
    for record in sorted(await first_records(to_broker, PLANS.name, len(plans)), key=lambda record: record.offset):
        payload = decode(record.headers, record.value, PLAN_PAYLOADS).payload
        revisions.setdefault(record.key, []).append(payload.model_dump()["revision"])
    assert all(found == sorted(found) for found in revisions.values())
    assert any(len(found) > 1 for found in revisions.values())


async def test_an_authority_can_write_to_its_own_topic(to_broker: Settings) -> None:
    done = await asyncio.to_thread(_command, to_broker, "publish", EXAMPLES / "plans.jsonl", "--own-topic", "--json")
    assert done.returncode == 0, done.stderr
    records = await first_records(to_broker, authority_topic(READING), 4)
    assert {record.key.decode().split(":")[0] for record in records} == {READING}


async def test_a_register_is_published_again_only_where_it_changed(to_broker: Settings, tmp_path: Path) -> None:
    register = tmp_path / "register.csv"
    rows = ["Reference,Title,End date", "C-1,Payroll,31/03/2029", "C-2,Telephony,31/03/2029", "C-3,Network,31/03/2029"]
    register.write_text("\n".join(rows))
    options = ("--authority", READING, "--json")

    first = await asyncio.to_thread(_command, to_broker, "publish", register, *options)
    again = await asyncio.to_thread(_command, to_broker, "publish", register, *options)
    register.write_text("\n".join([*rows[:2], "C-2,Telephony and contact centre,31/03/2029"]))
    changed = await asyncio.to_thread(_command, to_broker, "publish", register, "--complete", *options)

    assert '"published": 3, "unchanged": 0' in first.stdout
    assert '"published": 0, "unchanged": 3' in again.stdout
    assert '"published": 2, "unchanged": 1, "withdrawn": 1' in changed.stdout
    records = await first_records(to_broker, PLANS.name, 5)
    kinds = sorted(decode(record.headers, record.value, PLAN_PAYLOADS).type for record in records)
    assert kinds == [
        "jointly.plan.published.v1",
        "jointly.plan.published.v1",
        "jointly.plan.published.v1",
        "jointly.plan.updated.v1",
        "jointly.plan.withdrawn.v1",
    ]


async def test_a_plan_is_withdrawn_by_hand(to_broker: Settings) -> None:
    done = await asyncio.to_thread(_command, to_broker, "withdraw", f"{READING}:C-1", "--reason", "Not needed")
    assert done.returncode == 0, done.stderr
    (record,) = await first_records(to_broker, PLANS.name, 1)
    assert decode(record.headers, record.value, PLAN_PAYLOADS).type == "jointly.plan.withdrawn.v1"


@pytest.mark.skipif(not (SHARED / "plans.jsonl").is_file(), reason="the real plans are not beside the repository")
async def test_all_real_plans_arrive(to_broker: Settings) -> None:
    done = await asyncio.to_thread(_command, to_broker, "publish", SHARED / "plans.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    assert '"published": 3086, "unchanged": 0, "withdrawn": 0, "skipped": 0, "rejected": 0' in done.stdout
    assert len({record.key for record in await first_records(to_broker, PLANS.name, 3086)}) == 3086


async def test_an_unreachable_broker_has_its_own_exit_code() -> None:
    nowhere = Settings(kafka_bootstrap_servers=("127.0.0.1:1",))
    done = await asyncio.to_thread(_command, nowhere, "publish", EXAMPLES / "plans.jsonl")
    assert done.returncode == 3
    assert "Kafka can't be reached at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_topic_that_is_not_there_is_told(to_broker: Settings) -> None:
    plan = next(plan for plan in sample_plans_of_a_day() if plan.authority not in (DERBY, READING))
    with pytest.raises(PublishingError, match="jointly topics"):
        await publish_events(to_broker, [plan], topic=own_topic)


def sample_plans_of_a_day() -> list[PlanPayload]:
    """The sample as of a fixed day."""
    return sample_plans(date(2026, 11, 22))


def test_an_interrupted_run_goes_on_where_it_stood(to_broker: Settings, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    rows = "".join(f"C-{number},Payroll {number},31/03/2029\n" for number in range(6))
    file.write_text(f"Reference,Title,End date\n{rows}")
    options = PublishOptions(authority=DERBY)
    seen: list[str] = []

    def interrupt(payload: PlanPayload) -> None:
        seen.append(payload.plan_id)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(file, options, settings=to_broker, on_published=interrupt)
    again = publish(file, options, settings=to_broker)
    assert (again.unchanged, again.published) == (4, 2)
    assert publish(file, options, settings=to_broker).unchanged == 6
