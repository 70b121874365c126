"""From opportunity events to received mails, on a real database and a real mail server."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from events.notifications import NotificationSent
from services.application.digests import flush_all
from services.domain import notification_schedule
from services.notifier.rendering.councils import short_name
from services.platform.clock import CLOCK
from tests.support.notifier import ADDRESS, NotifierHarness, body
from tests.unit.notifier.making import CAMDEN, LEEDS, side, state


async def test_an_event_that_comes_twice_is_told_once(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS, CAMDEN)
    assert await notifier.arrives(state()) == 2
    assert await notifier.arrives(state()) == 0
    assert await notifier.run() == 0, "the window for more news is still open"

    notifier.later(seconds=61)
    await notifier.run()
    await notifier.arrives(state())
    notifier.later(hours=1)
    await notifier.run()

    assert sorted(mail["To"] for mail in notifier.mails()) == sorted(ADDRESS.values())
    (mail,) = notifier.mails(LEEDS)
    assert mail["Subject"] == "HR and payroll system of E08000035: Camden could join you"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@jointly.example>")
    events = await notifier.events()
    assert {type(event) for event in events} == {NotificationSent}
    assert {event.authority for event in events} == {LEEDS, CAMDEN}
    assert all("@" not in event.model_dump_json() for event in events)


async def test_two_dispatchers_at_once_never_send_the_same_mail(notifier: NotifierHarness) -> None:
    partners = [f"E0600{number:04d}" for number in range(12)]
    await notifier.register(LEEDS, *partners)
    await notifier.arrives(*(state(side(LEEDS), side(code)) for code in partners))
    notifier.later(seconds=61)

    await asyncio.gather(*(notifier.run() for _ in range(4)))

    recipients = [mail["To"] for mail in notifier.mails()]
    assert len(recipients) == len(set(recipients)) == 13
    assert len({mail["Message-ID"] for mail in notifier.mails()}) == 13


async def test_news_within_the_window_becomes_one_mail(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    waste = side(LEEDS, plan_id=f"{LEEDS}:ENV-7", title="Waste collection vehicles")
    await notifier.arrives(state(side(LEEDS), side(CAMDEN), score=80.0))
    notifier.later(seconds=30)
    await notifier.arrives(state(waste, side("E06000001", title="Refuse trucks"), score=95.0))
    await notifier.run()
    assert not notifier.mails()
    notifier.later(seconds=31)
    await notifier.run()

    (mail,) = notifier.mails(LEEDS)
    text = body(mail)
    assert text.index("Your plan: Waste collection vehicles") < text.index("Your plan: HR and payroll system")
    assert mail["Subject"] == "Waste collection\u2026 and 1 more: 2 councils could join you"


async def test_the_eleventh_opportunity_gets_a_line_and_none_is_lost(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    partners = [f"E0600{number:04d}" for number in range(11)]
    await notifier.arrives(*(state(side(LEEDS), side(c), score=70.0 + i) for i, c in enumerate(partners)))
    notifier.later(seconds=61)
    await notifier.run()

    (mail,) = notifier.mails(LEEDS)
    text = body(mail)
    assert "And 1 more, in a line each" in text
    assert all(short_name(code, {code: f"Council {code}"}) in text for code in partners)
    full, brief = text.split("And 1 more, in a line each")
    assert short_name("E06000010", {}) in full, "the strongest is told in full"
    assert "Council E06000000" in brief, "the weakest in a line"
    (event,) = await notifier.events()
    assert len(event.opportunities) == 11


async def test_more_than_three_mails_a_week_wait_for_the_digest(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    for number in range(4):
        await notifier.arrives(state(side(LEEDS), side(f"E0600000{number}")))
        notifier.later(hours=1)
        await notifier.run()
    assert len(notifier.mails(LEEDS)) == notification_schedule.IMMEDIATE_PER_WEEK

    notifier.later(days=7)
    await notifier.run()
    *_, digest = notifier.mails(LEEDS)
    assert len(notifier.mails(LEEDS)) == 4
    assert digest["Subject"].endswith("may buy it too")
    assert short_name("E06000003", {}) in body(digest)


async def test_without_a_digest_the_fourth_mail_waits_for_the_week(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS, digest=False)
    for number in range(4):
        await notifier.arrives(state(side(LEEDS), side(f"E0600000{number}")))
        notifier.later(hours=1)
        await notifier.run()
    assert len(notifier.mails(LEEDS)) == notification_schedule.IMMEDIATE_PER_WEEK
    for _ in range(8):
        notifier.later(days=1)
        await notifier.run()
    assert len(notifier.mails(LEEDS)) == 4


@pytest.mark.parametrize("change", [{"mailbox": None}, {"paused_until": "tomorrow"}], ids=["no mailbox", "paused"])
async def test_a_match_put_off_at_sending_is_told_later(notifier: NotifierHarness, change: dict[str, object]) -> None:
    await notifier.register(LEEDS)
    await notifier.arrives(state())
    notifier.later(seconds=61)
    assert await notifier.gather() == 1
    if "paused_until" in change:
        change = {"paused_until": (notifier.now + timedelta(days=1)).date()}
    await notifier.register(LEEDS, **change)
    await notifier.run()
    assert not notifier.mails(LEEDS)
    assert LEEDS in {h.authority for h in await notifier.held()}

    notifier.later(days=1)
    await notifier.register(LEEDS)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1
    assert [mail.state for mail in await notifier.all_mails()] == ["cancelled", "sent"]


async def test_a_digest_waits_for_monday_eight_in_london_unless_flushed(
    notifier: NotifierHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CLOCK, "read", lambda: notifier.now)  # the flush reads the clock of the process
    await notifier.register(LEEDS, CAMDEN)
    await notifier.arrives(state(band="digest", score=60.0))
    notifier.later(days=6, hours=19)  # Monday 07:00
    await notifier.run()
    assert not notifier.mails()
    notifier.later(hours=1, seconds=1)
    await notifier.run()
    assert len(notifier.mails()) == 2

    await notifier.arrives(state(side(LEEDS), side("E06000001"), band="digest", score=60.0))
    assert await flush_all(notifier.sessions) == 2
    notifier.later(hours=1)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 2
    assert await flush_all(notifier.sessions) == 1, "what is held for want of a mailbox stays held"


async def test_an_empty_digest_is_never_sent(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    await notifier.arrives(state(band="digest", score=60.0))
    await notifier.arrives(state(material=2, status="withdrawn", band="digest"))
    notifier.later(days=15)
    await notifier.run()
    assert not notifier.mails()
    assert not await notifier.events()


async def test_feed_is_never_mailed(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS, CAMDEN)
    assert await notifier.arrives(state(band="feed", score=30.0)) == 0
    notifier.later(days=15)
    await notifier.run()
    assert not notifier.mails()


async def test_news_is_held_until_there_is_a_mailbox(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS, mailbox=None)
    await notifier.arrives(state())
    notifier.later(days=1)
    await notifier.run()
    assert not notifier.mails()
    assert {(h.authority, h.why, h.intents) for h in await notifier.held()} == {
        (LEEDS, "no-mailbox", 1),
        (CAMDEN, "no-mailbox", 1),
    }

    await notifier.register(LEEDS)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1
    assert [h.authority for h in await notifier.held()] == [CAMDEN]


async def test_a_pause_holds_everything_back_until_its_end(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS, paused_until=(notifier.now + timedelta(days=3)).date())
    await notifier.arrives(state())
    notifier.later(days=1)
    await notifier.run()
    assert not notifier.mails(LEEDS)
    assert (LEEDS, "paused") in {(h.authority, h.why) for h in await notifier.held()}
    assert not await notifier.all_mails(), "no mail is begun only to be put off"
    notifier.later(days=2)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1


async def test_a_pause_ends_at_midnight_in_london(notifier: NotifierHarness) -> None:
    notifier.now = datetime(2027, 7, 1, 20, 0, tzinfo=UTC)
    await notifier.register(LEEDS, CAMDEN)
    await notifier.arrives(state())
    notifier.later(seconds=61)
    await notifier.gather()
    for code in (LEEDS, CAMDEN):
        await notifier.prefer(code, {"paused_until": date(2027, 7, 2)}, "")
    notifier.now = datetime(2027, 7, 1, 22, 59, tzinfo=UTC)
    await notifier.run()
    assert not notifier.mails()
    assert {h.why for h in await notifier.held()} == {"paused"}
    notifier.later(minutes=2)
    await notifier.run()
    assert len(notifier.mails()) == 2
    assert not await notifier.held()


@pytest.mark.parametrize(
    "change",
    [
        {"immediate": False, "digest": False},
        {"withdrawn_on": "today"},
        {"mute_partner": CAMDEN},
        {"mute_opportunity": "it"},
    ],
    ids=str,
)
async def test_a_mail_unwanted_at_sending_is_not_sent(notifier: NotifierHarness, change: dict[str, object]) -> None:
    await notifier.register(LEEDS)
    await notifier.arrives(state())
    notifier.later(seconds=61)
    await notifier.gather()
    await notifier.prefer(LEEDS, change, state().opportunity_id)
    await notifier.run()
    notifier.later(days=15)
    await notifier.run()
    assert not notifier.mails(LEEDS)
    assert [intent.state for intent in await notifier.intents(LEEDS)] == ["cancelled"]


async def test_who_wants_digests_only_gets_urgent_news_in_the_digest(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    await notifier.arrives(state())
    notifier.later(seconds=61)
    await notifier.gather()
    await notifier.register(LEEDS, immediate=False)
    await notifier.run()
    assert not notifier.mails(LEEDS)
    notifier.later(days=7)
    await notifier.run()
    (mail,) = notifier.mails(LEEDS)
    assert mail["Subject"].endswith("may buy it too")
