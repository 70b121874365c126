"""New plans that fit saved searches: told once, in the weekly email, to those who want it, and only what is open."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from services.cli.authorities import save_all
from services.domain.notifications import Purpose
from services.local_stack.mail_sink import MailSink
from services.notifier import search_news
from services.store import authorities, saved_searches
from services.store.authorities import AuthorityUpdate
from services.store.database import transaction
from services.store.intents import new_mail
from services.store.plan_search import SearchQuery
from tests.support.coalitions import BRADFORD, CALDERDALE, KIRKLEES, LEEDS, plan
from tests.support.notified_coalitions import Line, open_line
from tests.support.notifier import body

MONDAY = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
MAILBOX = f"buying@{CALDERDALE.lower()}.example"


@pytest_asyncio.fixture
async def line(database_url: str, mailbox: MailSink) -> AsyncIterator[Line]:
    """Calderdale has no plan of its own. It has saved a search that a plan of Bradford fitted already."""
    async with open_line(database_url, mailbox) as opened:
        await opened.plans(plan(BRADFORD, title="Payroll of Bradford"))
        await save(opened, CALDERDALE, "Payroll nearby", SearchQuery(need="payroll", region="TLE"))
        yield opened


async def save(line: Line, authority: str, name: str, query: SearchQuery) -> None:
    """Saves a search on the test's day, moments after the newest plan."""
    async with transaction(line.harness.sessions) as session:
        assert await saved_searches.add(session, authority, name, query)
        await session.execute(text("UPDATE saved_searches SET looked_at = :at").bindparams(at=line.notifier.now))


async def monday(line: Line, weeks: int = 0) -> list[Any]:
    """The look of a Monday, and the emails to Calderdale of that day's hour."""
    line.notifier.now = MONDAY + weeks * WEEK - timedelta(minutes=30)
    await search_news.look_for_hits(line.notifier.dispatch())
    await line.notifier.run()
    assert told(line) == [], "nothing comes before the hour of the weekly email"
    line.notifier.now = MONDAY + weeks * WEEK
    await line.notifier.run()
    return told(line)


def told(line: Line) -> list[Any]:
    """The emails to Calderdale since this was asked last."""
    found = [mail for mail in line.notifier.mails() if CALDERDALE.lower() in mail["To"]]
    line.notifier.mailbox.clear()
    return found


async def change(line: Line, authority: str, fields: dict[str, object], **mutes: frozenset[str]) -> None:
    async with transaction(line.harness.sessions) as session:
        await authorities.save(session, AuthorityUpdate(authority, fields, **mutes))


async def test_each_plan_that_comes_to_fit_is_told_once(line: Line) -> None:
    await line.plans(
        plan(LEEDS, title="Payroll of Leeds"),
        plan(KIRKLEES, title="Payroll ZEBRA", sharing="match_only"),
        plan("E06000014", title="Waste lorries of York", description="Six lorries."),
        plan("E09000007", title="Payroll of Camden"),
        plan(BRADFORD, 2, title="Payroll of Bradford, second edition"),
    )
    (mail,) = await monday(line)
    assert mail["Subject"] == "Payroll nearby: 1 new plan"
    said = body(mail)
    assert "- Leeds: Payroll of Leeds, tender" in said
    for other in ("ZEBRA", "Kirklees", "Waste", "Camden", "Bradford"):
        assert other not in said
    await line.plans(plan(LEEDS, 2, title="Payroll of Leeds, second edition"))
    assert await monday(line, 1) == [], "a plan that was told of is no news"
    await line.plans(plan(KIRKLEES, 2, title="Payroll of Kirklees"))
    (mail,) = await monday(line, 2)
    assert "Payroll of Kirklees" in body(mail)
    assert "Leeds" not in body(mail)


async def test_only_what_fitted_when_the_search_was_saved_is_no_news(line: Line) -> None:
    await line.plans(plan(LEEDS, title="Payroll of Leeds"), plan(BRADFORD, 2, title="Payroll of Bradford, later"))
    assert len(await monday(line)) == 1
    await line.plans(plan(LEEDS, 2, title="Waste lorries of Leeds", description="Six lorries."))
    await save(line, CALDERDALE, "Payroll again", SearchQuery(need="payroll"))
    # The purge blanks revisions that newer ones replaced: what a plan once said is not known for ever.
    async with transaction(line.harness.sessions) as session:
        await session.execute(text("UPDATE plan_log SET payload = jsonb_build_object('plan_id', plan_id)"))
    await line.plans(plan(LEEDS, 3, title="Payroll of Leeds"), plan(BRADFORD, 3, title="Payroll of Bradford, last"))
    (mail,) = await monday(line, 1)
    assert mail["Subject"] == "Payroll again: 1 new plan"
    assert "Bradford" not in body(mail)


async def test_a_search_with_its_news_off_is_not_told_of_then_or_later(line: Line) -> None:
    ((search_id,),) = await line.harness.rows("SELECT search_id FROM saved_searches")

    async def switch(*, news: bool) -> None:
        async with transaction(line.harness.sessions) as session:
            assert await saved_searches.set_news(session, CALDERDALE, search_id, news=news)

    await line.plans(plan(LEEDS, title="Payroll of Leeds"))
    line.notifier.now = MONDAY - timedelta(minutes=30)
    assert await search_news.look_for_hits(line.notifier.dispatch()) == 1
    await switch(news=False)
    line.notifier.now = MONDAY
    await line.notifier.run()
    assert told(line) == [], "a switch counts for what was found and not yet told"
    await line.plans(plan(KIRKLEES, title="Payroll of Kirklees"))
    assert await monday(line, 1) == []
    await switch(news=True)
    assert await monday(line, 2) == [], "what came meanwhile is no news later"
    await line.plans(plan("E08000036", title="Payroll of Wakefield"))
    (mail,) = await monday(line, 3)
    assert "Wakefield" in body(mail)
    assert "Leeds" not in body(mail)


