"""The coalitions process on a real broker: plans and signed answers in, coalitions out; killed and doubled."""

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from events.coalitions import COALITION_PAYLOADS, CoalitionState
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetterReason
from events.jwk import SigningKey, new_key
from events.plans import PlanPayload
from events.responses import ResponseMembership, ResponsePayload
from events.signing import sign
from events.topics import COALITIONS, DEAD_RESPONSES, RESPONSES, authority_topic
from services.cli import application
from services.ingest.event_publisher import publish_events
from services.local_stack.coalition_demo import CoalitionDemo
from services.messaging import topic_admin
from services.platform.settings import settings
from services.store import authority_keys
from services.store.authority_keys import AuthorityKey
from services.store.database import make_engine, make_sessions, now, transaction
from tests.conftest import AnyBroker
from tests.pipeline import Pipeline, payloads_of, pipeline, send_raw
from tests.support.coalitions import ALL, BRADFORD, KIRKLEES, LEEDS, plan, response_fields, response_message
from tests.support.payroll_plans import enrol

THREE = (LEEDS, BRADFORD, KIRKLEES)
DAY = "2026-11-26"

pytestmark = pytest.mark.integration


def _send(
    line: Pipeline, payloads: Sequence[ResponsePayload], key: SigningKey | None = None, topic: str = RESPONSES.name
) -> None:
    records: list[Any] = []
    for payload in payloads:
        event, message = response_message(payload)
        if key is not None:
            message = sign(event, message, key)
        records.append((topic, message.key, list(message.headers), message.value))
    send_raw(",".join(line.settings.kafka_bootstrap_servers), records)


