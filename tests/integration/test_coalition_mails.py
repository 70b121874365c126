"""From coalition events to received mails: who is told what, how often, and what is not told any more."""

import json
from datetime import date
from typing import Any

import pytest

from events.dead_letters import DeadLetterReason
from events.notifications import NotificationSent
from events.responses import ResponseAnswered, ResponseRoute
from events.topics import NOTIFICATIONS
from services.domain.ids import plan_subject
from tests.support.coalitions import (
    BRADFORD,
    CALDERDALE,
    KIRKLEES,
    LEEDS,
    award,
    pair_fields,
    plan,
    plan_id,
    response_fields,
    withdrawal,
)
from tests.support.notified_coalitions import THREE, Line, is_receipt
from tests.support.notifier import body

SCOPE = "HR and payroll for 40,000 payslips a month"
INVITATION = """\
Leeds asks you to go to market together. You may say no, and need give no reason.

Your plan: Replacement of the HR and payroll system (HR-1), £1.2 million, tender Jul-Sep 2027
What is to be bought: HR and payroll for 40,000 payslips a month
Checked before: two frameworks looked at

Routes before a tender:
- Framework: Leeds, looked at, does not suit (scope).
- No member has yet recorded whether they checked: a joint further competition under a framework.

  Council        Plan                                      Value         Tender
  Kirklees       Replacement of the HR and payroll system  £1.2 million  Jul-Sep 2027
    Planned, would rather join. Asked, no answer yet. Contract now: Paywell Ltd, ends 31 March 2028.
  Leeds (leads)  Replacement of the HR and payroll system  £1.2 million  Jul-Sep 2027
    Planned. In. Contract now: Not given.

Reply by 8 January 2027.
Decide together by 16 February 2027.
Tender together from 1 July 2027.

To say yes or no: reply with \u201caccept\u201d or \u201cdecline\u201d. A person enters your answer.
Yes is a yes in principle; you are committed only once you say that your decision was taken.
If you do not reply, we never take that as a yes.
Questions to the lead: buying@e08000035.example

Why these councils: These plans fit each other.

Jointly suggests and never decides. Declining needs no reason.
To stop, pause or change these emails: reply and say so (jointly@jointly.example).
You get this because Council E08000032 signed the Charter on 1 April 2026.
"""


async def _invite(line: Line) -> None:
    now = {"supplier": "Paywell Ltd", "end": "2028-03-31"}
    kirklees = plan(KIRKLEES, current_contract=now, preference="join")
    await line.harness.publish(plan(LEEDS), plan(BRADFORD), kirklees)
    await line.harness.invite(LEEDS, scope=SCOPE, route="two frameworks looked at")
    coalition = {"subject": "coalition", "subject_id": (await line.harness.only()).coalition_id}
    await line.harness.respond(
        _route(LEEDS, 800, step="framework", reason="scope", **coalition),
        # Recorded for its own plan: the others are not told.
        _route(KIRKLEES, 801, step="framework-coalition", subject="plan", subject_id=plan_subject(plan_id(KIRKLEES))),
    )
    await line.deliver()


def _route(authority: str, number: int, **values: Any) -> ResponseRoute:
    """An authority has looked at a route, and it does not suit."""
    common = response_fields(authority, "", 1, number) | {"asked_at": "2026-11-20", "by": "Category manager, ICT"}
    return ResponseRoute.model_validate({**common, "outcome": "unsuitable", **values})


async def test_an_invitation_goes_to_whom_was_asked_once(line: Line) -> None:
    await _invite(line)
    subject = "Replacement of the HR\u2026: join Leeds? Reply by 8 January"
    assert line.subjects() == {
        LEEDS: [],
        BRADFORD: [subject],
        KIRKLEES: [subject],
    }
    line.read_up_to = 0
    await line.deliver()
    assert len(line.to(BRADFORD)) == 1
    (mail,) = line.to(BRADFORD)
    state = await line.harness.only()
    assert body(mail).replace("\r\n", "\n") == f"{INVITATION}Run by Jointly. Coalition: {state.coalition_id}\n"
    assert mail["Message-ID"].startswith("<")
    assert mail["In-Reply-To"] is None
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert '<th scope="col">Council</th>' in html
    assert "About £3.6 million together. Together from July 2027." in html
    assert html.count("<h1") == 1
    rows = await line.harness.rows(f"SELECT value FROM outbox WHERE topic = '{NOTIFICATIONS.name}'")
    events = [NotificationSent.model_validate_json(bytes(row.value)) for row in rows]
    event = next(one for one in events if one.authority == BRADFORD)
    assert (event.purpose, event.coalition_id, event.opportunities) == ("coalition", state.coalition_id, ())


