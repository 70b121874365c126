"""Signing in from a role mailbox: real codes by real SMTP, and everything that must not work."""

from datetime import timedelta

import pytest

from services.application import sign_in
from services.domain.mailbox_codes import CODE_LIFETIME, MAX_CODES_AN_HOUR, MAX_TRIES
from services.local_stack.mail_sink import MailSink
from services.store.authorities import AuthorityUpdate, save
from services.store.database import now, transaction
from services.web.signing import SESSION_COOKIE, TICKET_COOKIE, safe_next
from tests.support.coalitions import BRADFORD, LEEDS, plan
from tests.support.web import HOST, SECRET, WebHarness, web_client

PERSON = {"name": "Ann Other", "job_title": "Category manager"}


async def test_a_code_from_the_mailbox_opens_a_session(web: WebHarness, mailbox: MailSink) -> None:
    asked = await web.client.get("/home")
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=%2Fhome")
    entered = await web.sign_in("Leeds City Council", mailbox, "/settings")
    assert (entered.status_code, entered.headers["location"]) == (303, "/settings")
    cookie = next(line for line in entered.headers.get_list("set-cookie") if line.startswith(f"{SESSION_COOKIE}="))
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"))
    assert "Domain" not in cookie
    assert (await web.client.get("/home")).status_code == 200
    (mail,) = mailbox.mails()
    assert mail["To"] == f"procurement@{LEEDS.lower()}.example"
    rows = await web.processes.rows("SELECT a.action, n.name FROM audit_log a JOIN audit_names n USING (actor)")
    assert [tuple(row) for row in rows] == [("signed-in", "Ann Other")]
    stored = await web.processes.rows("SELECT token_hash FROM web_sessions")
    assert web.client.cookies[SESSION_COOKIE] not in stored[0].token_hash


async def test_known_and_unknown_councils_get_the_same_answers(web: WebHarness, mailbox: MailSink) -> None:
    answers = []
    for council in (LEEDS, "Atlantis Borough Council", "E99999999", "'; DROP TABLE plans --"):
        web.client.cookies.clear()
        started = await web.client.post("/sign-in", data={"council": council})
        page = await web.client.get(started.headers["location"])
        wrong = await web.client.post("/sign-in/code", data={"code": "000000", **PERSON})
        answers.append((started.status_code, started.headers["location"], page.text, wrong.status_code, wrong.text))
    assert len(set(answers)) == 1
    await web.code(mailbox)
    assert len(mailbox.paths()) == 1


async def test_a_code_is_good_for_five_tries_and_once(web: WebHarness, mailbox: MailSink) -> None:
    await web.client.post("/sign-in", data={"council": LEEDS})
    code = await web.code(mailbox)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for _ in range(MAX_TRIES):
        assert (await web.client.post("/sign-in/code", data={"code": wrong, **PERSON})).status_code == 400
    assert (await web.client.post("/sign-in/code", data={"code": code, **PERSON})).status_code == 400
    assert await web.processes.rows("SELECT 1 FROM web_sessions") == []
    assert (await web.sign_in(LEEDS, mailbox)).status_code == 303
    used = await web.code(mailbox)
    assert (await web.client.post("/sign-in/code", data={"code": used, **PERSON})).status_code == 400


async def test_a_code_is_of_one_browser_and_one_quarter_of_an_hour(web: WebHarness, mailbox: MailSink) -> None:
    await web.client.post("/sign-in", data={"council": LEEDS})
    code = await web.code(mailbox)
    async with web_client(web.processes.sessions, web.processes.settings) as other:
        await other.post("/sign-in", data={"council": "Atlantis"})
        assert (await other.post("/sign-in/code", data={"code": code, **PERSON})).status_code == 400
    async with transaction(web.processes.sessions) as session:
        ticket = web.client.cookies[TICKET_COOKIE]
        late = now() + CODE_LIFETIME + timedelta(seconds=1)
        assert await sign_in.finish(session, [SECRET], ticket, code, ("A", "B"), late) is None


async def test_sign_in_codes_are_limited_by_mailbox_and_address(web: WebHarness, mailbox: MailSink) -> None:
    for _ in range(MAX_CODES_AN_HOUR + 2):
        assert (await web.client.post("/sign-in", data={"council": LEEDS})).status_code == 303
    statuses = [(await web.client.post("/sign-in", data={"council": "Atlantis"})).status_code for _ in range(15)]
    assert statuses[-1] == 429
    rows = await web.processes.rows("SELECT count(*) FILTER (WHERE authority IS NOT NULL) FROM sign_in_codes")
    assert rows[0][0] == MAX_CODES_AN_HOUR


async def test_a_session_that_was_planted_is_not_taken_up(web: WebHarness, mailbox: MailSink) -> None:
    web.client.cookies.set(SESSION_COOKIE, "chosen-by-an-attacker", HOST, "/")
    assert (await web.client.get("/home")).status_code == 303
    await web.sign_in(LEEDS, mailbox)
    assert web.client.cookies[SESSION_COOKIE] != "chosen-by-an-attacker"


async def test_a_session_ends_by_sign_out_hours_or_mailbox(web: WebHarness, mailbox: MailSink) -> None:
    await web.sign_in(LEEDS, mailbox)
    token = web.client.cookies[SESSION_COOKIE]
    async with transaction(web.processes.sessions) as session:
        late = now() + sign_in.SESSION_LIFETIME + timedelta(seconds=1)
        assert await sign_in.find(session, token, now())
        assert await sign_in.find(session, token, late) is None
    assert (await web.client.get("/sign-out")).status_code == 200
    assert (await web.client.get("/home")).status_code == 200, "opening a page signs nobody out"
    await web.client.post("/sign-out")
    web.client.cookies.set(SESSION_COOKIE, token, HOST, "/")
    assert (await web.client.get("/home")).status_code == 303
    web.client.cookies.clear()
    await web.sign_in(LEEDS, mailbox)
    async with transaction(web.processes.sessions) as session:
        await save(session, AuthorityUpdate(LEEDS, {"mailbox": "new@leeds.example"}))
    assert (await web.client.get("/home")).status_code == 303


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/home/../..//evil", "/home\r\nX: y", "x"]
)
def test_only_our_own_pages_are_somewhere_to_go_on_to(target: str) -> None:
    assert safe_next(target) == ""


async def test_a_sign_in_leads_to_our_own_pages_only(web: WebHarness, mailbox: MailSink) -> None:
    assert (await web.sign_in(LEEDS, mailbox, "//evil.example")).headers["location"] == "/home"


async def test_each_page_of_the_signed_in_is_closed_to_others(web: WebHarness) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD))
    for path in ("/home", "/settings", "/search?need=payroll", f"/p/{LEEDS}:HR-1", "/c/" + "0" * 32, "/o/" + "0" * 32):
        page = await web.client.get(path)
        assert page.status_code == 303, path
        assert page.headers["location"].startswith("/sign-in")
    assert (await web.client.post("/settings", data={"emails": "stop"})).status_code == 303
    assert await web.processes.rows("SELECT 1 FROM authorities WHERE NOT immediate") == []
