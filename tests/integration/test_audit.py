"""The audit log on a real database: it only grows, every act is in it, and whatever is done to it shows."""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from events.checkpoints import CHECKPOINT_PAYLOADS, AuditCheckpointSigned
from events.cloudevents import decode
from events.jwk import SigningKey, new_key, to_file_text
from events.responses import ResponseAnswered
from events.signed_notes import read_checkpoint
from events.topics import CHECKPOINTS, RESPONSES, authority_topic
from services.application import audit
from services.cli import application
from services.domain.audit import Act, AuditAction, Channel
from services.domain.merkle import leaf_hash
from services.local_stack.postgres import Server
from services.local_stack.tansu import Broker
from services.platform.settings import Settings, SettingsError, settings
from services.relay.app import installation_key
from services.relay.checkpoints import INTERVAL, BrokenChainError, sign_if_due
from services.store import audit_log, audit_names
from services.store.database import Sessions, make_engine, make_sessions, now, transaction
from services.store.migrate import migrate
from tests.pipeline import payloads_of, pipeline
from tests.support.coalitions import (
    AS_OF,
    BRADFORD,
    KIRKLEES,
    LEEDS,
    CoalitionsHarness,
    plan,
    response_fields,
    response_record,
)
from tests.support.matcher import make_matcher
from tests.support.merkle import root_from_proof

ORIGIN = "jointly.example/audit"
KEY = new_key()
Jointly = Callable[..., tuple[int, str]]


def act(number: int = 0) -> Act:
    return Act(
        action=AuditAction.RESPONSE_RECORDED,
        authority=LEEDS,
        subject=f"coalition:{number:032x}",
        channel=Channel.BROWSER,
        details={"response_id": f"answer-{number}"},
    )


@pytest.fixture
async def harness(sessions: Sessions) -> CoalitionsHarness:
    using = Settings(as_of=AS_OF)
    return CoalitionsHarness(await make_matcher(sessions, using), sessions, using)


@pytest.fixture
def jointly(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jointly]:
    key_file = tmp_path / "installation.jwk"
    key_file.write_text(to_file_text(KEY.private_jwk()))
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url.replace("postgresql+psycopg", "postgresql"))
    monkeypatch.setenv("JOINTLY_INSTALLATION_KEY_FILE", str(key_file))
    settings.cache_clear()

    def run(*arguments: str | Path) -> tuple[int, str]:
        done = CliRunner().invoke(application("audit"), ["audit", *map(str, arguments)])
        return done.exit_code, done.output

    yield run
    settings.cache_clear()


async def append(sessions: Sessions, count: int, first: int = 0) -> list[int]:
    async with transaction(sessions) as session:
        return await audit_log.append(session, [act(first + n) for n in range(count)])


async def sign(sessions: Sessions, after: timedelta = timedelta(), key: SigningKey = KEY) -> bool:
    async with transaction(sessions) as session:
        return await sign_if_due(session, key, ORIGIN, now() + after)


async def problems(sessions: Sessions, kept: str | None = None) -> list[str]:
    known = [audit.KnownCheckpoint(read_checkpoint(kept, KEY.public), "a file")] if kept else []
    async with sessions() as session:
        return list((await audit.verify(session, known)).problems)


async def note(sessions: Sessions) -> str:
    async with sessions() as session:
        row = await audit_log.newest_checkpoint(session)
        assert row is not None
        return row.note


async def tamper(sessions: Sessions, *statements: str) -> None:
    """What a superuser can do who switches the trigger off, and on again."""
    off, on = ("ALTER TABLE audit_log " + word + " TRIGGER USER" for word in ("DISABLE", "ENABLE"))
    async with transaction(sessions) as session:
        for statement in (off, *statements, on):
            await session.execute(text(statement))


async def test_acts_are_appended_in_the_callers_transaction(sessions: Sessions) -> None:
    assert await append(sessions, 3) == [0, 1, 2]
    async with sessions() as session:
        assert await audit_log.append(session, [act()]) == [3]
        await session.rollback()
    assert await append(sessions, 1) == [3]
    assert await problems(sessions) == []


async def test_many_who_append_at_once_make_one_log(sessions: Sessions) -> None:
    numbers = await asyncio.gather(*(append(sessions, 1 + n % 3, n) for n in range(24)))
    assert sorted(seq for found in numbers for seq in found) == list(range(48))
    assert await problems(sessions) == []