async def test_whoever_let_an_invitation_lapse_is_invited_again(line: Line) -> None:
    await _invite(line)
    await line.harness.act(BRADFORD, "accept")
    line.harness.on(date(2027, 1, 11))
    await line.harness.sweep()
    assert (await line.harness.states())[KIRKLEES] == "lapsed"
    line.notifier.now = line.notifier.now.replace(year=2027, month=1, day=11)
    await line.deliver()
    earlier = line.to(KIRKLEES)
    again = {"scope": "HR alone", "route": "a third framework", "plan_ids": (plan_id(KIRKLEES),), "reply_days": 10}
    await line.harness.invite(BRADFORD, **again)
    await line.deliver()
    await line.harness.regroup()
    await line.deliver()
    (mail,) = line.to(KIRKLEES)[len(earlier) :]
    assert "What is to be bought: HR alone" in body(mail)
    assert "Checked before: a third framework" in body(mail)
    assert "Reply by 25 January 2027." in body(mail)
    assert mail["In-Reply-To"] == earlier[0]["Message-ID"] != mail["Message-ID"]
    rows = await line.harness.rows("SELECT authority FROM coalition_notices WHERE kind = 'invitation' ORDER BY 1")
    assert [row.authority for row in rows] == [BRADFORD, KIRKLEES, KIRKLEES]


async def test_a_lapsed_group_is_told_to_who_answers_on_another_pair(line: Line) -> None:
    await _invite(line)
    await line.harness.publish(plan(CALDERDALE))
    line.harness.on(date(2027, 1, 11))
    line.notifier.now = line.notifier.now.replace(year=2027, month=1, day=11)
    answer = ResponseAnswered(**pair_fields(LEEDS, CALDERDALE, 900), answer="not-the-same")
    await line.harness.respond(answer)
    assert (await line.harness.only()).status == "lapsed"
    await line.deliver()
    ended = await line.harness.rows("SELECT authority FROM coalition_notices WHERE kind = 'ended'")
    assert [row.authority for row in ended] == [LEEDS]


async def test_reminders_go_to_whom_has_not_answered(line: Line) -> None:
    await _invite(line)
    await line.harness.act(KIRKLEES, "accept")
    for day in (date(2026, 12, 9), date(2026, 12, 10), date(2026, 12, 16), date(2026, 12, 17), date(2027, 1, 7)):
        await line.deliver(day=day)
    reminded = [mail for mail in line.to(BRADFORD) if "no answer yet" in mail["Subject"]]
    assert [mail["Date"][:16] for mail in reminded] == ["Thu, 10 Dec 2026", "Thu, 17 Dec 2026"]
    assert all(mail["In-Reply-To"] == line.to(BRADFORD)[0]["Message-ID"] for mail in reminded)
    assert len(line.to(KIRKLEES)) == 1


async def test_each_stage_is_told_to_all_but_the_actor(line: Line) -> None:
    await _invite(line)
    await line.harness.act(BRADFORD, "accept")
    await line.harness.act(KIRKLEES, "accept")
    await line.deliver()
    formed = {authority: [s for s in subjects if "formed" in s] for authority, subjects in line.subjects().items()}
    assert {authority: len(subjects) for authority, subjects in formed.items()} == {LEEDS: 1, BRADFORD: 1, KIRKLEES: 0}
    assert (
        "Bradford, Kirklees and you have said yes in principle to going to market together. "
        "You lead. Nobody is committed yet."
    ) in " ".join(body(line.to(LEEDS)[0]).split())
    assert "You can leave at any time, and need give no reason." in body(line.to(LEEDS)[0])
    assert "If you leave after the tender notice, amend it first: it names your council." in body(line.to(LEEDS)[0])
    assert "After the tender notice, ask the lead to amend it: it names your council." in body(line.to(BRADFORD)[-1])
    await line.harness.publish(plan(LEEDS, 2, stage="tendering"))
    await line.deliver()
    await line.harness.publish(award(LEEDS))
    await line.harness.sweep()
    await line.deliver()
    assert len(line.to(LEEDS)) == 1, "an authority never hears of its own act"
    assert [subject.rpartition(": ")[2] for subject in line.subjects()[KIRKLEES]][1:] == [
        "the joint tender is out",
        "the joint contract is awarded",
    ]
    assert all(len(mail["Subject"]) < 60 for authority in THREE for mail in line.to(authority))