@pytest.mark.parametrize(
    ("fields", "later"),
    [
        ({"paused_until": date(2026, 12, 3)}, 1),
        ({"mailbox": None}, 1),
        ({"digest": False}, 1),
        ({"withdrawn_on": date(2026, 11, 1)}, 0),
    ],
)
async def test_who_wants_no_weekly_email_gets_none_until_it_does(line: Line, fields: Any, later: int) -> None:
    await change(line, CALDERDALE, fields)
    await line.plans(plan(LEEDS, title="Payroll of Leeds"))
    assert await monday(line) == []
    if "withdrawn_on" not in fields:
        await change(line, CALDERDALE, {"digest": True, "mailbox": MAILBOX})
    assert len(await monday(line, 1)) == later


async def test_a_pause_between_the_look_and_the_email_puts_it_off(line: Line) -> None:
    await line.plans(plan(LEEDS, title="Payroll of Leeds"))
    line.notifier.now = MONDAY - timedelta(minutes=30)
    assert await search_news.look_for_hits(line.notifier.dispatch()) == 1
    await change(line, CALDERDALE, {"paused_until": date(2026, 12, 3)})
    line.notifier.now = MONDAY
    await line.notifier.run()
    assert told(line) == []
    line.notifier.now = datetime(2026, 12, 3, 12, tzinfo=UTC)
    await search_news.look_for_hits(line.notifier.dispatch())
    await line.notifier.run()
    assert told(line) == [], "the weekly email comes on Mondays only"
    assert len(await monday(line, 1)) == 1


async def fails(line: Line, answer: str) -> None:
    """The first attempt of Monday's email with news fails."""
    await line.plans(plan(LEEDS, title="Payroll of Leeds"))
    line.notifier.mailbox.answers.recipients[MAILBOX] = answer
    assert await monday(line) == []
    line.notifier.mailbox.answers.reset()


async def test_news_of_an_email_that_a_pause_ends_comes_after_the_pause(line: Line) -> None:
    await fails(line, "451 4.3.0 Later")
    await change(line, CALDERDALE, {"paused_until": date(2026, 12, 3)})
    line.notifier.later(hours=1)
    await line.notifier.run()
    assert told(line) == []
    (mail,) = await monday(line, 1)
    assert "Payroll of Leeds" in body(mail)


async def test_a_retry_tells_no_news_of_a_search_switched_off(line: Line) -> None:
    await fails(line, "451 4.3.0 Later")
    ((search_id,),) = await line.harness.rows("SELECT search_id FROM saved_searches")
    async with transaction(line.harness.sessions) as session:
        assert await saved_searches.set_news(session, CALDERDALE, search_id, news=False)
    line.notifier.now += timedelta(hours=2)
    await line.notifier.run()
    assert told(line) == []


async def test_news_of_an_email_that_gives_way_comes_in_the_other_one(line: Line) -> None:
    await fails(line, "451 4.3.0 Later")
    due_at = MONDAY + timedelta(hours=2)
    async with transaction(line.harness.sessions) as session:
        session.add(
            new_mail("other", CALDERDALE, Purpose.DIGEST, MONDAY, due_at=due_at, message_id="<other@x.example>")
        )
    line.notifier.later(hours=1)
    await line.notifier.run()
    assert told(line) == []
    line.notifier.now = due_at
    await line.notifier.run()
    (mail,) = told(line)
    assert (mail["Message-ID"], "Payroll of Leeds" in body(mail)) == ("<other@x.example>", True)


@pytest.mark.parametrize(("failure", "times"), [("permanent", 1), ("ambiguous", 0)])
async def test_another_mailbox_gets_news_that_the_old_one_refused(line: Line, failure: str, times: int) -> None:
    await fails(line, "550 5.1.1 No such mailbox")
    async with transaction(line.harness.sessions) as session:
        await session.execute(text("UPDATE notification_mails SET failure = :failure").bindparams(failure=failure))
    entry = AuthorityUpdate(CALDERDALE, {"mailbox": f"new@{CALDERDALE.lower()}.example"})
    await save_all(line.harness.sessions, [entry], line.notifier.now)
    assert len(await monday(line, 1)) == times


async def test_what_is_muted_or_hidden_by_then_is_not_told(line: Line) -> None:
    await change(line, CALDERDALE, {}, partners=frozenset({LEEDS}))
    await line.plans(plan(LEEDS, title="Payroll of Leeds"), plan(KIRKLEES, title="Payroll ZEBRA"))
    line.notifier.now = MONDAY - timedelta(minutes=30)
    assert await search_news.look_for_hits(line.notifier.dispatch()) == 2
    await line.plans(plan(KIRKLEES, 2, title="Payroll ZEBRA", sharing="match_only"))
    line.notifier.now = MONDAY
    await line.notifier.run()
    assert told(line) == []
    assert await line.harness.rows("SELECT 1 FROM search_hits WHERE mail_id IS NULL OR mail_id <> 'no-news'") == []
    assert await monday(line, 1) == []


async def test_the_weekly_email_about_matches_tells_of_searches_too(line: Line) -> None:
    await change(line, CALDERDALE, {"immediate": False})
    await line.plans(plan(LEEDS, title="Payroll of Leeds"), plan(CALDERDALE, title="Payroll of Calderdale"))
    (mail,) = await monday(line)
    said = body(mail).replace("\r\n", "\n")
    assert "Payroll of Calderdale" in said
    assert "New in your saved searches\n\nPayroll nearby\n- Leeds: Payroll of Leeds" in said
    assert await monday(line, 1) == []
