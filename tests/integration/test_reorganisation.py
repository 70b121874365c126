"""A reorganisation on real parts: who is written to before its day and from then on, by which names, and of what."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import pytest_asyncio

from events.plans import PlanPayload
from services.local_stack.mail_sink import MailSink
from services.matcher.sweeper import sweep
from services.store.authorities import AuthorityUpdate, save
from services.store.database import transaction
from tests.support.coalitions import LEEDS, plan
from tests.support.notified_coalitions import Line, open_line
from tests.support.notifier import body

ELMBRIDGE, EPSOM, COUNTY, EAST = "E07000207", "E07000208", "E10000030", "GB-X-East-Surrey-Council"
VESTING = date(2027, 4, 1)
LATE = {"earliest": "2028-07-01", "latest": "2028-09-30"}


def late(authority: str, **changes: Any) -> PlanPayload:
    """The tests' plan, a year later."""
    return plan(authority, **{"tender_window": LATE} | changes)


@pytest_asyncio.fixture
async def line(database_url: str, mailbox: MailSink) -> AsyncIterator[Line]:
    """Leeds, and three of Surrey's councils with a mailbox of their own."""
    async with open_line(database_url, mailbox) as found:
        await found.notifier.register(ELMBRIDGE, EPSOM, COUNTY)
        yield found


async def tell(line: Line, day: date, *payloads: PlanPayload) -> None:
    """Plans arrive on a day; what there is to tell at once is told."""
    line.harness.on(day)
    line.harness.matcher.context.settings = line.harness.settings
    line.notifier.now = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    await line.plans(*payloads)
    line.notifier.later(minutes=5)
    await line.notifier.run()


def to(line: Line, code: str) -> list[str]:
    return [body(mail) for mail in line.notifier.mails(code.lower())]


async def test_before_the_day_two_are_told_that_they_will_be_one(line: Line) -> None:
    contract = {"start": "2027-03-01", "end": "2031-09-30"}
    soon = {"earliest": "2027-03-01", "latest": "2028-09-30"}
    plans = [late(code, contract=contract, tender_window=soon) for code in (ELMBRIDGE, EPSOM, LEEDS)]
    await tell(line, date(2026, 6, 1), *plans)
    (said,) = to(line, ELMBRIDGE)
    flat = " ".join(said.split())
    assert "Both will be one authority on 1 April 2027: East Surrey Council." in flat
    assert "These plans fit each other" not in flat, "two that will be one are in no group"
    consent = "it may need the written consent of East Surrey Council (section 24 direction)."
    assert consent in flat
    assert consent not in " ".join(to(line, LEEDS)[0].split())


async def test_from_the_day_the_successor_is_written_to_and_named(line: Line) -> None:
    await line.notifier.register(EAST, name="East Surrey Council", mailbox="ict@eastsurrey.example")
    await tell(line, VESTING, late(ELMBRIDGE), late(LEEDS))
    assert to(line, ELMBRIDGE) == []
    (mail,) = line.notifier.mails("ict@eastsurrey.example")
    assert "Leeds plans to buy this when you do." in body(mail)
    assert "East Surrey Council (for Elmbridge)" in " ".join(body(mail).split())
    (said,) = to(line, LEEDS)
    flat = " ".join(said.split())
    assert "East Surrey Council (for Elmbridge) plans to buy this when you do." in flat
    assert "Write to East Surrey Council (for Elmbridge): ict@eastsurrey.example" in flat


@pytest.mark.parametrize("muting", [ELMBRIDGE, EAST])
async def test_a_council_that_either_of_the_two_has_muted_stays_muted(line: Line, muting: str) -> None:
    await line.notifier.register(EAST, name="East Surrey Council", mailbox="ict@eastsurrey.example")
    async with transaction(line.harness.sessions) as session:
        await save(session, AuthorityUpdate(muting, {}, frozenset({LEEDS})))
    await tell(line, VESTING, late(ELMBRIDGE), late(LEEDS))
    assert line.notifier.mails("ict@eastsurrey.example") == []
    assert len(to(line, LEEDS)) == 1


async def test_news_waits_for_a_successor_without_a_mailbox(line: Line) -> None:
    await tell(line, VESTING, late(ELMBRIDGE), late(LEEDS))
    assert to(line, ELMBRIDGE) == []
    assert [(one.authority, one.why) for one in await line.notifier.held()] == [(ELMBRIDGE, "no-mailbox")]
    await line.notifier.register(EAST, name="East Surrey Council", mailbox="ict@eastsurrey.example")
    await line.notifier.run()
    assert len(line.notifier.mails("ict@eastsurrey.example")) == 1
    assert await line.notifier.held() == []


async def test_the_plans_of_a_divided_authority_wait_for_a_person(line: Line) -> None:
    await line.notifier.register(EAST, name="East Surrey Council", mailbox="ict@eastsurrey.example")
    await tell(line, VESTING, late(COUNTY), late(LEEDS))
    assert line.notifier.mails() == [], "neither part is chosen for it, and nobody hears of it"


async def test_a_pair_of_two_that_are_one_ends_on_the_day(line: Line) -> None:
    await tell(line, date(2026, 11, 26), late(ELMBRIDGE), late(EPSOM))
    assert await line.harness.rows("SELECT 1 FROM opportunities WHERE status = 'active'")
    line.harness.on(VESTING)
    line.harness.matcher.context.settings = line.harness.settings
    await sweep(line.harness.matcher.context, line.harness.sessions)
    assert not await line.harness.rows("SELECT 1 FROM opportunities WHERE status = 'active'")
