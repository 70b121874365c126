"""The page that an email's link opens, over HTTP: what it shows, what it takes, and who gets nothing."""

import re
from datetime import timedelta
from typing import Any

import pytest

from services.domain.links import LINK_DAYS, Link, LinkPurpose, make_token
from services.platform.clock import today
from services.store.authorities import AuthorityUpdate, save
from services.store.database import transaction
from tests.support.coalitions import BRADFORD, CALDERDALE, KIRKLEES, LEEDS, plan, plan_id
from tests.support.ids import opportunity_id
from tests.support.web import SECRET, WebHarness, form_of, web_client

THREE = (LEEDS, BRADFORD, KIRKLEES)


@pytest.fixture
async def three(web: WebHarness) -> WebHarness:
    """Three councils with one need: one suggested coalition."""
    await web.processes.publish(*(plan(authority) for authority in THREE))
    return web


async def answer(web: WebHarness, path: str, kind: str, **fields: str) -> str:
    """Goes from page to page until the answer is sent; where the browser ends."""
    chosen = await web.send(path, answer=kind)
    assert chosen.status_code == 303
    step = chosen.headers["location"]
    if "/question" in step:
        checked = await web.send(step, **fields)
        assert checked.status_code == 303, checked.text
        step = checked.headers["location"]
    sent = await web.send(step)
    assert sent.status_code == 303
    return str(sent.headers["location"])


async def test_the_page_shows_the_group_as_the_reader_sees_it(three: WebHarness) -> None:
    page = await three.client.get(await three.link(LEEDS))
    assert page.status_code == 200
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))
    assert "2 councils could join you" in text
    assert "Replacement of the HR and payroll system" in text
    assert "About £3.6 million" in text
    assert "Bradford" in text
    assert "Kirklees" in text
    assert not re.search(r'type="radio"[^>]*checked', page.text), "a default would let a scanner answer"


async def test_interested_becomes_an_event_and_can_be_taken_back(three: WebHarness) -> None:
    path = await three.link(LEEDS)
    sent = await answer(three, path, "interested")
    assert await three.deliver() == 1
    page = await three.client.get(sent)
    assert "Reply sent" in page.text
    (leeds,) = [member for member in (await three.processes.only()).members if member.authority == LEEDS]
    assert leeds.interest == "interested"
    action, hidden = form_of(page.text)
    undone = await three.client.post(action, data=hidden)
    assert undone.status_code == 303
    await three.deliver()
    (leeds,) = [member for member in (await three.processes.only()).members if member.authority == LEEDS]
    assert leeds.interest is None
    assert [row.action for row in await three.processes.rows("SELECT action FROM audit_log ORDER BY seq")] == [
        "response-sent",
        "response-recorded",
    ] * 2


async def _payload(web: WebHarness) -> dict[str, Any]:
    (row,) = await web.processes.rows("SELECT payload FROM responses")
    payload: dict[str, Any] = row.payload
    return payload


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("not-the-same", {"reason": "wrong-place"}, {"reason": "wrong-place", "share_reason": False}),
        ("not-this-time", {"reason": "capacity", "share_reason": "yes"}, {"reason": "capacity", "share_reason": True}),
        ("not-this-time", {"reason": "rather-not-say"}, {"reason": None, "share_reason": False}),
        (
            "other-dates",
            {
                "earliest-day": "1",
                "earliest-month": "9",
                "earliest-year": "2027",
                "latest-day": "30",
                "latest-month": "11",
                "latest-year": "2027",
            },
            {"window": {"earliest": "2027-09-01", "latest": "2027-11-30"}},
        ),
        ("later", {"remind-day": "4", "remind-month": "1", "remind-year": "2027"}, {"remind_on": "2027-01-04"}),
    ],
)
async def test_each_answer_has_its_question(
    three: WebHarness, kind: str, fields: dict[str, str], expected: dict[str, Any]
) -> None:
    await answer(three, await three.link(BRADFORD), kind, **fields)
    await three.deliver()
    payload = await _payload(three)
    assert payload["answer"] == kind
    assert {name: payload[name] for name in expected} == expected


WRONG: tuple[tuple[str, dict[str, str], str], ...] = (
    ("other-dates", {}, "Enter the first day"),
    ("other-dates", {"earliest-day": "31", "earliest-month": "2", "earliest-year": "2027"}, "as numbers"),
    ("later", {"remind-day": "x"}, "as numbers"),
    ("not-this-time", {}, "Choose a reason"),
    ("not-the-same", {"reason": "<b>"}, "Choose a reason"),
)


async def test_what_is_wrong_is_said_where_it_is_wrong(three: WebHarness) -> None:
    path = await three.link(BRADFORD)
    for kind, fields, problem in WRONG:
        again = await three.send(f"{path}/question?answer={kind}", **fields)
        assert again.status_code == 400, (kind, fields)
        assert "There is a problem" in again.text
        assert problem in again.text
        assert "<title>Error:" in again.text


async def test_a_pair_can_be_answered_too(web: WebHarness) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD))
    path = await web.link(LEEDS, opportunity_id(plan_id(LEEDS), plan_id(BRADFORD)))
    assert "One council could join you" in (await web.client.get(path)).text
    await answer(web, path, "not-the-same", reason="different-product")
    await web.deliver()
    assert (await _payload(web))["subject"] == "opportunity"
    assert await web.processes.rows("SELECT 1 FROM pair_verdicts")