async def test_what_no_longer_holds_is_not_sent(line: Line) -> None:
    await line.harness.publish(*(plan(authority) for authority in THREE))
    await line.harness.invite(LEEDS)
    await line.events.handle(await line.records())
    await line.harness.act(BRADFORD, "decline")
    await line.notifier.run()
    assert line.to(BRADFORD) == []
    assert len(line.to(KIRKLEES)) == 1
    states = {mail.state for mail in await _notices(line)}
    assert states == {"cancelled", "queued"}, "the reminders wait for their days"
    await line.deliver(day=date(2026, 12, 17))
    assert {mail.state for mail in await _notices(line)} == {"cancelled"}


@pytest.mark.parametrize(
    ("fields", "mails"),
    [
        ({"immediate": False, "digest": False}, 1),
        ({"coalitions": False}, 0),
        ({"withdrawn_on": date(2026, 11, 1)}, 0),
        ({"immediate": False}, 1),
    ],
)
async def test_what_an_authority_wants_to_hear(line: Line, fields: dict[str, Any], mails: int) -> None:
    await line.notifier.register(BRADFORD, mailbox="buying@e08000032.example", **fields)
    await _invite(line)
    assert len(line.to(BRADFORD)) == mails


async def test_a_mail_waits_for_a_pause_to_end(line: Line) -> None:
    await line.notifier.register(BRADFORD, mailbox="buying@e08000032.example", paused_until=date(2026, 11, 28))
    await _invite(line)
    assert line.to(BRADFORD) == []
    await line.deliver(day=date(2026, 11, 28))
    assert len(line.to(BRADFORD)) == 1


async def test_members_are_not_told_to_stop_what_they_do_together(line: Line) -> None:
    """Leeds's notice closes its plan to others: its pairs end, its coalition does not."""
    await line.plans(*(plan(authority) for authority in THREE))
    line.notifier.later(minutes=5)
    await line.notifier.run()
    assert len(line.notifier.mails()) == 3
    await line.harness.invite(LEEDS)
    await line.harness.act(BRADFORD, "accept")
    await line.harness.act(KIRKLEES, "accept")
    await line.plans(plan(LEEDS, 2, stage="tendering"))
    assert (await line.harness.only()).status == "frozen"
    assert [intent.change for intent in await line.notifier.intents() if intent.change == "withdrawn"] == []
    await line.plans(withdrawal(KIRKLEES))
    withdrawn = {intent.partner for intent in await line.notifier.intents() if intent.change == "withdrawn"}
    assert KIRKLEES in withdrawn, "a member's withdrawal is told"


async def test_a_pair_that_is_not_the_same_thing_is_told_no_more(line: Line) -> None:
    await line.harness.matcher.handle([line.harness.record(plan(authority)) for authority in (LEEDS, BRADFORD)])
    await line.harness.respond(ResponseAnswered(**pair_fields(BRADFORD, LEEDS, 900), answer="not-the-same"))
    await line.note(await line.harness.opportunity_records())
    line.notifier.later(minutes=5)
    await line.notifier.run()
    assert [mail for mail in line.notifier.mails() if not is_receipt(mail)] == []
    assert {intent.reason for intent in await line.notifier.intents()} == {"muted"}


async def test_a_coalition_that_the_database_never_had_is_refused(line: Line) -> None:
    await line.harness.publish(*(plan(authority) for authority in THREE))
    (record,) = await line.records()
    forged = json.loads(record.value)
    record.value = json.dumps({**forged, "revision": forged["revision"] + 1}).encode()
    await line.events.handle([record])
    record.value = json.dumps({**forged, "coalition_id": "0" * 32}).encode()
    await line.events.handle([record])
    record.value = b"{"
    await line.events.handle([record])
    assert line.refused == [
        DeadLetterReason.UNKNOWN_SUBJECT,
        DeadLetterReason.UNKNOWN_SUBJECT,
        DeadLetterReason.NOT_JSON,
    ]
    assert await line.notifier.all_mails() == []


async def _notices(line: Line) -> list[Any]:
    """The mails to Bradford that are no receipts, sent or not."""
    receipts = {row[0] for row in await line.harness.rows("SELECT receipt_mail_id FROM responses")}
    return [
        mail for mail in await line.notifier.all_mails() if mail.authority == BRADFORD and mail.mail_id not in receipts
    ]
