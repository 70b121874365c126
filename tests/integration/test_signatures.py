"""Who may speak for whom, on a real broker and a real register: signed, unsigned, forged, rotated, revoked."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from events.cloudevents import encode
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetterReason
from events.jwk import SigningKey, new_key, to_file_text
from events.plans import PlanPublished
from events.signing import sign
from events.topics import DEAD_PLANS, PLANS, authority_topic
from services.ingest.event_publisher import PublishingError, message_of, plan_event, publish_events
from services.matcher.plan_decoding import PlanRecordAccepted, read
from services.messaging import signature_policy, topic_admin
from services.messaging.signature_policy import KeyCache, RejectedRecord, SignatureMode
from services.platform.settings import settings
from services.store import authority_keys
from services.store.authority_keys import AuthorityKey
from services.store.database import Sessions, make_engine, make_sessions, now, transaction
from tests.conftest import AnyBroker
from tests.pipeline import payloads_of, pipeline, send_raw
from tests.support.command_line import CommandLine
from tests.support.payroll_plans import BARNET, LEEDS, enrol, plan

DAY = date(2026, 11, 22)


def public_file(folder: Path, key: SigningKey) -> Path:
    file = folder / f"{key.public.key_id}.jwk"
    file.write_text(to_file_text(key.public.jwk()))
    return file


def sent(payload: PlanPublished, key: SigningKey | None, topic: str = PLANS.name) -> tuple[Any, ...]:
    message = message_of(payload, key)
    return topic, message.key, list(message.headers), message.value


def stolen(payload: PlanPublished, key: SigningKey) -> tuple[Any, ...]:
    """Signed with the key of another, which our own publisher would not do."""
    anybodys = SigningKey(type(key.public)(key.public.key_id, key.public.x), key.key)
    return sent(payload, anybodys)


def test_only_the_authority_itself_is_believed_on_a_shared_topic(
    broker: AnyBroker, database_url: str, jointly: CommandLine, tmp_path: Path
) -> None:
    enrol(database_url, LEEDS, BARNET)
    leeds, barnet, unknown = new_key(LEEDS), new_key(BARNET), new_key(LEEDS)
    for code, key in ((LEEDS, leeds), (BARNET, barnet)):
        assert jointly("keys", "add", code, public_file(tmp_path, key))[0] == 0
    with pipeline(broker.bootstrap, database_url, tmp_path, JOINTLY_SIGNATURES="required") as line:
        asyncio.run(topic_admin.create(line.settings, [LEEDS, BARNET]))
        matcher = line.start("matcher")
        line.start("relay")
        asyncio.run(publish_events(line.settings, [plan("HR-1")], key=leeds))
        moved = sent(plan("HR-5"), leeds)
        refused = {
            DeadLetterReason.UNSIGNED: [sent(plan("HR-2"), None)],
            DeadLetterReason.TOPIC_MISMATCH: [sent(plan("HR-3"), leeds, authority_topic(BARNET))],
            DeadLetterReason.BAD_SIGNATURE: [
                stolen(plan("P-8", BARNET), leeds),
                stolen(plan("HR-4"), barnet),
                sent(plan("HR-4"), unknown),
                (*moved[:3], moved[3].replace(b"6,000", b"9,000")),
                sent(plan("HR-6"), unknown, authority_topic(LEEDS)),
            ],
        }
        send_raw(broker.bootstrap, [record for records in refused.values() for record in records])
        send_raw(broker.bootstrap, [sent(plan("P-9", BARNET), None, authority_topic(BARNET))])
        wanted = Counter({reason: len(records) for reason, records in refused.items()})
        line.until(lambda: line.drained(2), "the signed one and the one on its authority's own topic")
        line.until(lambda: line.metric(matcher, "jointly_dead_letters_total") >= wanted.total(), "the others refused")
        assert line.metric(matcher, "jointly_spoofing_attempts_total") == wanted.total()
        letters = payloads_of(broker.bootstrap, DEAD_PLANS.name, DEAD_LETTER_PAYLOADS)
        assert Counter(letter.reason for letter in letters) == wanted
        assert all(letter.complete for letter in letters), "signature and all, so that they can be replayed"
        rows = line.sql("SELECT plan_id, origin ->> 'signed_by' FROM plan_log ORDER BY 1")
        assert rows == [(f"{LEEDS}:HR-1", leeds.public.key_id), (f"{BARNET}:P-9", None)]
        assert len(line.active()) == 1, "they met"

        second = new_key(LEEDS)
        assert jointly("keys", "add", LEEDS, public_file(tmp_path, second))[0] == 0
        asyncio.run(publish_events(line.settings, [plan("HR-7")], key=second))
        asyncio.run(publish_events(line.settings, [plan("HR-8")], key=leeds))
        line.until(lambda: line.drained(4), "both keys are good while one takes over from the other")


def test_a_replay_keeps_the_signature(
    broker: AnyBroker, database_url: str, jointly: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(database_url, LEEDS, BARNET)
    leeds, payload = new_key(LEEDS), plan("HR-1")
    # As long as attributes and signature may be: nothing of them may be lost in the dead letter.
    event = replace(plan_event(payload), source="/" + "ä" * 400, id="i" * 1024, subject="s" * 1024)
    message = sign(event, encode(event, payload.plan_id), leeds)
    assert max(len(value) for _, value in message.headers) > 4096
    with pipeline(broker.bootstrap, database_url, tmp_path, JOINTLY_SIGNATURES="required") as line:
        monkeypatch.setenv("JOINTLY_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
        settings.cache_clear()
        matcher = line.start("matcher")
        send_raw(broker.bootstrap, [(PLANS.name, message.key, list(message.headers), message.value)])
        line.until(lambda: line.metric(matcher, "jointly_dead_letters_total") == 1, "refused: no key is registered")
        assert jointly("keys", "add", LEEDS, public_file(tmp_path, leeds))[0] == 0
        for _ in range(2):
            code, said, _ = jointly("dead-letters", "replay", "--all", "--yes")
            assert (code, said.splitlines()[-1]) == (0, "1 sent, 0 not")
        line.until(lambda: line.metric(matcher, "jointly_plan_events_total") == 2, "both replays handled")
        assert line.sql("SELECT plan_id, origin ->> 'signed_by' FROM plan_log") == [
            (payload.plan_id, leeds.public.key_id)
        ]
        assert line.metric(matcher, "jointly_dead_letters_total") == 1


def test_the_publisher_does_not_sign_for_another(broker: AnyBroker) -> None:
    chosen = settings().model_copy(update={"kafka_bootstrap_servers": (broker.bootstrap,)})
    asyncio.run(topic_admin.create(chosen))
    with pytest.raises(PublishingError, match="was made for") as refused:
        asyncio.run(publish_events(chosen, [plan("HR-1"), plan("P-9", BARNET)], key=new_key(LEEDS)))
    assert refused.value.published <= 1


# --- the register


@pytest_asyncio.fixture
async def sessions(database_url: str) -> AsyncIterator[Sessions]:
    await asyncio.to_thread(enrol, database_url, LEEDS, BARNET)
    engine = make_engine(database_url)
    yield make_sessions(engine)
    await engine.dispose()


async def registered(sessions: Sessions, key: SigningKey, **changes: Any) -> str:
    row = {"authority": LEEDS, "valid_from": DAY, "valid_until": None, **changes}
    async with transaction(sessions) as session:
        new = AuthorityKey(key_id=key.public.key_id, public_key=key.public.x, created_at=now(), **row)
        return await authority_keys.add(session, new)


async def verdict(
    sessions: Sessions,
    key: SigningKey | None,
    keyring: KeyCache | None = None,
    day: date = DAY,
    demand: SignatureMode = "if-present",
    topic: str = PLANS.name,
) -> str:
    topic, raw, headers, value = sent(plan("HR-1"), key, topic)
    record: Any = SimpleNamespace(topic=topic, partition=0, offset=0, key=raw, headers=headers, value=value)
    (item,) = await signature_policy.verify_all(
        [read(record, datetime.now(UTC))], demand, keyring or KeyCache(), sessions, day
    )
    return "accepted" if isinstance(item, PlanRecordAccepted) else item.sentence


async def test_a_revoked_key_is_good_for_half_a_minute_at_most(sessions: Sessions) -> None:
    clock = [0.0]
    keyring, leeds = KeyCache(clock=lambda: clock[0]), new_key(LEEDS)
    assert "no key" in await verdict(sessions, leeds, keyring)
    await registered(sessions, leeds)
    assert await verdict(sessions, leeds, keyring) == "accepted", "at once: that a key is unknown is not remembered"
    async with transaction(sessions) as session:
        assert await authority_keys.revoke(session, leeds.public.key_id)
    clock[0] = signature_policy.REMEMBERED_SECONDS - 1
    assert await verdict(sessions, leeds, keyring) == "accepted", "the register is not asked for every event"
    clock[0] = signature_policy.REMEMBERED_SECONDS
    assert "was revoked on" in await verdict(sessions, leeds, keyring)
    assert signature_policy.REMEMBERED_SECONDS < 60
    assert await registered(sessions, leeds) == "taken", "for ever"


async def test_a_key_is_good_on_its_days(sessions: Sessions) -> None:
    leeds, until = new_key(LEEDS), DAY + timedelta(days=10)
    await registered(sessions, leeds, valid_until=until)
    one = timedelta(days=1)
    assert "is valid from" in await verdict(sessions, leeds, day=DAY - one)
    assert await verdict(sessions, leeds, day=DAY) == await verdict(sessions, leeds, day=until) == "accepted"
    assert "was valid until" in await verdict(sessions, leeds, day=until + one)


async def test_what_the_setting_demands(sessions: Sessions) -> None:
    good, bad = new_key(LEEDS), new_key(LEEDS)
    await registered(sessions, good)
    own = authority_topic(LEEDS)
    for demand, unsigned, forged in (("off", True, True), ("if-present", True, False), ("required", False, False)):
        assert await verdict(sessions, good, demand=demand) == "accepted"  # type: ignore[arg-type]
        assert (await verdict(sessions, None, demand=demand) == "accepted") is unsigned  # type: ignore[arg-type]
        assert await verdict(sessions, None, demand=demand, topic=own) == "accepted"  # type: ignore[arg-type]
        for topic in (PLANS.name, own):
            said = await verdict(sessions, bad, demand=demand, topic=topic)  # type: ignore[arg-type]
            assert (said == "accepted") is forged


async def test_a_batch_asks_the_register_once(sessions: Sessions) -> None:
    asked: list[Any] = []

    def counted() -> Any:
        asked.append(1)
        return sessions()

    made = []
    for number in range(20):
        topic, raw, headers, value = sent(plan(f"HR-{number}"), new_key(LEEDS))
        made.append(SimpleNamespace(topic=topic, partition=0, offset=number, key=raw, headers=headers, value=value))
    found = await signature_policy.verify_all(
        [read(r, datetime.now(UTC)) for r in made], "required", KeyCache(), counted, DAY
    )  # type: ignore[arg-type]
    assert all(isinstance(item, RejectedRecord) for item in found)
    assert [item.record.offset for item in found] == list(range(20)), "in their order"
    assert len(asked) == 1


def test_the_commands_keep_the_register(database_url: str, jointly: CommandLine, tmp_path: Path) -> None:
    leeds = new_key(LEEDS)
    file = public_file(tmp_path, leeds)
    assert "not in the register" in jointly("keys", "add", LEEDS, file)[2]
    enrol(database_url, LEEDS, BARNET)
    assert "was made for" in jointly("keys", "add", BARNET, file)[2]
    assert jointly("keys", "add", LEEDS, file, "--from", "2026-01-01", "--until", "2025-01-01")[0] == 2
    given = ("keys", "add", LEEDS, file, "--from", "2026-01-01", "--until", "2099-12-31")
    assert jointly(*given)[1].startswith("added: ")
    assert jointly(*given)[1].startswith("unchanged: ")
    assert jointly("keys", "add", LEEDS, file)[0] == 1, "other days are another registration"
    private = tmp_path / "private.jwk"
    private.write_text(to_file_text(leeds.private_jwk()))
    assert "must not leave its owner" in jointly("keys", "add", LEEDS, private)[2]
    (listed,) = json.loads(jointly("keys", "list", LEEDS, "--json")[1])
    assert (listed["key_id"], listed["good"]) == (leeds.public.key_id, True)
    assert jointly("keys", "list", BARNET)[1:] == ("authority\tkey\tstate\n", "no key is registered\n")
    for unknown in ("nobody's", "-hx4", "--x", "-_9"):
        assert jointly("keys", "revoke", unknown)[0] == 1, unknown
    for _ in range(2):
        assert jointly("keys", "revoke", leeds.public.key_id)[0] == 0
    assert "was revoked on" in jointly("keys", "list")[1]
    assert jointly(*given)[0] == 1, "a revoked key never comes back"