async def test_a_link_ends_with_its_days_and_with_the_mailbox(three: WebHarness) -> None:
    fresh = await three.link(LEEDS, made_on=today(None) - timedelta(days=LINK_DAYS))
    stale = await three.link(LEEDS, made_on=today(None) - timedelta(days=LINK_DAYS + 1))
    assert (await three.client.get(fresh)).status_code == 200
    assert (await three.client.get(stale)).status_code == 410
    async with transaction(three.processes.sessions) as session:
        await save(session, AuthorityUpdate(LEEDS, {"mailbox": "new@leeds.example"}))
    gone = await three.client.get(fresh)
    assert gone.status_code == 410
    assert "changed its mailbox" in gone.text
    assert (await three.client.post(f"{fresh}/send", data={"answer": "interested"})).status_code == 410
    assert (await three.client.get(await three.link(LEEDS))).status_code == 200


async def test_a_forged_link_opens_nothing(three: WebHarness) -> None:
    path = await three.link(LEEDS)
    state = await three.processes.only()
    stranger = make_token(
        ["another secret that is long enough, too"],
        Link(LinkPurpose.ANSWER, LEEDS, state.coalition_id, "x"),
        today(None),
    )
    other = make_token([SECRET], Link(LinkPurpose.STOP, LEEDS, state.coalition_id, "x"), today(None))
    # The first character of the signature: of the last one, some bits mean nothing.
    signed, _, signature = path.removeprefix("/g/").rpartition(".")
    changed = f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    for token in (stranger, other, changed, "x", "x" * 5000, "%00", "a.b.c"):
        assert (await three.client.get(f"/g/{token}")).status_code in (404, 410)


async def test_nobody_reads_a_group_that_they_are_not_in(three: WebHarness) -> None:
    await three.processes.publish(plan(CALDERDALE, title="Gritting of roads", description="Salt.", cpv=["90630000"]))
    coalition = (await three.processes.only()).coalition_id
    pair = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
    for subject in (coalition, pair, "0" * 32):
        page = await three.client.get(await three.link(CALDERDALE, subject))
        assert page.status_code == 404
        assert "payroll" not in page.text


async def test_a_scanner_changes_nothing(three: WebHarness) -> None:
    path = await three.link(LEEDS)
    before = await three.state_hash()
    seen, waiting = set(), [path, f"{path}/check?answer=interested", f"{path}/question?answer=later"]
    while waiting:
        address = waiting.pop()
        if address in seen or not address.startswith("/"):
            continue
        seen.add(address)
        head, page = await three.client.head(address), await three.client.get(address)
        assert head.status_code == page.status_code
        waiting += [one.replace("&amp;", "&") for one in re.findall(r'href="([^"#]+)"', page.text)]
    async with web_client(three.processes.sessions, three.processes.settings, {}) as robot:
        for address in (path, f"{path}/question", f"{path}/send", f"{path}/undo"):
            assert (await robot.post(address, data={"answer": "interested"})).status_code == 403
    assert (await three.client.post(path, data={})).status_code == 400
    assert await three.state_hash() == before
    assert await three.deliver() == 0


async def test_plan_text_is_text_on_every_page(web: WebHarness) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"
    for authority in THREE:
        extra = {"current_contract": {"supplier": "<i>Supplier</i>"}}
        await web.processes.publish(plan(authority, title=f"HR and payroll system {hostile}", **extra))
    path = await web.link(LEEDS)
    for step in ("", "/check?answer=interested", "/question?answer=later"):
        page = await web.client.get(path + step)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "<i>Supplier" not in page.text
        assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("sharing", ["match_only", "private"])
async def test_what_is_not_shared_is_not_shown(web: WebHarness, sharing: str) -> None:
    secret = {
        "title": "HR and payroll system ZEBRA",
        "value": {"amount": 4_321_987},
        "current_contract": {"supplier": "GIRAFFE"},
    }
    await web.processes.publish(plan(LEEDS), plan(BRADFORD, **secret, sharing=sharing))
    path = await web.link(LEEDS, opportunity_id(plan_id(LEEDS), plan_id(BRADFORD)))
    page = await web.client.get(path)
    assert page.status_code == (200 if sharing == "match_only" else 404)
    for word in ("ZEBRA", "GIRAFFE", "4.3 million", "4,321", plan_id(BRADFORD), "48450000"):
        assert word not in page.text


async def test_a_plan_that_turns_private_is_gone_at_once(three: WebHarness) -> None:
    path = await three.link(LEEDS)
    closing = plan(BRADFORD, revision=2, sharing="private", title="ZEBRA")
    await three.processes.matcher.handle([three.processes.record(closing)])  # the coalitions process is late
    page = await three.client.get(path)
    row = re.search(r"<tr[^>]*>\s*<th scope=\"row\"[^>]*>[^<]*Bradford.*?</tr>", page.text, re.DOTALL)
    assert row is not None
    assert "Not shared" in row[0]
    assert "payroll" not in row[0]


async def test_the_same_form_sent_twice_is_one_answer(three: WebHarness) -> None:
    path = await three.link(LEEDS)
    check = await three.client.get(f"{path}/check?answer=interested")
    action, hidden = form_of(check.text)
    for _ in range(2):
        assert (await three.client.post(action, data=hidden)).status_code == 303
    await three.deliver()
    assert len(await three.processes.rows("SELECT 1 FROM responses")) == 1
