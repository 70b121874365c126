"""Whoever acted gets one receipt for each act that counted, with the way to take it back."""

from typing import Any

from events.responses import DelegationScope, ResponseIntroduced, ResponseMembership
from tests.support.coalitions import AS_OF, BRADFORD, KIRKLEES, LEEDS, pair_fields, plan, plan_id, response_fields, undo
from tests.support.notified_coalitions import THREE, Line
from tests.support.notifier import body
from tests.support.parties import OFFICE, OFFICE_NAME, convene, delegated, register_party, since


def receipts(line: Line, authority: str) -> list[Any]:
    return line.receipts(authority)


async def test_an_act_is_receipted_once_with_how_to_take_it_back(line: Line) -> None:
    await line.harness.publish(*(plan(authority) for authority in THREE))
    await line.harness.invite(LEEDS)
    await line.harness.act(BRADFORD, "accept")
    await line.deliver()
    await line.deliver()
    (mail,) = receipts(line, BRADFORD)
    ((response_id,),) = await line.harness.rows(f"SELECT response_id FROM responses WHERE authority = '{BRADFORD}'")
    assert mail["Subject"] == "Replacement of the HR and payroll system: noted, you are in"
    assert f"To take this back: reply \u201cundo {response_id}\u201d by 3 December 2026, or before the tender" in body(
        mail
    )
    assert "Your plan: Replacement of the HR and payroll system (HR-1)" in body(mail)
    assert "recorded this for your council: you are in." in body(mail)
    assert "undo" in body(mail, "html")
    assert "Why these councils" not in body(mail)
    for part in (body(mail), body(mail, "html")):
        assert "You get this receipt whatever your settings, because somebody acted for Council E08000032." in part
        assert "To stop" not in part
    (asked,) = receipts(line, LEEDS)
    assert "This can't be taken back; you can still leave." in body(asked)
    assert receipts(line, KIRKLEES) == []


async def test_what_does_not_count_has_no_receipt(line: Line) -> None:
    await line.harness.publish(*(plan(authority) for authority in THREE))
    await line.harness.act(BRADFORD, "commit")
    await line.deliver()
    assert receipts(line, BRADFORD) == []


async def test_an_undo_is_receipted_too(line: Line) -> None:
    await line.harness.publish(*(plan(authority) for authority in THREE))
    response_id = await line.harness.answer(BRADFORD, "interested")
    state = await line.harness.only()
    await line.harness.respond(undo(BRADFORD, state.coalition_id, response_id, next(line.harness.numbers)))
    await line.deliver()
    subjects = {mail["Subject"].rpartition(": ")[2] for mail in receipts(line, BRADFORD)}
    assert subjects == {"noted, you are interested", "noted, you took an answer back"}


async def test_a_receipt_promises_only_an_undo_that_is_possible(line: Line) -> None:
    await line.harness.publish(*(plan(authority) for authority in THREE))
    await line.harness.invite(LEEDS)
    await line.harness.act(BRADFORD, "accept")
    await line.harness.act(KIRKLEES, "accept")
    await line.harness.publish(plan(LEEDS, 2, stage="tendering"))
    await line.harness.act(BRADFORD, "leave")
    await line.deliver()
    left = next(mail for mail in receipts(line, BRADFORD) if "you left" in mail["Subject"])
    assert "This can't be taken back any more." in body(left)
    assert "undo" not in body(left)


async def test_receipts_need_a_mailbox_and_ignore_a_pause(line: Line) -> None:
    await line.harness.publish(*(plan(authority) for authority in THREE))
    await line.notifier.register(BRADFORD, mailbox=None)
    await line.notifier.register(KIRKLEES, mailbox="buying@e08000034.example", immediate=False, digest=False)
    await line.harness.answer(BRADFORD, "interested")
    await line.harness.answer(KIRKLEES, "interested")
    await line.deliver()
    assert receipts(line, BRADFORD) == []
    assert len(receipts(line, KIRKLEES)) == 1
    assert {mail.reason for mail in await line.notifier.all_mails() if mail.authority == BRADFORD} == {"no-mailbox"}


async def test_a_receipt_of_an_introduction_names_neither_plan(line: Line) -> None:
    await line.plans(plan(LEEDS), plan(BRADFORD, sharing="match_only"))
    fields = pair_fields(LEEDS, BRADFORD, next(line.harness.numbers)) | {"agrees": "yes"}
    await line.harness.respond(ResponseIntroduced.model_validate(fields))
    await line.deliver()
    (mail,) = receipts(line, LEEDS)
    assert mail["Subject"] == "Your answer: noted, your answer to an introduction"
    for secret in ("HR", "ayroll", "Bradford"):
        assert secret not in body(mail) + body(mail, "html")


async def test_emails_name_the_office_that_convened_or_acted(line: Line) -> None:
    await line.harness.publish(*(plan(authority) for authority in THREE))
    await register_party(line.harness.sessions, since(AS_OF, *THREE), mailbox="office@gb-x-office.example")
    await convene(line.harness, *map(plan_id, THREE))
    await line.harness.respond(delegated(DelegationScope.TAKE_PART, next(line.harness.numbers)))
    state = await line.harness.only()
    fields = response_fields(LEEDS, state.coalition_id, state.terms_revision, next(line.harness.numbers))
    await line.deliver()
    (invitation,) = line.to(BRADFORD)
    assert "join Yorkshire…?" in invitation["Subject"]
    assert f"{OFFICE_NAME} asks you to go to market together. You may say no" in body(invitation)
    await line.harness.respond(ResponseMembership(**fields, act="accept", acting_party=OFFICE))
    await line.deliver()
    said = "\n".join(body(mail) for mail in receipts(line, LEEDS))
    may = "may act for your council until 26 December 2026: answer, invite, accept, join and leave."
    assert f"On 26 November 2026 we recorded: {OFFICE_NAME} {may}" in said
    assert f"what {OFFICE_NAME} said for your council, by your delegation: you are in." in said
    (own,) = receipts(line, OFFICE)
    assert own["Subject"] == "Your answer: noted, you convened the group"
    assert "Each council still says yes or no for itself." in body(own)
