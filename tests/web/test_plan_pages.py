"""A council adds, changes and ends its plans on the pages."""

import json
from typing import Any

import pytest

from events.topics import NOTICES, PAGE_PLANS
from services.local_stack.mail_sink import MailSink
from services.store import plan_drafts
from services.store.database import now, transaction
from services.store.plan_drafts import PlanDraft
from tests.pipeline import record_of
from tests.support.coalitions import BRADFORD, CALDERDALE, LEEDS, plan, plan_id, withdrawal
from tests.support.ids import opportunity_id
from tests.support.web import WebHarness

TITLE = "Replacement of the HR and payroll system"
WINDOW = {
    "earliest-day": "1", "earliest-month": "7", "earliest-year": "2027",
    "latest-day": "30", "latest-month": "9", "latest-year": "2027",
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "description": {"description": "Human resources and payroll software with self service."},
    "kind": {"kind": "renewal"},
    "dates": WINDOW,
    "stage": {"stage": "planned"},
    "value": {"value": "£1,200,000"},
    "contract": {
        "supplier": "Payroll Systems Limited",
        "extension_months": "12",
        "contract_end-day": "31",
        "contract_end-month": "12",
        "contract_end-year": "2027",
    },
    "regions": {},
    "cpv": {"cpv": "48450000-7"},
    "preference": {"preference": "lead"},
    "sharing": {"sharing": "open"},
}
"""An answer to every question after the first, in the order in which they are asked."""


async def begin(web: WebHarness, title: str = TITLE) -> str:
    """Answers the first question; the draft's path."""
    begun = await web.send("/plans/new", title=title)
    assert begun.status_code == 303, begun.text
    return begun.headers["location"].removesuffix("/description")


async def published(web: WebHarness) -> list[dict[str, Any]]:
    """The plan events that the pages have put into the outbox."""
    rows = await web.processes.rows(f"SELECT value FROM outbox WHERE topic = '{PAGE_PLANS.name}' ORDER BY id")
    return [json.loads(bytes(row.value)) for row in rows]


async def post(web: WebHarness, path: str, **fields: str) -> str:
    """Presses a button; where it leads."""
    done = await web.client.post(path, data=fields)
    assert done.status_code == 303, done.text
    return str(done.headers["location"])


async def test_a_plan_is_added_question_by_question(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(BRADFORD))
    await web.sign_in(LEEDS, mailbox)
    assert 'href="/plans/new"' in (await web.client.get("/home")).text
    draft = await begin(web)
    path = f"{draft}/description"
    for slug, answers in ANSWERS.items():
        assert path == f"{draft}/{slug}"
        answered = await web.send(path, **answers)
        assert answered.status_code == 303, answered.text
        path = answered.headers["location"]
    assert path == draft
    check = await web.client.get(draft)
    for said in (TITLE, "£1,200,000", "1 July 2027 to 30 September 2027", "48450000", "We would lead", "31 December"):
        assert said in check.text
    assert await published(web) == []
    mailbox.clear()
    sent = await post(web, draft.replace("/draft", "/publish"))
    (event,) = await published(web)
    key = event["plan_id"]
    assert (event["authority"], event["revision"], event["sharing"]) == (LEEDS, 1, "open")
    assert event["contract"] == {"start": None, "end": "2027-12-31", "extension_months": 12}
    assert await web.deliver() == 1
    assert "Your plan is up to date" in (await web.client.get(sent)).text
    own = await web.client.get(f"/p/{key}")
    assert f'href="/o/{opportunity_id(key, plan_id(BRADFORD))}"' in own.text
    assert await web.processes.rows("SELECT 1 FROM plan_drafts") == []
    receipt = mailbox.mails()[-1].get_content()
    assert f"/p/{key}" in receipt
    (act,) = await web.processes.rows("SELECT authority, subject, actor FROM audit_log WHERE action = 'plan-sent'")
    assert (act.authority, act.subject, bool(act.actor)) == (LEEDS, f"plan:{key}", True)


async def test_a_changed_plan_keeps_fields_that_no_question_asks(web: WebHarness, mailbox: MailSink) -> None:
    quantity = {"unit": "payslips a month", "amount": 9000}
    await web.processes.publish(plan(LEEDS, quantity=quantity), plan(BRADFORD))
    await web.sign_in(LEEDS, mailbox)
    base = f"/p/{plan_id(LEEDS)}"
    draft = await post(web, f"{base}/draft")
    assert "own system sent this plan" in (await web.client.get(draft)).text
    back = await web.send(f"{draft}/value", value="2500000")
    assert back.headers["location"] == draft
    await post(web, f"{base}/publish")
    (event,) = await published(web)
    assert (event["revision"], event["value"]["amount"], event["quantity"]) == (2, 2_500_000, quantity)
    await web.deliver()
    assert "£2.5 million" in (await web.client.get(base)).text