def _jointly(line: Pipeline, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Runs a command on the pipeline's own parts."""
    monkeypatch.setenv("JOINTLY_KAFKA_BOOTSTRAP_SERVERS", ",".join(line.settings.kafka_bootstrap_servers))
    monkeypatch.setenv("JOINTLY_DATABASE_URL", line.environment["JOINTLY_DATABASE_URL"].replace("+psycopg", ""))
    settings.cache_clear()
    try:
        done = CliRunner().invoke(application(arguments[0]), list(arguments))
        assert done.exit_code == 0, done.output
    finally:
        settings.cache_clear()


def _states(line: Pipeline) -> list[CoalitionState]:
    rows = line.sql("SELECT payload FROM coalitions ORDER BY created_at, coalition_id")
    return [CoalitionState.model_validate(row[0]) for row in rows]


def _has(line: Pipeline, status: str, members: int = 3) -> bool:
    states = _states(line)
    return len(states) == 1 and states[0].status == status and len(states[0].members) == members


def _published(line: Pipeline) -> bool:
    return line.sql("SELECT count(*) FROM outbox WHERE published_at IS NULL") == [(0,)]


def test_a_coalition_forms_though_one_process_is_killed(
    broker: AnyBroker, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(database_url, *ALL)
    with pipeline(broker.bootstrap, database_url, tmp_path, JOINTLY_AS_OF=DAY) as line:
        for name in ("matcher", "relay"):
            line.start(name)
        first, second = line.start("coalitions"), line.start("coalitions")
        line.publish([plan(authority) for authority in THREE])
        line.until(lambda: _has(line, "suggested"), "a suggested coalition")
        state = _states(line)[0]
        _jointly(line, monkeypatch, "invite", state.coalition_id, "--authority", LEEDS, "--scope", "HR and payroll")
        line.until(lambda: _has(line, "inviting"), "an invitation")
        line.kill(first)
        terms = _states(line)[0].terms_revision
        _send(
            line,
            [
                ResponseMembership(**response_fields(authority, state.coalition_id, terms, number), act="accept")
                for number, authority in enumerate((BRADFORD, KIRKLEES), 2)
            ],
        )
        line.until(lambda: _has(line, "formed"), "all are in, though one process is gone")
        line.until(lambda: _published(line), "the outbox is empty")
        told = payloads_of(broker.bootstrap, COALITIONS.name, COALITION_PAYLOADS)
        last = max(told, key=lambda payload: payload.revision)
        assert last.model_dump() == _states(line)[0].model_dump()
        assert [payload.revision for payload in told] == sorted(payload.revision for payload in told)
        assert line.metric(second, "jointly_consumer_lag_records") >= 0


def test_only_the_authority_itself_answers_on_a_shared_topic(
    broker: AnyBroker, database_url: str, tmp_path: Path
) -> None:
    enrol(database_url, *ALL)
    leeds, bradford = new_key(LEEDS), new_key(BRADFORD)
    asyncio.run(_register(database_url, leeds, bradford))
    with pipeline(broker.bootstrap, database_url, tmp_path, JOINTLY_AS_OF=DAY, JOINTLY_SIGNATURES="if-present") as line:
        asyncio.run(topic_admin.create(line.settings, ALL))
        for name in ("matcher", "relay"):
            line.start(name)
        process = line.start("coalitions", JOINTLY_SIGNATURES="required")
        line.publish([plan(authority) for authority in THREE])
        line.until(lambda: _has(line, "suggested"), "a suggested coalition")
        state = _states(line)[0]

        def no(authority: str, number: int) -> ResponseMembership:
            values = response_fields(authority, state.coalition_id, state.terms_revision, number)
            return ResponseMembership(**values, act="decline")

        anybodys = SigningKey(type(bradford.public)(bradford.public.key_id, bradford.public.x), bradford.key)
        _send(line, [no(LEEDS, 1)])
        _send(line, [no(LEEDS, 2)], anybodys)
        _send(line, [no(LEEDS, 3)], new_key(LEEDS))
        _send(line, [no(LEEDS, 4)], leeds, authority_topic(BRADFORD, RESPONSES))
        _send(line, [no(BRADFORD, 5)], bradford)
        line.until(lambda: line.metric(process, "jointly_spoofing_attempts_total") == 4, "four are refused")
        line.until(lambda: line.sql("SELECT count(*) FROM responses") == [(1,)], "the signed one counts")
        states = {member.authority: member.state for member in _states(line)[0].members}
        assert states == {LEEDS: "suggested", BRADFORD: "declined", KIRKLEES: "suggested"}
        letters = payloads_of(broker.bootstrap, DEAD_RESPONSES.name, DEAD_LETTER_PAYLOADS)
        assert sorted(letter.reason for letter in letters) == [
            DeadLetterReason.BAD_SIGNATURE,
            DeadLetterReason.BAD_SIGNATURE,
            DeadLetterReason.TOPIC_MISMATCH,
            DeadLetterReason.UNSIGNED,
        ]


def test_the_demo_plays_authorities_that_sign(broker: AnyBroker, database_url: str, tmp_path: Path) -> None:
    """An invitation, a yes of all but one, the lead's tender notice: all of it through Kafka, all of it signed."""
    enrol(database_url, *ALL)
    more = {"JOINTLY_AS_OF": DAY, "JOINTLY_SIGNATURES": "required"}
    with pipeline(broker.bootstrap, database_url, tmp_path, **more) as line:
        line.start("matcher", JOINTLY_SIGNATURES="if-present")
        for name in ("relay", "coalitions"):
            line.start(name)
        line.publish([plan(authority) for authority in THREE])
        line.until(lambda: _has(line, "suggested"), "a suggested coalition")
        assert asyncio.run(_play(line)) == 3
        (state,) = _states(line)
        assert state.status == "frozen"
        assert sorted(member.state for member in state.members) == ["accepted", "accepted", "declined"]
        assert line.sql("SELECT count(*) FROM responses WHERE outcome = 'recorded'") == [(3,)]


async def _play(line: Pipeline) -> int:
    engine = make_engine(line.settings.need_database())

    async def publish(payloads: Sequence[PlanPayload]) -> None:
        await publish_events(line.settings, payloads)

    try:
        demo = CoalitionDemo(line.settings, make_sessions(engine), date.fromisoformat(DAY), publish)
        await demo.play()
        return demo.answers
    finally:
        await engine.dispose()


async def _register(database_url: str, *keys: SigningKey) -> None:
    engine = make_engine(database_url)
    try:
        async with transaction(make_sessions(engine)) as session:
            for key in keys:
                await authority_keys.add(
                    session,
                    AuthorityKey(
                        key_id=key.public.key_id,
                        authority=key.public.authority or "",
                        public_key=key.public.x,
                        valid_from=date(2026, 1, 1),
                        created_at=now(),
                    ),
                )
    finally:
        await engine.dispose()
