"""A benchmark request without a cell is put to councils with a comparable contract, and follows their answers."""

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from events.responses import EnquiryAnswer
from events.topics import BENCHMARKS
from matching import successions
from services.application.benchmarks import read_benchmark
from services.application.enquiries import list_enquiries
from services.application.preferences import stop_kind
from services.domain.audit import Channel
from services.domain.programme.contracts import Enquiries, enquiries
from services.local_stack.mail_sink import MailSink
from services.store import benchmark_notices
from services.store.authorities import AuthorityUpdate, save
from services.store.database import transaction
from services.store.programme import load_records
from tests.support.coalitions import AS_OF, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, plan_id
from tests.support.command_line import run_jointly
from tests.support.contracts import contract, withdrawal
from tests.support.crashes import CrashHarness
from tests.support.enquiries import EnquiryScene, holding, make_scene
from tests.support.extensions import AFTER, DUE, extension, requests
from tests.support.notifier import body

pytestmark = pytest.mark.integration

REMINDER = date(2026, 12, 3)


@pytest_asyncio.fixture
async def scene(database: AsyncEngine, mailbox: MailSink) -> EnquiryScene:
    return await make_scene(database, mailbox)


async def test_holders_of_a_contract_of_the_category_are_asked_once(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD), contract(CALDERDALE, cpv=["72260000"]))
    await scene.harness.publish(extension(), holding(KIRKLEES))
    for day in (AS_OF, AS_OF, DUE):
        await scene.sweep(day)
    assert await scene.asked() == [BRADFORD, KIRKLEES]
    assert [kind for kind, *_ in await requests(scene.harness)] == ["requested", "requested"]


async def test_a_contract_that_is_not_open_or_over_asks_nobody(scene: EnquiryScene) -> None:
    await scene.contracts.handle(
        contract(BRADFORD, sharing={"coalition": "2026-07-01"}),
        contract(BRADFORD, reference="C-2", sharing={"signatories": "2027-07-01"}),
        contract(CALDERDALE, prices=[], withheld="s94"),
        contract(CALDERDALE, reference="C-2", end="2026-11-25"),
    )
    await scene.harness.publish(extension(), holding(KIRKLEES, sharing="match_only"))
    await scene.sweep()
    assert await scene.asked() == []


async def test_who_is_left_in_peace_is_not_asked(scene: EnquiryScene) -> None:
    changes: list[tuple[dict[str, Any], frozenset[str]]] = [
        ({"withdrawn_on": AS_OF}, frozenset()),
        ({"mailbox": None}, frozenset()),
        ({"paused_until": date(2027, 1, 1)}, frozenset()),
        ({"benchmarks": False}, frozenset()),
        ({}, frozenset({LEEDS})),
        ({"immediate": False, "digest": False}, frozenset()),
        ({}, frozenset()),
    ]
    codes = [f"E0900000{number}" for number in range(1, 8)]
    await scene.notifier.register(*codes)
    async with transaction(scene.harness.sessions) as session:
        for code, (fields, partners) in zip(codes, changes, strict=True):
            await save(session, AuthorityUpdate(code, fields, partners=partners))
        await save(session, AuthorityUpdate(LEEDS, {}, partners=frozenset({BRADFORD})))
    await scene.contracts.handle(*(contract(code) for code in (*codes, BRADFORD)))
    await scene.harness.publish(extension())
    await scene.sweep()
    assert await scene.asked() == codes[-2:], "emails about matches have switches of their own"


async def test_emails_about_prices_have_a_switch_of_their_own(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension())
    assert [domain for domain, _ in await scene.emails(AS_OF)] == ["bradford.example", "leeds.example"]
    for mail in scene.notifier.mails():
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail["List-Unsubscribe"].startswith("<https://jointly.example/unsubscribe/")
        assert "these emails: https://jointly.example/s/" in body(mail)
        assert 'href="https://jointly.example/s/' in body(mail, "html")
    for authority in (BRADFORD, LEEDS):
        async with transaction(scene.harness.sessions) as session:
            now = await stop_kind(session, authority, benchmark_notices.PURPOSE, AS_OF)
        assert now is not None
        assert (now.immediate, now.digest, now.benchmarks) == (True, True, False)
    assert "You get no emails about prices and extensions." in now.sentence(AS_OF)
    assert len(await scene.emails(REMINDER)) == 2, "no reminder comes to those who stopped them"


async def test_nobody_is_asked_for_an_authority_that_has_withdrawn(scene: EnquiryScene) -> None:
    await scene.notifier.register(LEEDS, withdrawn_on=AS_OF)
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension())
    await scene.sweep()
    assert await scene.asked() == []


