"""What a signed-in council sets: its mailbox by two codes, tokens and the calendar's address. And nobody else does."""

import asyncio
import re
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import text

from services.application import api_tokens
from services.domain.api_access import Scope
from services.domain.audit import Channel
from services.domain.mailbox_codes import MAX_CODES_AN_HOUR, MAX_TRIES
from services.local_stack.mail_sink import MailSink
from services.store.authorities import AuthorityUpdate, save
from services.store.database import now, transaction
from tests.support.coalitions import AS_OF, BRADFORD, LEEDS
from tests.support.intents import put_intents
from tests.support.parties import OFFICE, register_party, since
from tests.support.web import BASE, WebHarness, web_client

OLD, NEW = f"procurement@{LEEDS.lower()}.example", "buying@leeds.example"
PATHS = ("/settings/mailbox", "/settings/mailbox/codes", "/settings/access", "/settings/calendar", "/settings/muted")


@pytest.fixture
async def leeds(grouped: WebHarness, mailbox: MailSink) -> WebHarness:
    """Leeds has signed in."""
    assert (await grouped.sign_in(LEEDS, mailbox)).status_code == 303
    mailbox.clear()
    return grouped


async def received(mailbox: MailSink, count: int) -> dict[str, str]:
    """What came, by address, once so many have come."""
    for _ in range(100):
        if len(mailbox.paths()) >= count:
            break
        await asyncio.sleep(0.02)
    mails = {mail["To"]: mail.get_content() for mail in mailbox.mails()}
    assert len(mails) == count
    return mails


async def ask_for_codes(leeds: WebHarness, mailbox: MailSink) -> dict[str, str]:
    """Asks for the new mailbox; the code that each mailbox got."""
    mailbox.clear()
    asked = await leeds.send("/settings/mailbox", mailbox=NEW)
    assert asked.headers["location"] == "/settings/mailbox/codes", asked.text
    mails = await received(mailbox, 2)
    codes = {to: re.search(r"Your code is (\d{3}) (\d{3})", text) for to, text in mails.items()}
    mailbox.clear()
    return {to: code[1] + code[2] for to, code in codes.items() if code}


async def enter(leeds: WebHarness, present: str, new: str) -> httpx2.Response:
    return await leeds.send("/settings/mailbox/codes", present=present, new=new)


async def mailbox_of_leeds(web: WebHarness) -> str:
    rows = await web.processes.rows(f"SELECT mailbox FROM authorities WHERE authority = '{LEEDS}'")
    return str(rows[0].mailbox)


async def test_a_mailbox_changes_by_two_codes(leeds: WebHarness, mailbox: MailSink) -> None:
    link = await leeds.link(LEEDS)
    assert (await leeds.client.get(link)).status_code == 200
    async with web_client(leeds.processes.sessions, leeds.processes.settings) as late:
        # A code that is on its way to the old mailbox while it changes.
        await late.post("/sign-in", data={"council": LEEDS})
        on_its_way = await leeds.code(mailbox)
        codes = await ask_for_codes(leeds, mailbox)
        assert set(codes) == {OLD, NEW}
        await put_intents(leeds.processes.sessions, "failed")
        done = await enter(leeds, codes[OLD], codes[NEW])
        assert done.headers["location"] == "/mailbox-changed"
        assert "sign in" in (await leeds.client.get("/mailbox-changed")).text.lower()
        person = {"name": "Ann Other", "job_title": "Category manager"}
        assert (await late.post("/sign-in/code", data={"code": on_its_way, **person})).status_code == 400
    assert await mailbox_of_leeds(leeds) == NEW
    refused = await leeds.processes.rows("SELECT DISTINCT state FROM notification_intents")
    assert refused == [("pending",)], "what the old mailbox refused goes to the new one"
    assert (await leeds.client.get(link)).status_code == 410
    assert (await leeds.client.get("/home")).status_code == 303
    assert await leeds.processes.rows("SELECT 1 FROM web_sessions") == []
    receipts = await received(mailbox, 2)
    assert NEW in receipts[OLD]
    assert OLD in receipts[NEW]
    assert "Ann Other" not in str(receipts)
    (act,) = await leeds.processes.rows("SELECT * FROM audit_log WHERE action = 'mailbox-changed'")
    (person_row,) = await leeds.processes.rows("SELECT actor FROM audit_names")
    assert (act.authority, act.actor) == (LEEDS, person_row.actor)
    assert "@" not in bytes(act.body).decode()
    assert (await leeds.sign_in(LEEDS, mailbox)).status_code == 303
    assert mailbox.mails()[-1]["To"] == NEW


