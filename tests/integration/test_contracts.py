"""Contract events become rows: the newest revision stands whatever the order, and nobody speaks for another."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date
from itertools import permutations
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from events.contracts import ContractPayload
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetterReason
from events.jwk import SigningKey, new_key, to_file_text
from events.signing import sign_as
from events.topics import CONTRACTS, DEAD_CONTRACTS, authority_topic
from services.application.contracts import CONTRACT_EVENTS
from services.cli import application
from services.coalitions.contract_decoding import ContractRecord, read
from services.messaging.signature_policy import RejectedRecord
from services.platform.settings import settings
from services.store import authority_keys, contracts, programme
from services.store.authority_keys import AuthorityKey
from services.store.database import make_engine, make_sessions, now, transaction
from tests.conftest import AnyBroker
from tests.pipeline import Pipeline, payloads_of, pipeline, send_raw
from tests.support.coalitions import AS_OF, BRADFORD, LEEDS
from tests.support.contracts import ContractsHarness, contract, contract_record, withdrawal
from tests.support.payroll_plans import enrol

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def harness(database: AsyncEngine) -> AsyncIterator[ContractsHarness]:
    yield ContractsHarness(make_sessions(database), AS_OF)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_newest_revision_stands_in_any_order(harness: ContractsHarness, order: tuple[int, ...]) -> None:
    events: list[ContractPayload] = [contract(), contract(revision=2, title="Payroll"), withdrawal(revision=3)]
    for number in order:
        await harness.handle(events[number])
    assert await harness.rows("SELECT revision, status, payload FROM contracts") == [(3, "withdrawn", None)]
    assert len(await harness.rows("SELECT 1 FROM contracts WHERE payload IS NULL")) == 1, "NULL, not JSON's own null"
    async with harness.sessions() as session:
        assert (await programme.load_records(session)).contracts == []
    await harness.handle(contract(revision=4, title="Payroll again"))
    assert await harness.rows("SELECT revision, payload->>'title' FROM contracts") == [(4, "Payroll again")]


async def test_a_revision_with_other_content_is_a_dead_letter(harness: ContractsHarness) -> None:
    await harness.handle(contract(), contract())
    await harness.handle(contract())
    assert await harness.rows("SELECT 1 FROM outbox") == []
    await harness.handle(contract(title="Something else"))
    ((topic, value),) = await harness.rows("SELECT topic, value FROM outbox")
    assert (topic, json.loads(bytes(value))["reason"]) == (DEAD_CONTRACTS.name, DeadLetterReason.REVISION_CONFLICT)
    assert await harness.rows("SELECT payload->>'title' FROM contracts") == [("HR and payroll system",)]


async def test_a_withdrawal_below_what_is_still_shared_is_seen(harness: ContractsHarness) -> None:
    await harness.handle(contract(revision=9), withdrawal(revision=4))
    ((topic, value),) = await harness.rows("SELECT topic, value FROM outbox")
    letter = json.loads(bytes(value))
    assert (topic, letter["reason"]) == (DEAD_CONTRACTS.name, DeadLetterReason.SUPERSEDED_WITHDRAWAL)
    assert "revision 4, the contract stands at 9" in letter["detail"]
    await harness.handle(withdrawal(revision=5), withdrawal(revision=10), withdrawal(revision=3), contract(revision=2))
    assert len(await harness.rows("SELECT 1 FROM outbox")) == 2, "from revision 10 on nothing is shared any more"


async def test_a_forgotten_authority_shares_nothing(harness: ContractsHarness) -> None:
    await harness.handle(contract(), contract(reference="C-2"), contract(BRADFORD))
    async with transaction(harness.sessions) as session:
        assert await contracts.count_of(session, LEEDS) == 2
        assert await contracts.forget_authority(session, LEEDS) == 2
        assert await contracts.forget_authority(session, LEEDS) == 0
    await harness.handle(contract())
    left = await harness.rows("SELECT authority, status, payload IS NULL FROM contracts ORDER BY contract_id")
    assert left == [(BRADFORD, "published", False), (LEEDS, "withdrawn", True), (LEEDS, "withdrawn", True)]
    assert await harness.rows("SELECT 1 FROM outbox") == []


async def test_contacts_are_taken_out(harness: ContractsHarness) -> None:
    await harness.handle(contract(supplier="Northmoor, jo@northmoor.example"))
    assert await harness.rows("SELECT payload->>'supplier' FROM contracts") == [("Northmoor, [email removed]",)]


@pytest.mark.parametrize("topic", [authority_topic(BRADFORD, CONTRACTS), f"{CONTRACTS.name}.e08000035"])
def test_nobody_speaks_on_the_topic_of_another(topic: str) -> None:
    item = read(contract_record(contract(), topic), now())
    assert isinstance(item, RejectedRecord)
    assert item.reason is DeadLetterReason.TOPIC_MISMATCH
    assert isinstance(read(contract_record(contract(), authority_topic(LEEDS, CONTRACTS)), now()), ContractRecord)


def test_nobody_shares_the_contract_of_another() -> None:
    forged = contract().model_copy(update={"contract_id": f"{BRADFORD}:C-1"})
    item = read(contract_record(forged), now())
    assert isinstance(item, RejectedRecord)
    assert item.reason is DeadLetterReason.AUTHORITY_MISMATCH


def test_a_revision_that_leaves_no_room_is_refused() -> None:
    item = read(contract_record(contract(revision=2**53 - 1)), now())
    assert isinstance(item, RejectedRecord)
    assert item.reason is DeadLetterReason.REVISION_TOO_HIGH


def test_contracts_of_a_signed_file_are_listed(
    broker: AnyBroker, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leeds, bradford = new_key(LEEDS), new_key(BRADFORD)
    enrol(database_url, LEEDS, BRADFORD)
    asyncio.run(_register(database_url, leeds, bradford))
    file, key = tmp_path / "contracts.jsonl", tmp_path / "leeds.key"
    file.write_text(contract().model_dump_json() + "\n", "utf-8")
    key.write_text(to_file_text(leeds.private_jwk()), "utf-8")
    with pipeline(broker.bootstrap, database_url, tmp_path) as line:
        process = line.start("coalitions", JOINTLY_SIGNATURES="required")
        _jointly(line, monkeypatch, "contracts", "publish", str(file), "--signing-key", str(key))
        forged = contract(revision=2, supplier="Somebody else")
        event, message = CONTRACT_EVENTS.event(forged), CONTRACT_EVENTS.message(forged)
        anybodys = SigningKey(type(bradford.public)(bradford.public.key_id, bradford.public.x), bradford.key)
        for one in (message, sign_as(LEEDS, event, message, anybodys)):
            records = [(CONTRACTS.name, one.key, list(one.headers), one.value)]
            send_raw(",".join(line.settings.kafka_bootstrap_servers), records)
        line.until(lambda: line.metric(process, "jointly_spoofing_attempts_total") == 2, "two are refused")
        line.until(lambda: line.sql("SELECT revision FROM contracts") == [(1,)], "the signed one stands")
        listed = _jointly(line, monkeypatch, "contracts", "list", "--json")
        assert json.loads(listed) == contract().model_dump(mode="json")
        letters = payloads_of(broker.bootstrap, DEAD_CONTRACTS.name, DEAD_LETTER_PAYLOADS)
        assert sorted(letter.reason for letter in letters) == [
            DeadLetterReason.BAD_SIGNATURE,
            DeadLetterReason.UNSIGNED,
        ]


def _jointly(line: Pipeline, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Runs a command on the pipeline's own parts; what it prints."""
    monkeypatch.setenv("JOINTLY_KAFKA_BOOTSTRAP_SERVERS", ",".join(line.settings.kafka_bootstrap_servers))
    monkeypatch.setenv("JOINTLY_DATABASE_URL", line.environment["JOINTLY_DATABASE_URL"].replace("+psycopg", ""))
    settings.cache_clear()
    try:
        done = CliRunner().invoke(application(arguments[0]), list(arguments))
        assert done.exit_code == 0, done.output
        return done.stdout
    finally:
        settings.cache_clear()


async def _register(database_url: str, *keys: SigningKey) -> None:
    engine = make_engine(database_url)
    async with transaction(make_sessions(engine)) as session:
        for key in keys:
            await authority_keys.add(session, _row(key))
    await engine.dispose()


def _row(key: SigningKey) -> AuthorityKey:
    public = key.public
    assert public.authority is not None
    first_day = date(2026, 1, 1)
    return AuthorityKey(
        key_id=public.key_id, authority=public.authority, public_key=public.x, valid_from=first_day, created_at=now()
    )