async def test_the_last_answer_supplies_the_request(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension(), holding(KIRKLEES))
    await scene.sweep()
    await scene.answers(KIRKLEES, EnquiryAnswer.WITHHELD, reason="s94")
    await scene.answers(BRADFORD, EnquiryAnswer.SUPPLIED, contract_id=f"{BRADFORD}:C-1")
    assert [kind for kind, *_ in await requests(scene.harness)] == ["requested"] * 3 + ["supplied"]
    rows = await scene.harness.rows("SELECT state->'others' FROM benchmark_requests")
    assert rows == [({"asked": 2, "answers": 2, "supplied": 1, "withheld": 1},)]
    assert await _prices(scene, LEEDS) == [(BRADFORD, 17.4)]
    assert await _prices(scene, KIRKLEES) == [], "only the council that asked sees them"
    await scene.contracts.handle(withdrawal(BRADFORD))
    assert await _prices(scene, LEEDS) == [], "nothing is shown of a contract that is no longer shared"
    async with scene.harness.sessions() as session:
        records = await load_records(session)
    assert enquiries(records.enquiries, AS_OF) == Enquiries(asked=2, answers=2, supplied=1)
    said = await scene.harness.rows("SELECT value FROM outbox WHERE convert_from(value, 'UTF8') LIKE '%s94%'")
    assert said == [], "no event tells why a price is withheld"


async def test_without_a_price_the_answers_close_the_request(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension())
    await scene.sweep()
    for _ in range(2):
        await scene.answers(BRADFORD, EnquiryAnswer.WITHHELD)
    assert [found for found, *_ in await requests(scene.harness)][-1] == "withheld"
    assert [reason for reason, _ in await scene.harness.refusals()] == ["stale-response"]


async def test_an_answer_unasked_or_without_a_price_is_refused(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD), contract(CALDERDALE, prices=[], withheld="s94"))
    await scene.harness.publish(extension())
    await scene.sweep()
    await scene.answers(CALDERDALE, EnquiryAnswer.NONE_AVAILABLE)
    await scene.answers(BRADFORD, EnquiryAnswer.SUPPLIED, contract_id=f"{BRADFORD}:C-9")
    assert [reason for reason, _ in await scene.harness.refusals()] == ["unknown-subject", "response-refused"]
    assert await scene.harness.rows("SELECT answer FROM benchmark_enquiries") == [(None,)]


async def test_a_death_at_any_statement_leaves_no_half_enquiry(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension())
    dying = CrashHarness(scene.harness, scene.engine)
    assert await dying.dies_everywhere(scene.sweep) > 8
    assert await scene.asked() == [BRADFORD]
    kinds = await scene.harness.rows("SELECT authority, kind FROM benchmark_notices ORDER BY 1, 2")
    assert kinds == [(BRADFORD, "enquiry"), (BRADFORD, "enquiry-reminder"), (LEEDS, "reminder"), (LEEDS, "request")]


async def test_each_side_hears_of_it_once(scene: EnquiryScene) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension(), holding(KIRKLEES))
    again = "Leeds still asks what you pay. Answer by 10 December"
    question, own = "Leeds asks what you pay. Answer by 10 December", "Replacement of the HR\u2026"
    first = [
        ("bradford.example", question),
        ("kirklees.example", question),
        ("leeds.example", f"{own}: compare prices before extending"),
    ]
    assert await scene.emails(AS_OF) == first
    assert await scene.emails(AS_OF) == first
    asked = next(mail for mail in scene.notifier.mails() if "bradford" in mail["To"])
    text = body(asked)
    assert "Leeds is about to extend its contract with Northmoor Software Ltd (Replacement of the HR and pay" in text
    assert "You hold a contract of the same category: C-1." in text
    assert "https://jointly.example/q/" in text
    assert "jointly extensions" not in text, "who has a page needs no command"
    assert "You need not answer." in body(asked, "html")
    await scene.answers(BRADFORD, EnquiryAnswer.SUPPLIED, contract_id=f"{BRADFORD}:C-1")
    second = await scene.emails(REMINDER)
    assert ("kirklees.example", again) in second
    assert ("bradford.example", again) not in second
    assert sum(to == "bradford.example" for to, _ in second) == 2, "the question, and a receipt for the answer"
    for _ in range(2):
        last = await scene.emails(AFTER)
        assert sum(subject.endswith("what others answered") for _, subject in last) == 1
    told = next(mail for mail in scene.notifier.mails() if "what others answered" in mail["Subject"])
    assert "Councils asked: 2; answers: 1; with a price: 1." in body(told)