async def test_a_plan_from_a_public_notice_becomes_the_councils_own(web: WebHarness, mailbox: MailSink) -> None:
    noticed = plan(LEEDS, origin="notice", notice="https://notices.example/1")
    await web.processes.matcher.handle([record_of(noticed, topic=NOTICES.name)])
    await web.sign_in(LEEDS, mailbox)
    base = f"/p/{plan_id(LEEDS)}"
    assert "comes from a public notice" in (await web.client.get(await post(web, f"{base}/draft"))).text
    await post(web, f"{base}/publish")
    (event,) = await published(web)
    assert "origin" not in event, "its authority sent it"
    await web.deliver()
    await web.processes.matcher.handle([record_of(noticed.model_copy(update={"revision": 9}), 1, NOTICES.name)])
    rows = await web.processes.rows("SELECT revision FROM plans")
    assert [row.revision for row in rows] == [2], "notices change it no more"


async def test_what_changed_elsewhere_meanwhile_is_not_overwritten(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS))
    await web.sign_in(LEEDS, mailbox)
    base = f"/p/{plan_id(LEEDS)}"
    await post(web, f"{base}/draft")
    await web.processes.publish(plan(LEEDS, revision=2, title="HR system"))
    refused = await web.client.post(f"{base}/publish")
    assert refused.status_code == 409
    assert "changed elsewhere" in refused.text
    assert await post(web, f"{base}/discard") == base
    # Nor is a change of the pages that the matcher has not seen yet.
    for expected in (303, 409):
        await post(web, f"{base}/draft")
        assert (await web.client.post(f"{base}/publish")).status_code == expected
    assert [event["revision"] for event in await published(web)] == [3]


async def test_a_plan_is_ended_and_brought_back(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD))
    await web.sign_in(LEEDS, mailbox)
    base = f"/p/{plan_id(LEEDS)}"
    assert (await web.send(f"{base}/end")).status_code == 400
    tomorrow = {"awarded_on-day": "27", "awarded_on-month": "11", "awarded_on-year": "2026"}
    assert "today or earlier" in (await web.send(f"{base}/end", ending="awarded", **tomorrow)).text
    assert (await web.send(f"{base}/end", ending="withdrawn")).status_code == 303
    await web.deliver()
    assert "Withdrawn" in (await web.client.get(base)).text
    assert (await web.client.get(f"{base}/end")).status_code == 409
    await post(web, f"{base}/draft")
    await post(web, f"{base}/publish")
    await web.deliver()
    assert (await web.send(f"{base}/end", ending="awarded")).status_code == 303
    kinds = await web.processes.rows("SELECT body FROM audit_log WHERE action = 'plan-sent' ORDER BY seq")
    assert [json.loads(bytes(row.body))["details"]["type"].split(".")[2] for row in kinds] == [
        "withdrawn",
        "updated",
        "awarded",
    ]


@pytest.mark.parametrize(
    ("slug", "answers", "problem"),
    [
        ("title", {"title": " "}, "Enter what you plan to buy"),
        ("title", {"title": "Ask ann.other@leeds.example"}, "Remove the email address"),
        ("title", {"title": "x" * 501}, "Use 500 characters or fewer"),
        ("kind", {}, "Choose what kind"),
        ("dates", {}, "Enter the first day"),
        ("dates", WINDOW | {"latest-year": "2026"}, "same as or after the first day"),
        ("dates", WINDOW | {"earliest-year": "2024", "latest-year": "2025"}, "must be today or later"),
        ("dates", WINDOW | {"latest-year": "2039"}, "spans more than 10 years"),
        ("dates", WINDOW | {"latest-month": "13"}, "as numbers"),
        ("value", {"value": "about a million"}, "in pounds and digits"),
        ("contract", {"extension_months": "999"}, "a whole number from 0 to 240"),
        ("cpv", {"cpv": "4845"}, "eight digits"),
        ("preference", {}, "Choose whether you would lead"),
        ("sharing", {"sharing": "everybody"}, "Choose who may see"),
    ],
)
async def test_a_wrong_answer_is_named_at_its_field(
    web: WebHarness, mailbox: MailSink, slug: str, answers: dict[str, str], problem: str
) -> None:
    await web.sign_in(LEEDS, mailbox)
    draft = await begin(web)
    before = await web.state_hash()
    page = await web.send(f"{draft}/{slug}", **answers)
    assert page.status_code == 400
    assert problem in page.text
    assert "There is a problem" in page.text
    assert await web.state_hash() == before