async def test_nobody_acts_for_an_office(grouped: WebHarness, mailbox: MailSink) -> None:
    old = "office@gb-x-office.example"
    await register_party(grouped.processes.sessions, since(AS_OF, LEEDS), mailbox=old)
    await grouped.sign_in(OFFICE, mailbox)
    for path in ("/settings", *PATHS):
        page = await grouped.client.get(path)
        if path != "/settings/mailbox/codes":
            assert page.status_code == 200, path
            assert 'href="/convene"' in page.text, path
            assert "your council" not in page.text.lower(), path
            assert "/settings/delegations" not in page.text
    assert (await grouped.client.get("/settings/delegations")).headers["location"] == "/programme"
    await grouped.send("/settings/muted", partner="Leeds")
    assert "Leeds" in (await grouped.client.get("/settings/muted")).text
    made = await grouped.send("/settings/access", label="Reporting", scope="plans")
    assert "Your new token" in made.text
    codes = await ask_for_codes(grouped, mailbox)
    assert (await enter(grouped, codes[old], codes[NEW])).headers["location"] == "/mailbox-changed"
    rows = await grouped.processes.rows(f"SELECT mailbox FROM authorities WHERE authority = '{OFFICE}'")
    assert rows[0].mailbox == NEW
    acts = await grouped.processes.rows(f"SELECT action FROM audit_log WHERE authority = '{OFFICE}' ORDER BY seq")
    assert [one.action for one in acts] == ["signed-in", "emails-changed", "api-access-granted", "mailbox-changed"]
    council = await grouped.processes.rows(f"SELECT mailbox FROM authorities WHERE authority = '{LEEDS}'")
    assert council[0].mailbox == OLD, "nobody else's mailbox changes"


async def test_one_code_is_not_enough_and_five_tries_are(leeds: WebHarness, mailbox: MailSink) -> None:
    codes = await ask_for_codes(leeds, mailbox)
    wrong = {to: f"{(int(code) + 1) % 1_000_000:06}" for to, code in codes.items()}
    tries = [(codes[OLD], wrong[NEW]), (wrong[OLD], codes[NEW]), (codes[NEW], codes[OLD])]
    tries += [(wrong[OLD], wrong[NEW])] * (MAX_TRIES - len(tries))
    for present, new in tries:
        page = await enter(leeds, present, new)
        assert (page.status_code, "One of the codes is wrong" in page.text) == (400, True)
    assert (await enter(leeds, codes[OLD], codes[NEW])).status_code == 400
    assert await mailbox_of_leeds(leeds) == OLD
    assert mailbox.paths() == []


async def test_codes_are_of_one_session_and_one_quarter_of_an_hour(leeds: WebHarness, mailbox: MailSink) -> None:
    codes = await ask_for_codes(leeds, mailbox)
    async with web_client(leeds.processes.sessions, leeds.processes.settings) as other:
        colleague = WebHarness(leeds.processes, other)
        await colleague.sign_in(LEEDS, mailbox)
        assert (await other.get("/settings/mailbox/codes")).headers["location"] == "/settings/mailbox"
        posted = await other.post("/settings/mailbox/codes", data={"present": codes[OLD], "new": codes[NEW]})
        assert posted.headers["location"] == "/settings/mailbox"
    async with transaction(leeds.processes.sessions) as session:
        await session.execute(text("UPDATE mailbox_changes SET expires_at = now() - interval '1 second'"))
    posted = await leeds.client.post("/settings/mailbox/codes", data={"present": codes[OLD], "new": codes[NEW]})
    assert posted.headers["location"] == "/settings/mailbox"
    assert await mailbox_of_leeds(leeds) == OLD


