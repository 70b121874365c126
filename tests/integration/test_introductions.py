"""Introductions: nothing of either plan is told before both say yes: in events, emails, subjects and lists."""

import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
import pytest_asyncio

from events.responses import ResponseIntroduced, ResponseUndone
from services.application.explain import redact_for_now
from services.local_stack.mail_sink import MailSink
from services.store import introductions, plans
from services.store.opportunities import Opportunity
from tests.support.coalitions import BRADFORD, KIRKLEES, LEEDS, pair_fields, plan, plan_id
from tests.support.ids import opportunity_id
from tests.support.notified_coalitions import Line, is_receipt, open_line
from tests.support.notifier import body

SECRETS = ("HR", "ayroll", "1.2 million", "Paywell", "48450000", "Write to", "buying@e08", "Jul-Sep")
PAIR = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))


@pytest_asyncio.fixture
async def line(database_url: str, mailbox: MailSink) -> AsyncIterator[Line]:
    async with open_line(database_url, mailbox) as found:
        # Bradford shares only that there is a match.
        now = {"supplier": "Paywell Ltd", "end": "2028-03-31"}
        await found.plans(plan(LEEDS), plan(BRADFORD, sharing="match_only", current_contract=now))
        found.notifier.later(minutes=5)
        await found.notifier.run()
        yield found


async def say(line: Line, authority: str, agrees: str, **fields: Any) -> str:
    other = BRADFORD if authority == LEEDS else LEEDS
    values = pair_fields(authority, other, next(line.harness.numbers)) | {"agrees": agrees, **fields}
    payload = ResponseIntroduced.model_validate(values)
    await line.harness.respond(payload)
    line.notifier.later(minutes=1)
    await line.notifier.run()
    return payload.response_id


def told(line: Line, authority: str) -> list[Any]:
    """The mails to an authority but the first, which tells that there is a match."""
    mails = [mail for mail in line.notifier.mails() if authority.lower() in mail["To"]]
    return [mail for mail in mails if "plans what you plan" not in mail["Subject"] and not is_receipt(mail)]


def everything(mail: Any) -> str:
    said = f"{mail['Subject']}\n{body(mail)}\n{body(mail, 'html')}"
    # The reader's own address is no secret to it, nor is ours.
    return said.replace(mail["To"], "")


async def listed(line: Line, authority: str) -> str:
    async with line.notifier.sessions() as session:
        row = await session.get(Opportunity, PAIR)
        assert row is not None
        stored = await plans.by_id(session, [row.plan_a, row.plan_b])
        return json.dumps(redact_for_now(row, stored, authority, await introductions.agreed(session, [PAIR])))


async def events(line: Line) -> str:
    rows = await line.harness.rows("SELECT topic, value FROM outbox ORDER BY id")
    return "\n".join(f"{row.topic} {bytes(row.value).decode()}" for row in rows)


async def test_one_yes_tells_nothing_of_either_plan(line: Line) -> None:
    await say(line, LEEDS, "yes")
    assert told(line, LEEDS) == []
    (mail,) = told(line, BRADFORD)
    assert mail["Subject"] == "A council asks to be introduced to you"
    assert f"Reference: {PAIR}" in body(mail)
    assert "Reply yes, no or later" in body(mail)
    for one in line.notifier.mails():
        for secret in SECRETS:
            assert secret not in everything(one), (secret, one["To"])
    assert "ayroll" not in await listed(line, LEEDS)
    assert "ayroll" not in await listed(line, BRADFORD)
    assert "ayroll" not in await events(line)
    await say(line, LEEDS, "yes")
    assert len(told(line, BRADFORD)) == 1, "a second yes asks nobody a second time"


async def test_both_say_yes_and_both_plans_open_to_the_two_alone(line: Line) -> None:
    await say(line, LEEDS, "yes")
    await say(line, BRADFORD, "yes")
    (leeds,) = told(line, LEEDS)
    assert leeds["Subject"] == "Replacement of the HR and payroll…: introduced to Bradford"
    for said in ("£1.2 million", "Paywell Ltd, ends 31 March 2028", "buying@e08000032.example", "both said yes"):
        assert said in everything(leeds), said
    bradford = told(line, BRADFORD)[-1]
    assert "Write to Leeds: buying@e08000035.example" in body(bradford)
    assert "Replacement of the HR and payroll system" in await listed(line, LEEDS)
    assert "Replacement of the HR and payroll system" in await listed(line, BRADFORD)
    assert "ayroll" not in await listed(line, KIRKLEES)
    assert "ayroll" not in await events(line), "what is open to the two is not published"
    await say(line, BRADFORD, "yes")
    assert len(told(line, LEEDS)) == 1


@pytest.mark.parametrize("answer", ["no", "nothing"])
async def test_a_no_looks_like_silence_to_whoever_asked(line: Line, answer: str) -> None:
    await say(line, LEEDS, "yes")
    if answer == "no":
        await say(line, BRADFORD, "no")
    outcome = await say(line, LEEDS, "yes")
    assert told(line, LEEDS) == []
    assert len(told(line, BRADFORD)) == 1, "whoever has said no is not asked again"
    assert await line.harness.refusals() == []
    (row,) = await line.harness.rows(f"SELECT outcome, detail FROM responses WHERE response_id = '{outcome}'")
    assert (row.outcome, row.detail) == ("recorded", None)