@pytest.mark.parametrize("change", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"])
async def test_nobody_changes_an_entry_by_accident(sessions: Sessions, change: str) -> None:
    await append(sessions, 2)
    with pytest.raises(DBAPIError, match="the audit log only grows"):
        async with transaction(sessions) as session:
            await session.execute(text(change))


def test_an_owner_without_the_trigger_still_lacks_the_privilege(postgres_server: Server) -> None:
    with postgres_server.fresh_database() as url, postgres_server.connect() as administrator:
        name = url.rsplit("/", 1)[1]
        administrator.execute(f"CREATE ROLE {name}_owner LOGIN PASSWORD 'own'")
        administrator.execute(f"ALTER DATABASE {name} OWNER TO {name}_owner")
        engine = create_engine(own := re.sub(r"//postgres:[^@]*@", f"//{name}_owner:own@", url))
        try:
            migrate(own)
            with engine.begin() as connection:
                connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
            for change in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
                with pytest.raises(DBAPIError, match="permission denied"), engine.begin() as connection:
                    connection.execute(text(change))
        finally:
            engine.dispose()
            with postgres_server.connect(name) as inside:
                inside.execute(f"DROP OWNED BY {name}_owner")
            administrator.execute(f"ALTER DATABASE {name} OWNER TO postgres")
            administrator.execute(f"DROP ROLE {name}_owner")


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["UPDATE audit_log SET body = overlay(body placing 'X' from 9) WHERE seq = 4"],
         "entry 4 was changed: its content does not have the hash"),
        (["UPDATE audit_log SET authority = 'E08000032' WHERE seq = 4"], "entry 4 was changed: the columns authority"),
        (["DELETE FROM audit_log WHERE seq = 4"], "entries 4 to 4 are missing"),
        (["DELETE FROM audit_log WHERE seq > 5"], "the log was cut: the database has a checkpoint of 8 entries"),
        (["UPDATE audit_head SET size = 7"], "the head was changed"),
    ],
)  # fmt: skip
async def test_what_was_changed_is_found(sessions: Sessions, statements: list[str], said: str) -> None:
    await append(sessions, 8)
    assert await sign(sessions)
    assert await problems(sessions) == []
    await tamper(sessions, *statements)
    assert said in " ".join(await problems(sessions))


async def test_a_checkpoint_kept_elsewhere_reveals_a_rewritten_log(sessions: Sessions) -> None:
    await append(sessions, 8)
    await sign(sessions)
    kept = await note(sessions)
    await append(sessions, 3, 100)
    # All traces in the database go: the entry, the head, the checkpoint. Then the log is written anew, a bit shorter.
    await tamper(
        sessions, "DELETE FROM audit_log", "DELETE FROM audit_checkpoints", "UPDATE audit_head SET size = 0, peaks = ''"
    )
    await append(sessions, 7)
    assert await sign(sessions)
    assert await problems(sessions) == []
    (cut,) = await problems(sessions, kept)
    assert "the log was cut: a file has a checkpoint of 8 entries, the log only 7" in cut
    await append(sessions, 4, 100)
    (changed,) = await problems(sessions, kept)
    assert "the first 8 entries are not those that were signed (checkpoint from a file)" in changed
    assert "the largest checkpoint that agrees has 7" in changed


async def test_the_relay_signs_once_an_hour_what_has_grown(sessions: Sessions) -> None:
    assert not await sign(sessions), "there is nothing to sign"
    await append(sessions, 2)
    assert await sign(sessions)
    await append(sessions, 1)
    assert not await sign(sessions, INTERVAL - timedelta(minutes=1))
    assert await sign(sessions, INTERVAL + timedelta(minutes=1))
    assert not await sign(sessions, 3 * INTERVAL), "nothing has been added"
    async with sessions() as session:
        found = await session.execute(text("SELECT topic, headers, value FROM outbox ORDER BY id"))
        events = [
            decode([(n, v.encode()) for n, v in row.headers], bytes(row.value), CHECKPOINT_PAYLOADS) for row in found
        ]
    first, second = (event.payload for event in events)
    assert isinstance(first, AuditCheckpointSigned)
    assert isinstance(second, AuditCheckpointSigned)
    assert (first.size, second.size) == (2, 3)
    read = read_checkpoint(second.note, KEY.public)
    assert (read.origin, read.size, read.root.hex()) == (second.origin, 3, second.root)
    assert await note(sessions) == second.note