async def test_a_mailbox_gets_codes_five_times_an_hour(leeds: WebHarness, mailbox: MailSink) -> None:
    for given, said in (
        ("", "Enter the new mailbox"),
        ("leeds", "exactly one @"),
        ("a@b.example,c@d.example", "one bare address"),
        (f"x@leeds.example\r\nBcc: {NEW}", "spaces"),
        (OLD, "already"),
    ):
        page = await leeds.send("/settings/mailbox", mailbox=given)
        assert page.status_code == 400, given
        assert said in page.text, given
    for _ in range(MAX_CODES_AN_HOUR):
        assert (await leeds.send("/settings/mailbox", mailbox=NEW)).status_code == 303
    late = await leeds.send("/settings/mailbox", mailbox="other@leeds.example")
    assert (late.status_code, "within an hour" in late.text) == (400, True)


async def test_a_token_is_made_shown_once_used_and_revoked(leeds: WebHarness, mailbox: MailSink) -> None:
    missing = await leeds.send("/settings/access", label="")
    assert missing.status_code == 400
    assert "Choose what the token may read" in missing.text
    made = await leeds.send("/settings/access", label="Contracts system", scope="plans")
    assert made.headers["cache-control"] == "no-store"
    found = re.search(r"<code>(jly_[^<]+)</code>", made.text)
    assert found is not None
    token = found[1]
    mails = await received(mailbox, 1)
    assert "Contracts system" in mails[OLD]
    assert token not in str(mails)
    page = await leeds.client.get("/settings/access")
    assert token not in page.text
    for said in (token[:10], "Contracts system", "Your plans", "Never"):
        assert said in page.text
    headers = {"Authorization": f"Bearer {token}"}
    assert (await leeds.client.get("/api/v1/plans", headers=headers)).status_code == 200
    assert (await leeds.client.get("/api/v1/opportunities", headers=headers)).status_code == 403
    assert "Never" not in (await leeds.client.get("/settings/access")).text
    (row,) = await leeds.processes.rows("SELECT token_id FROM api_tokens")
    revoke = f"/settings/access/{row.token_id}/revoke"
    assert (await leeds.client.get(revoke)).status_code == 200
    assert (await leeds.client.get("/api/v1/plans", headers=headers)).status_code == 200, "opening revokes nothing"
    assert (await leeds.send(revoke)).status_code == 303
    assert (await leeds.client.get("/api/v1/plans", headers=headers)).status_code == 401
    assert (await leeds.client.post(revoke)).status_code == 404
    acts = await leeds.processes.rows("SELECT action FROM audit_log WHERE subject LIKE 'api-token:%' AND actor <> ''")
    assert [act.action for act in acts] == ["api-access-granted", "api-access-revoked"]


async def test_a_calendar_address_is_made_renewed_and_revoked(leeds: WebHarness, mailbox: MailSink) -> None:
    async def make() -> str:
        page = await leeds.client.post("/settings/calendar")
        found = re.search(rf"<code>{BASE}(/calendar/jly_[^<]+\.ics)</code>", page.text)
        assert found is not None
        return found[1]

    first, second = await make(), await make()
    assert (await leeds.client.get(first)).status_code == 404
    assert (await leeds.client.get(second)).text.startswith("BEGIN:VCALENDAR")
    page = await leeds.client.get("/settings/calendar")
    assert second.removeprefix("/calendar/").removesuffix(".ics") not in page.text
    assert "last read on" in page.text
    assert (await leeds.client.post("/settings/calendar/end")).status_code == 303
    assert (await leeds.client.get(second)).status_code == 404
    assert "no address yet" in (await leeds.client.get("/settings/calendar")).text
    assert "calendar" in (await received(mailbox, 1))[OLD]


