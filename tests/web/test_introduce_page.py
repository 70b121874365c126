"""An introduction on the pages: both plans open once both councils have said yes, and nothing of either before."""

import pytest

from services.local_stack.mail_sink import MailSink
from tests.support.coalitions import BRADFORD, KIRKLEES, LEEDS, plan, plan_id
from tests.support.ids import opportunity_id
from tests.support.web import WebHarness

PAIR = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
SECRET = "Payroll ZEBRA"


@pytest.fixture
async def match(web: WebHarness) -> WebHarness:
    """Leeds shares openly; Bradford shares only that there is a match."""
    await web.processes.publish(
        plan(LEEDS, title="Payroll GIRAFFE"), plan(BRADFORD, title=SECRET, sharing="match_only")
    )
    return web


async def say(web: WebHarness, authority: str, agrees: str, **fields: str) -> str:
    """An authority answers by its link; the page that follows."""
    done = await web.send(f"{await web.link(authority, PAIR)}/introduce", agrees=agrees, **fields)
    assert done.status_code == 303, done.text
    await web.deliver()
    return (await web.client.get(done.headers["location"])).text


async def group(web: WebHarness, authority: str) -> str:
    """The pair's page as an authority sees it."""
    return (await web.client.get(await web.link(authority, PAIR))).text


async def test_both_plans_open_once_both_have_said_yes(match: WebHarness) -> None:
    assert "Ask to be introduced" in await group(match, LEEDS)
    assert "Reply sent" in await say(match, LEEDS, "yes")
    seen = await group(match, LEEDS), await group(match, BRADFORD)
    assert SECRET not in seen[0]
    assert "GIRAFFE" not in seen[1]
    assert "Leeds asks to be introduced to your council" in seen[1]
    await say(match, BRADFORD, "yes")
    assert SECRET in await group(match, LEEDS)
    assert "GIRAFFE" in await group(match, BRADFORD)
    assert "Take back" not in await group(match, LEEDS)
    await say(match, BRADFORD, "no")
    assert SECRET not in await group(match, LEEDS)


async def test_a_no_and_a_later_are_told_to_nobody(match: WebHarness) -> None:
    before = await group(match, LEEDS)
    day = {"remind-day": "1", "remind-month": "3", "remind-year": "2027"}
    await say(match, BRADFORD, "no")
    assert await group(match, LEEDS) == before
    await say(match, BRADFORD, "later", **day)
    assert await group(match, LEEDS) == before


async def test_an_introduction_is_only_where_something_is_hidden(match: WebHarness, mailbox: MailSink) -> None:
    assert (await match.send(f"{await match.link(LEEDS, PAIR)}/introduce")).status_code == 400
    wrong = {"agrees": "later", "remind-day": "99"}
    assert "as numbers" in (await match.send(f"{await match.link(LEEDS, PAIR)}/introduce", **wrong)).text
    await match.sign_in(KIRKLEES, mailbox)
    assert (await match.client.get(f"/o/{PAIR}/introduce")).status_code == 404
    assert (await match.client.post(f"/o/{PAIR}/introduce", data={"agrees": "yes"})).status_code == 404
    await match.processes.publish(plan(BRADFORD, revision=2))
    link = await match.link(LEEDS, PAIR)
    opened = await match.client.get(f"{link}/introduce")
    assert (opened.status_code, opened.headers["location"]) == (303, link), "an old email's link leads to the match"
    assert (await match.client.post(f"{link}/introduce", data={"agrees": "yes"})).status_code == 404
    assert await match.deliver() == 0