def test_a_relay_that_has_the_key_publishes_checkpoints(
    tansu_broker: Broker, database_url: str, tmp_path: Path
) -> None:
    (key_file := tmp_path / "installation.jwk").write_text(to_file_text(KEY.private_jwk()))
    asyncio.run(_append_once(database_url))
    address = database_url.replace("postgresql+psycopg", "postgresql")
    with pipeline(tansu_broker.bootstrap, address, tmp_path, JOINTLY_INSTALLATION_KEY_FILE=str(key_file)) as line:
        line.start("relay")
        line.until(lambda: bool(line.sql("SELECT 1 FROM outbox WHERE published_at IS NOT NULL")), "a checkpoint")
        (found,) = payloads_of(tansu_broker.bootstrap, CHECKPOINTS.name, CHECKPOINT_PAYLOADS)
    assert isinstance(found, AuditCheckpointSigned)
    assert read_checkpoint(found.note, KEY.public).size == 3


async def _append_once(url: str) -> None:
    engine = make_engine(url)
    await append(make_sessions(engine), 3)
    await engine.dispose()


def test_a_relay_does_not_start_with_a_key_that_signs_nothing(tmp_path: Path) -> None:
    assert installation_key(Settings()) is None
    (public := tmp_path / "public.jwk").write_text(to_file_text(KEY.public.jwk()))
    with pytest.raises(SettingsError, match="signing needs the private one"):
        installation_key(Settings(installation_key_file=public))


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM audit_log WHERE seq = 3",
        "UPDATE audit_log SET body = 'x' WHERE seq = 2",
        "UPDATE audit_head SET size = 1",
    ],
)
async def test_the_relay_never_vouches_for_a_change(sessions: Sessions, change: str) -> None:
    await append(sessions, 2)
    await sign(sessions)
    await append(sessions, 2)
    await tamper(sessions, change)
    with pytest.raises(BrokenChainError, match="run `jointly audit verify`"):
        await sign(sessions, 2 * INTERVAL)


async def test_every_answer_is_in_the_log_once_whatever_became_of_it(harness: CoalitionsHarness) -> None:
    await harness.publish(*(plan(authority) for authority in (LEEDS, BRADFORD, KIRKLEES)))
    state = await harness.only()
    fields = response_fields(LEEDS, state.coalition_id, state.terms_revision, 1)
    good = ResponseAnswered(**fields, answer="interested", reason=None)
    unknown = ResponseAnswered(
        **response_fields(BRADFORD, state.coalition_id, state.terms_revision + 5, 2), answer="interested"
    )
    records = [
        response_record(good, 1),
        response_record(unknown, 2, authority_topic(BRADFORD, RESPONSES)),
        response_record(good, 3),
    ]
    await harness.responses.handle(records)
    await harness.responses.handle(records)
    rows = await harness.rows("SELECT * FROM audit_log ORDER BY seq")
    assert [(row.action, row.authority, row.subject) for row in rows] == [
        ("response-recorded", LEEDS, f"coalition:{state.coalition_id}"),
        ("response-refused", BRADFORD, f"coalition:{state.coalition_id}"),
    ]
    first, second = (json.loads(bytes(row.body)) for row in rows)
    assert (first["channel"], second["channel"]) == ("shared-topic", "own-topic")
    assert first["details"]["response_id"] == good.response_id
    assert first["details"]["kind"] == "interested"
    assert second["details"]["reason"] == "unknown-subject"
    assert await problems(harness.sessions) == []