async def test_a_no_stands_for_six_months(line: Line) -> None:
    await say(line, LEEDS, "yes")
    await say(line, BRADFORD, "no")
    line.harness.on(line.harness.settings.as_of + timedelta(days=182))  # type: ignore[operator]
    await say(line, LEEDS, "yes")
    assert len(told(line, BRADFORD)) == 1
    line.harness.on(line.harness.settings.as_of + timedelta(days=1))  # type: ignore[operator]
    line.notifier.later(days=183)
    await say(line, LEEDS, "yes")
    rows = await line.harness.rows("SELECT occasion FROM notification_intents WHERE change = 'asked'")
    assert len(rows) == 2


async def test_later_is_asked_again_on_its_day(line: Line) -> None:
    await say(line, LEEDS, "yes")
    await say(line, BRADFORD, "later", remind_on=date(2026, 12, 7))
    assert len(told(line, BRADFORD)) == 1
    line.notifier.now = line.notifier.now.replace(month=12, day=6)
    await line.notifier.run()
    assert len(told(line, BRADFORD)) == 1
    line.notifier.now = line.notifier.now.replace(month=12, day=7)
    await line.notifier.run()
    assert len(told(line, BRADFORD)) == 2
    assert told(line, LEEDS) == []


async def next_day(line: Line) -> None:
    line.harness.on(line.harness.settings.as_of + timedelta(days=1))  # type: ignore[operator]
    line.notifier.later(days=1)


async def test_a_later_is_asked_once_more_only(line: Line) -> None:
    await say(line, LEEDS, "yes")
    await say(line, BRADFORD, "later", remind_on=line.harness.settings.as_of + timedelta(days=2))  # type: ignore[operator]
    for _ in range(5):
        await next_day(line)
        await say(line, LEEDS, "yes")
    assert len(told(line, BRADFORD)) == 2


async def test_a_no_leaves_the_other_to_be_asked(line: Line) -> None:
    await say(line, LEEDS, "yes")
    await say(line, BRADFORD, "later", remind_on=line.harness.settings.as_of + timedelta(days=2))  # type: ignore[operator]
    await say(line, LEEDS, "no")
    for _ in range(3):
        await next_day(line)
        await line.notifier.run()
    assert len(told(line, BRADFORD)) == 1
    await say(line, LEEDS, "yes")
    assert len(told(line, BRADFORD)) == 2


async def test_a_yes_on_each_day_tells_of_the_introduction_once(line: Line) -> None:
    await say(line, LEEDS, "yes")
    await say(line, BRADFORD, "yes")
    for _ in range(2):
        await next_day(line)
        await say(line, LEEDS, "yes")
        await say(line, BRADFORD, "yes")
    assert [len(told(line, authority)) for authority in (LEEDS, BRADFORD)] == [1, 2]


async def test_a_no_and_a_yes_again_are_told_once(line: Line) -> None:
    await say(line, LEEDS, "yes")
    await say(line, BRADFORD, "yes")
    for _ in range(3):
        await next_day(line)
        await say(line, LEEDS, "no")
        await say(line, LEEDS, "yes")
    assert [len(told(line, authority)) for authority in (LEEDS, BRADFORD)] == [1, 2]


async def test_what_is_private_by_then_opens_to_nobody(line: Line) -> None:
    await say(line, LEEDS, "yes")
    values = pair_fields(BRADFORD, LEEDS, next(line.harness.numbers))
    await line.harness.respond(ResponseIntroduced.model_validate(values | {"agrees": "yes"}))
    await line.plans(plan(BRADFORD, 2, sharing="private"))
    line.notifier.later(minutes=1)
    await line.notifier.run()
    assert "ayroll" not in "".join(everything(mail) for mail in line.notifier.mails())
    assert "ayroll" not in await listed(line, LEEDS)


async def test_a_yes_can_be_taken_back_until_both_have_said_it(line: Line) -> None:
    first = await say(line, LEEDS, "yes")
    number = next(line.harness.numbers)
    await line.harness.respond(ResponseUndone(**pair_fields(LEEDS, BRADFORD, number), undoes=first))
    await say(line, BRADFORD, "yes")
    assert told(line, BRADFORD)[1:] == []
    assert "ayroll" not in "".join(everything(mail) for mail in line.notifier.mails())
    second = await say(line, LEEDS, "yes")
    number = next(line.harness.numbers)
    await line.harness.respond(ResponseUndone(**pair_fields(LEEDS, BRADFORD, number), undoes=second))
    assert "introduced already" in (await line.harness.refusals())[0][1]


async def test_openly_shared_plans_need_no_introduction(line: Line) -> None:
    await line.plans(plan(KIRKLEES))
    values = pair_fields(LEEDS, KIRKLEES, next(line.harness.numbers)) | {"agrees": "yes"}
    await line.harness.respond(ResponseIntroduced.model_validate(values))
    ((reason, sentence),) = await line.harness.refusals()
    assert reason == "response-refused"
    assert "shared openly" in sentence


async def test_nobody_speaks_for_another_plan(line: Line) -> None:
    values = pair_fields(KIRKLEES, LEEDS, next(line.harness.numbers)) | {"agrees": "yes", "subject_id": PAIR}
    await line.harness.respond(ResponseIntroduced.model_validate(values))
    ((reason, sentence),) = await line.harness.refusals()
    assert reason == "unknown-subject"
    assert "is in no opportunity" in sentence