async def test_a_plan_that_shares_only_a_match_asks_without_a_name(scene: EnquiryScene) -> None:
    scene.notifier.links = None
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension(sharing="match_only", title="Northern Star"))
    found = await scene.emails(AS_OF)
    assert ("bradford.example", "A council asks what you pay. Answer by 10 December") in found
    told = await scene.harness.rows(f"SELECT value FROM outbox WHERE topic = '{BENCHMARKS.name}'")
    assert [json.loads(bytes(row.value))["authority"] for row in told] == [None] * 2, "else it is known by its category"
    asked = next(mail for mail in scene.notifier.mails() if "bradford" in mail["To"])
    for said in (body(asked), body(asked, "html")):
        assert f"supplied --contract ID --authority {BRADFORD}" in said
        assert f"none-available --authority {BRADFORD} (or withheld)" in said
        assert "A council is about to extend a contract." in said
        assert not any(word in said for word in ("Leeds", LEEDS, "Northern Star", "Northmoor"))


@pytest.mark.parametrize("event", ["private", "muted"])
async def test_an_email_that_waits_is_not_sent_once_it_is_over(scene: EnquiryScene, event: str) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension())
    await scene.sweep()
    if event == "private":
        await scene.harness.publish(extension(revision=2, sharing="private"))
    else:
        async with transaction(scene.harness.sessions) as session:
            await save(session, AuthorityUpdate(BRADFORD, {}, partners=frozenset({LEEDS})))
    assert [to for to, _ in await scene.emails(REMINDER) if to == "bradford.example"] == []


async def test_the_commands_list_and_answer_what_was_asked(
    scene: EnquiryScene, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.contracts.handle(contract(BRADFORD))
    await scene.harness.publish(extension())
    await scene.sweep()
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("JOINTLY_AS_OF", AS_OF.isoformat())
    found = json.loads(await asyncio.to_thread(run_jointly, "extensions", "asked", "--authority", BRADFORD, "--json"))
    assert (found["requester"], found["open"], found["due_on"]) == (LEEDS, True, DUE.isoformat())
    assert "Leeds" in await asyncio.to_thread(run_jointly, "extensions", "asked", "--authority", BRADFORD)
    words = ("extensions", "answer", found["request_id"])
    own = ("--authority", BRADFORD, "--dry-run")
    made = json.loads(await asyncio.to_thread(run_jointly, *words, "supplied", "--contract", f"{BRADFORD}:C-1", *own))
    assert (made["outcome"], made["contract_id"]) == ("supplied", f"{BRADFORD}:C-1")
    refused = await asyncio.to_thread(run_jointly, *words, "supplied", "--contract", f"{BRADFORD}:C-7", *own, code=1)
    assert "names no contract that you share" in refused
    stranger = ("--authority", KIRKLEES, "--dry-run")
    assert "was not asked" in await asyncio.to_thread(run_jointly, *words, "none-available", *stranger, code=1)
    await scene.answers(BRADFORD, EnquiryAnswer.SUPPLIED, contract_id=f"{BRADFORD}:C-1")
    shown = await asyncio.to_thread(run_jointly, "benchmark", plan_id(LEEDS), "--authority", LEEDS, "--json")
    assert json.loads(shown)["supplied"]["unit_price"] == 17.4
    file = tmp_path / "successions.csv"
    columns = "predecessor,successor,successor_name,starts,kind,source"
    file.write_text(f"{columns}\n{BRADFORD},GB-X-New,New Council,{AS_OF},whole,an order\n", "utf-8")
    monkeypatch.setenv("JOINTLY_SUCCESSIONS_FILE", str(file))
    said = await asyncio.to_thread(run_jointly, "benchmark", plan_id(LEEDS), "--authority", LEEDS)
    successions.use(())
    assert "New Council (for Bradford)" in said
    assert "What the councils that we asked for you pay" in said
    async with scene.harness.sessions() as session:
        (record,) = await list_enquiries(session, BRADFORD, AS_OF)
    assert (record.enquiry.answer, record.is_open) == (EnquiryAnswer.SUPPLIED, False)


async def _prices(scene: EnquiryScene, reader: str) -> list[tuple[str, float]]:
    async with transaction(scene.harness.sessions) as session:
        channel = Channel.COMMAND_LINE
        found = await read_benchmark(session, plan_id(reader), reader=reader, channel=channel, today=AS_OF)
    return [(price.authority, price.unit_price) for price in found.supplied]