async def test_a_name_is_apart_and_its_erasure_leaves_the_log_whole(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        actor = await audit_names.add(session, LEEDS, "Planted Marker", "Category manager")
        await audit_log.append(
            session,
            [Act(AuditAction.RESPONSE_RECORDED, LEEDS, "coalition:1", Channel.BROWSER, actor)],
        )
    async with sessions() as session:
        stored = await session.execute(text("SELECT encode(body, 'escape') FROM audit_log"))
        assert "Planted" not in str(stored.scalars().all())
        (line,) = [line async for line in audit.export(session, authority=LEEDS, names=True)]
        assert line["name"] == "Planted Marker"
    async with transaction(sessions) as session:
        assert await audit_names.erase(session, actor)
    async with sessions() as session:
        (line,) = [line async for line in audit.export(session, authority=None, names=True)]
        assert line["name"] is None
    assert await problems(sessions) == []


@pytest.fixture
async def signed_log(sessions: Sessions) -> str:
    """Five entries, and the checkpoint of the first four."""
    await append(sessions, 4)
    await sign(sessions)
    await append(sessions, 1, 4)
    return await note(sessions)


async def _in_thread(run: Jointly, *arguments: str | Path) -> tuple[int, str]:
    """The command starts an event loop of its own."""
    return await asyncio.to_thread(run, *arguments)


async def test_the_command_verifies_and_says_what_was_changed(
    jointly: Jointly, signed_log: str, sessions: Sessions, tmp_path: Path
) -> None:
    (kept := tmp_path / "kept.txt").write_text(signed_log)
    code, said = await _in_thread(jointly, "verify", "--checkpoint", kept)
    assert (code, "5 entries" in said, "2 checkpoints" in said) == (0, True, True), said
    assert await _in_thread(jointly, "checkpoint") == (0, signed_log)
    await tamper(sessions, "DELETE FROM audit_log WHERE seq = 1")
    code, said = await _in_thread(jointly, "verify", "--json")
    assert code == 1
    assert "entries 1 to 1 are missing" in json.loads(said)["problems"][0]
    kept.write_text(signed_log.replace("\n4\n", "\n3\n"))
    code, said = await _in_thread(jointly, "verify", "--checkpoint", kept)
    assert (code, "is not signed by" in said) == (2, True)


async def test_a_proof_stands_without_the_database(jointly: Jointly, signed_log: str) -> None:
    code, proof = await _in_thread(jointly, "prove", "2")
    assert code == 0
    head, _, kept = proof.partition("\n\n")
    version, extra, index, *hashes = head.split("\n")
    assert (version, index, kept) == ("c2sp.org/tlog-proof@v1", "index 2", signed_log)
    body = base64.b64decode(extra.removeprefix("extra "))
    assert json.loads(body)["details"] == {"response_id": "answer-2"}
    checkpoint = read_checkpoint(kept, KEY.public)
    path = [base64.b64decode(line) for line in hashes]
    assert root_from_proof(leaf_hash(body), 2, checkpoint.size, path) == checkpoint.root
    code, said = await _in_thread(jointly, "prove", "4")
    assert (code, "no checkpoint has entry 4 yet" in said) == (1, True)
    code, said = await _in_thread(jointly, "prove", "5")
    assert (code, "there is no entry 5" in said) == (1, True)


async def test_the_export_can_be_hashed_again(jointly: Jointly, signed_log: str) -> None:
    code, said = await _in_thread(jointly, "export")
    lines = [json.loads(line) for line in said.splitlines()]
    assert code == 0
    assert [leaf_hash(line["body"].encode()).hex() for line in lines] == [line["leaf"] for line in lines]
    assert len(lines) == 5
    assert await _in_thread(jointly, "export", "--authority", BRADFORD) == (0, "")


async def test_a_key_is_made_for_the_relay_and_never_over_another(jointly: Jointly, tmp_path: Path) -> None:
    file = tmp_path / "new.jwk"
    code, said = await _in_thread(jointly, "make-key", file)
    assert (code, "d" in json.loads(said), file.stat().st_mode & 0o777) == (0, False, 0o600)
    assert json.loads(file.read_text())["x"] == json.loads(said)["x"]
    assert (await _in_thread(jointly, "make-key", file))[0] == 2
    assert await _in_thread(jointly, "make-key", "--keep", file) == (0, said)
    other = tmp_path / "other.jwk"
    assert (await _in_thread(jointly, "make-key", "--keep", other))[0] == 0
    assert other.read_text() != file.read_text()
    assert (await _in_thread(jointly, "erase-name", "nobody"))[0] == 1


async def test_the_oldest_unsigned_entry_is_known_until_it_is_signed(sessions: Sessions) -> None:
    async def oldest() -> datetime | None:
        async with sessions() as session:
            return await audit_log.oldest_unsigned(session)

    assert await oldest() is None
    await append(sessions, 1)
    first = await oldest()
    assert first is not None
    await append(sessions, 1, first=1)
    assert await oldest() == first, "the age of what waits longest"
    assert await sign(sessions)
    assert await oldest() is None