async def test_a_plan_with_questions_open_is_not_published(web: WebHarness, mailbox: MailSink) -> None:
    await web.sign_in(LEEDS, mailbox)
    draft = await begin(web)
    assert TITLE in (await web.client.get("/home")).text
    check = await web.client.get(draft)
    assert "Not answered yet" in check.text
    assert "Publish this plan" not in check.text
    assert await post(web, draft.replace("/draft", "/publish")) == draft
    assert (await web.client.get(f"{draft}/extension")).status_code == 404
    assert await published(web) == []


async def test_drafts_end_with_their_days_and_have_a_limit(web: WebHarness, mailbox: MailSink) -> None:
    await web.sign_in(LEEDS, mailbox)
    draft = await begin(web)
    async with transaction(web.processes.sessions) as session:
        for number in range(49):
            row = PlanDraft(
                plan_id=f"{LEEDS}:W-{number}",
                authority=LEEDS,
                base_revision=0,
                fields={"title": "x"},
                expires_at=now().replace(year=2099),
            )
            await plan_drafts.put(session, row)
    assert "50 plans that are not published" in (await web.send("/plans/new", title=TITLE)).text
    async with transaction(web.processes.sessions) as session:
        for one in await plan_drafts.of_authority(session, LEEDS, now()):
            one.expires_at = now()
    assert (await web.client.get(draft)).status_code == 404
    await begin(web)
    assert len(await web.processes.rows("SELECT 1 FROM plan_drafts")) == 1


async def test_another_councils_plans_and_drafts_are_not_there(web: WebHarness, mailbox: MailSink) -> None:
    """IDOR and CSRF: every route that takes a plan's id, for a plan and for a draft of another council."""
    await web.processes.publish(plan(LEEDS), plan(CALDERDALE))
    await web.sign_in(LEEDS, mailbox)
    draft = await begin(web)
    await post(web, f"/p/{plan_id(LEEDS)}/draft")
    web.client.cookies.clear()
    await web.sign_in(BRADFORD, mailbox)
    before = await web.state_hash()
    for base in (draft.removesuffix("/draft"), f"/p/{plan_id(LEEDS)}"):
        for page in ("", "/draft", "/draft/title", "/end", "/sent/1"):
            answer = await web.client.get(base + page)
            assert answer.status_code == 404, page
            assert "payroll" not in answer.text
        for act in ("/draft", "/draft/title", "/publish", "/discard", "/end"):
            data = {"title": "x", "ending": "withdrawn"}
            assert (await web.client.post(base + act, data=data)).status_code == 404, act
    web.client.cookies.clear()
    await web.sign_in(LEEDS, mailbox)
    ours = await web.state_hash()
    for site in ("cross-site", "same-site"):
        for act in ("/draft", "/draft/title", "/publish", "/discard", "/end"):
            sent = await web.client.post(f"/p/{plan_id(LEEDS)}{act}", headers={"Sec-Fetch-Site": site})
            assert sent.status_code == 403
    assert await web.state_hash() == ours
    assert before[-1] == ours[-1]


async def test_no_page_changes_a_plan_by_being_opened(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS))
    await web.sign_in(LEEDS, mailbox)
    draft = await begin(web)
    before = await web.state_hash()
    for path in ("/plans/new", draft, f"{draft}/kind", f"/p/{plan_id(LEEDS)}/end", draft.replace("/draft", "/publish")):
        await web.client.get(path)
        await web.client.head(path)
    assert await web.state_hash() == before
    web.client.cookies.clear()
    for path in ("/plans/new", draft):
        assert (await web.client.get(path)).headers["location"].startswith("/sign-in")


async def test_text_of_a_plan_stays_text_in_the_questions(web: WebHarness, mailbox: MailSink) -> None:
    title = "HR <script>alert(1)</script>\"'><img src=x>"
    await web.processes.publish(plan(LEEDS, title=title, description=title))
    await web.sign_in(LEEDS, mailbox)
    base = f"/p/{plan_id(LEEDS)}"
    draft = await post(web, f"{base}/draft")
    for path in (draft, f"{draft}/title", f"{draft}/description", f"{base}/end", base):
        page = await web.client.get(path)
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "&lt;script&gt;" in page.text


async def test_an_ended_plan_leaves_no_draft(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS))
    await web.sign_in(LEEDS, mailbox)
    base = f"/p/{plan_id(LEEDS)}"
    await post(web, f"{base}/draft")
    await web.send(f"{base}/end", ending="withdrawn")
    assert await web.processes.rows("SELECT 1 FROM plan_drafts") == []
    await web.processes.publish(withdrawal(LEEDS, revision=3))
    assert (await web.client.post(f"{base}/end", data={"ending": "withdrawn"})).status_code == 409