async def test_a_council_is_muted_and_heard_again(leeds: WebHarness, mailbox: MailSink) -> None:
    for wrong in ("", "Atlantis", LEEDS, "<script>"):
        assert (await leeds.send("/settings/muted", partner=wrong)).status_code == 400
    assert (await leeds.send("/settings/muted", partner="Bradford")).status_code == 303
    assert "Bradford" in (await leeds.client.get("/settings/muted")).text
    rows = await leeds.processes.rows("SELECT authority, kind, subject FROM authority_mutes")
    assert [tuple(row) for row in rows] == [(LEEDS, "partner", BRADFORD)]
    ended = await leeds.client.post("/settings/muted/end", data={"partner": BRADFORD})
    assert ended.status_code == 303
    assert (await leeds.client.post("/settings/muted/end", data={"partner": BRADFORD})).status_code == 409
    assert await leeds.processes.rows("SELECT 1 FROM authority_mutes") == []
    acts = await leeds.processes.rows("SELECT actor FROM audit_log WHERE action = 'emails-changed'")
    assert len(acts) == 2
    assert all(act.actor for act in acts)
    receipts = [mail.get_content() for mail in mailbox.mails()]
    for sentence in ("Bradford is muted: you get no emails about it.", "Bradford is no longer muted."):
        assert any(sentence in receipt for receipt in receipts), sentence


async def test_nobody_sees_or_revokes_the_token_of_another(leeds: WebHarness) -> None:
    async with transaction(leeds.processes.sessions) as session:
        row, _ = await api_tokens.issue(session, BRADFORD, [Scope.PLANS], "Hidden", channel=Channel.COMMAND_LINE)
    before = await leeds.state_hash()
    assert "Hidden" not in (await leeds.client.get("/settings/access")).text
    for method in ("GET", "POST"):
        for token_id in (row.token_id, "0" * 32):
            answer = await leeds.client.request(method, f"/settings/access/{token_id}/revoke")
            assert answer.status_code == 404
    assert await leeds.state_hash() == before
    assert await leeds.processes.rows("SELECT 1 FROM api_tokens WHERE revoked_at IS NOT NULL") == []


async def test_settings_are_closed_to_strangers_and_to_other_sites(leeds: WebHarness, mailbox: MailSink) -> None:
    before = await leeds.state_hash()
    targets = (*PATHS, "/settings/calendar/end", "/settings/muted/end", f"/settings/access/{'0' * 32}/revoke")
    for path in targets:
        data = {"mailbox": NEW, "label": "x", "scope": "plans"}
        answer = await leeds.client.post(path, data=data, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403, path
    leeds.client.cookies.clear()
    for path in targets:
        assert (await leeds.client.post(path, data={"mailbox": NEW})).headers["location"] == "/sign-in", path
    for path in PATHS:
        assert (await leeds.client.get(path)).headers["location"].startswith("/sign-in"), path
    assert await leeds.state_hash() == before
    assert mailbox.paths() == []


async def test_who_withdraws_reads_nothing_from_that_day_on(leeds: WebHarness) -> None:
    link = await leeds.link(LEEDS)
    page = await leeds.send("/settings/access", label="Contracts system", scope="plans")
    token = re.search(r"<code>(jly_[^<]+)</code>", page.text)
    calendar = re.search(rf"<code>{BASE}([^<]+)</code>", (await leeds.client.post("/settings/calendar")).text)
    assert token is not None
    assert calendar is not None
    headers = {"Authorization": f"Bearer {token[1]}"}
    tomorrow, today = now().date() + timedelta(days=1), now().date()
    for day, statuses in ((tomorrow, [200, 200, 200, 200]), (today, [401, 404, 410, 303])):
        async with transaction(leeds.processes.sessions) as session:
            await save(session, AuthorityUpdate(LEEDS, {"withdrawn_on": day}))
        answers = [
            await leeds.client.get("/api/v1/plans", headers=headers),
            await leeds.client.get(calendar[1]),
            await leeds.client.get(link),
            await leeds.client.get("/home"),
        ]
        assert [answer.status_code for answer in answers] == statuses
    async with transaction(leeds.processes.sessions) as session:
        with pytest.raises(api_tokens.ApiTokenError, match="has withdrawn"):
            await api_tokens.issue(session, LEEDS, [Scope.PLANS], "", channel=Channel.COMMAND_LINE)
