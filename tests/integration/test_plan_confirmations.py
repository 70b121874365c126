"""Plans that nobody has confirmed for six months: one email a month at most, and it can be switched off."""

from collections.abc import AsyncIterator
from datetime import timedelta
from email.message import EmailMessage

import pytest_asyncio

from services.application.preferences import EmailChoice, choose, stop_kind
from services.domain.links import LinkMaker
from services.domain.programme.shares import build_histories, stale
from services.local_stack.mail_sink import MailSink
from services.notifier.confirmations import ask_confirmations
from services.store import plan_confirmations, programme
from services.store.database import transaction
from tests.support.coalitions import BRADFORD, KIRKLEES, LEEDS, plan, plan_id
from tests.support.notified_coalitions import Line, open_line
from tests.support.notifier import body

LINKS = LinkMaker("https://jointly.example", ("a secret of the tests that is long enough",))


@pytest_asyncio.fixture
async def line(database_url: str, mailbox: MailSink) -> AsyncIterator[Line]:
    """Leeds has sent nothing for seven months, Bradford shares nothing, and Kirklees is a month old."""
    async with open_line(database_url, mailbox) as found:
        sent = (plan(LEEDS), plan(BRADFORD, sharing="private"), plan(KIRKLEES))
        await found.harness.matcher.handle([found.harness.record(one) for one in sent])
        for code, days in ((LEEDS, 215), (BRADFORD, 215), (KIRKLEES, 30)):
            await age(found, code, days)
        yield found


async def age(line: Line, code: str, days: int) -> None:
    """Everything that an authority has sent of its plan arrived so many days ago."""
    async with transaction(line.harness.sessions) as session:
        connection = await session.connection()
        received = line.notifier.now - timedelta(days=days)
        await connection.exec_driver_sql(
            "UPDATE plan_log SET received_at = %s WHERE plan_id = %s", (received, plan_id(code))
        )


async def ask(line: Line) -> list[EmailMessage]:
    """A round; the questions to Leeds so far."""
    await ask_confirmations(line.notifier.dispatch())
    await line.notifier.run()
    return [mail for mail in line.notifier.mails() if "still true" in mail["Subject"]]


async def test_an_authority_is_asked_about_stale_plans_once_a_month(line: Line) -> None:
    (mail,) = await ask(line)
    assert LEEDS.lower() in mail["To"]
    assert mail["Subject"] == "Replacement of the HR and payroll system: still true?"
    for said in (body(mail), body(mail, "html")):
        assert "Replacement of the HR and payroll system (HR-1), tender Jul-Sep 2027" in said
        assert f"jointly confirm {plan_id(LEEDS)}" in said
        assert "signed the Charter on 1 April 2026" in said
    assert len(await ask(line)) == 1
    line.notifier.later(days=29)
    assert len(await ask(line)) == 1
    line.notifier.later(days=2)
    assert len(await ask(line)) == 2
    day = line.notifier.now.date()
    async with line.harness.sessions() as session:
        found = await plan_confirmations.unconfirmed(session, day)
        histories = build_histories((await programme.load_records(session)).revisions, day)
    assert [(one.plan_id, one.last_sent) for one in found] == [
        (one.plan_id, one.last_own) for one in stale(histories.values(), day)
    ]


async def test_one_authority_is_looked_up_alone(line: Line) -> None:
    day = line.notifier.now.date()
    async with transaction(line.harness.sessions) as session:
        assert {LEEDS, BRADFORD, KIRKLEES} <= set(await plan_confirmations.to_ask(session, day))
        assert await plan_confirmations.to_ask(session, day, LEEDS) == [LEEDS]
        await choose(session, LEEDS, EmailChoice.NO_QUESTIONS, None, day)
        assert await plan_confirmations.to_ask(session, day, LEEDS) == []


async def test_what_is_confirmed_before_sending_is_not_asked(line: Line) -> None:
    assert await ask_confirmations(line.notifier.dispatch()) == 1
    await line.harness.matcher.handle([line.harness.record(plan(LEEDS, 2))])
    await line.notifier.run()
    assert line.notifier.mails() == []


async def test_the_question_has_a_switch_of_its_own(line: Line) -> None:
    line.notifier.links = LINKS
    (mail,) = await ask(line)
    assert "https://jointly.example/still/" in body(mail)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    async with transaction(line.harness.sessions) as session:
        now = await stop_kind(session, LEEDS, plan_confirmations.PURPOSE, line.notifier.now.date())
    assert now is not None
    assert (now.immediate, now.digest, now.confirmations) == (True, True, False)
    line.notifier.later(days=60)
    assert len(await ask(line)) == 1
    async with transaction(line.harness.sessions) as session:
        await choose(session, LEEDS, EmailChoice.ALL, None, line.notifier.now.date())
        await choose(session, LEEDS, EmailChoice.STOP, None, line.notifier.now.date())
    assert len(await ask(line)) == 2
