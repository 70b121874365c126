"""From opportunity events to received mails, on a real database and a real mail server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

from events.notifications import NotificationSent
from services.application.digests import flush_all
from services.domain import notification_schedule
from services.local_stack.mail_sink import MailSink
from services.notifier.rendering.councils import short_name
from services.store.database import make_engine, make_sessions
from tests.unit.notifier.making import CAMDEN, LEEDS, side, state
from tests.unit.notifier.world import ADDRESS, World, body


@pytest.fixture
async def world(database_url: str, mailbox: MailSink) -> AsyncIterator[World]:
    engine = make_engine(database_url)
    yield World(make_sessions(engine), mailbox)
    await engine.dispose()


async def test_both_authorities_are_told_once_though_the_event_comes_twice(world: World) -> None:
    await world.register(LEEDS, CAMDEN)
    assert await world.arrives(state()) == 2
    assert await world.arrives(state()) == 0
    assert await world.run() == 0, "the window for more news is still open"

    world.later(seconds=61)
    await world.run()
    await world.arrives(state())
    world.later(hours=1)
    await world.run()

    assert sorted(mail["To"] for mail in world.mails()) == sorted(ADDRESS.values())
    (mail,) = world.mails(LEEDS)
    assert mail["Subject"] == "HR and payroll system of E08000035: Camden could join you"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@jointly.example>")
    events = await world.events()
    assert {type(event) for event in events} == {NotificationSent}
    assert {event.authority for event in events} == {LEEDS, CAMDEN}
    assert all("@" not in event.model_dump_json() for event in events)


async def test_two_dispatchers_at_once_never_send_the_same_mail(world: World) -> None:
    partners = [f"E0600{number:04d}" for number in range(12)]
    await world.register(LEEDS, *partners)
    await world.arrives(*(state(side(LEEDS), side(code)) for code in partners))
    world.later(seconds=61)

    await asyncio.gather(*(world.run() for _ in range(4)))

    recipients = [mail["To"] for mail in world.mails()]
    assert len(recipients) == len(set(recipients)) == 13
    assert len({mail["Message-ID"] for mail in world.mails()}) == 13


async def test_news_within_the_window_becomes_one_mail_under_the_own_plans(world: World) -> None:
    await world.register(LEEDS)
    waste = side(LEEDS, plan_id=f"{LEEDS}:ENV-7", title="Waste collection vehicles")
    await world.arrives(state(side(LEEDS), side(CAMDEN), score=80.0))
    world.later(seconds=30)
    await world.arrives(state(waste, side("E06000001", title="Refuse trucks"), score=95.0))
    await world.run()
    assert not world.mails()
    world.later(seconds=31)
    await world.run()

    (mail,) = world.mails(LEEDS)
    text = body(mail)
    assert text.index("Your plan: Waste collection vehicles") < text.index("Your plan: HR and payroll system")
    assert mail["Subject"] == "Waste collection\u2026 and 1 more: 2 councils could join you"


async def test_the_eleventh_opportunity_gets_a_line_and_none_is_lost(world: World) -> None:
    await world.register(LEEDS)
    partners = [f"E0600{number:04d}" for number in range(11)]
    await world.arrives(*(state(side(LEEDS), side(c), score=70.0 + i) for i, c in enumerate(partners)))
    world.later(seconds=61)
    await world.run()

    (mail,) = world.mails(LEEDS)
    text = body(mail)
    assert "And 1 more, in a line each" in text
    assert all(short_name(code, {code: f"Council {code}"}) in text for code in partners)
    full, brief = text.split("And 1 more, in a line each")
    assert short_name("E06000010", {}) in full, "the strongest is told in full"
    assert "Council E06000000" in brief, "the weakest in a line"
    (event,) = await world.events()
    assert len(event.opportunities) == 11


async def test_more_than_three_mails_a_week_wait_for_the_digest(world: World) -> None:
    await world.register(LEEDS)
    for number in range(4):
        await world.arrives(state(side(LEEDS), side(f"E0600000{number}")))
        world.later(hours=1)
        await world.run()
    assert len(world.mails(LEEDS)) == notification_schedule.IMMEDIATE_PER_WEEK

    world.later(days=7)
    await world.run()
    *_, digest = world.mails(LEEDS)
    assert len(world.mails(LEEDS)) == 4
    assert digest["Subject"].endswith("may buy it too")
    assert short_name("E06000003", {}) in body(digest)


async def test_who_wants_no_digest_gets_the_fourth_mail_when_the_week_allows(world: World) -> None:
    await world.register(LEEDS, digest=False)
    for number in range(4):
        await world.arrives(state(side(LEEDS), side(f"E0600000{number}")))
        world.later(hours=1)
        await world.run()
    assert len(world.mails(LEEDS)) == notification_schedule.IMMEDIATE_PER_WEEK
    for _ in range(8):
        world.later(days=1)
        await world.run()
    assert len(world.mails(LEEDS)) == 4


@pytest.mark.parametrize("change", [{"mailbox": None}, {"paused_until": "tomorrow"}], ids=["no mailbox", "paused"])
async def test_what_is_put_off_at_the_moment_of_sending_is_held_and_told_later(
    world: World, change: dict[str, object]
) -> None:
    await world.register(LEEDS)
    await world.arrives(state())
    world.later(seconds=61)
    assert await world.gather() == 1
    if "paused_until" in change:
        change = {"paused_until": (world.now + timedelta(days=1)).date()}
    await world.register(LEEDS, **change)
    await world.run()
    assert not world.mails(LEEDS)
    assert LEEDS in {h.authority for h in await world.held()}

    world.later(days=1)
    await world.register(LEEDS)
    await world.run()
    assert len(world.mails(LEEDS)) == 1
    assert [mail.state for mail in await world.all_mails()] == ["cancelled", "sent"]


async def test_a_digest_waits_for_monday_eight_in_london_unless_flushed(world: World) -> None:
    await world.register(LEEDS, CAMDEN)
    await world.arrives(state(band="digest", score=60.0))
    world.later(days=6, hours=19)  # Monday 07:00
    await world.run()
    assert not world.mails()
    world.later(hours=1, seconds=1)
    await world.run()
    assert len(world.mails()) == 2

    await world.arrives(state(side(LEEDS), side("E06000001"), band="digest", score=60.0))
    assert await flush_all(world.sessions) == 2
    world.later(hours=1)
    await world.run()
    assert len(world.mails(LEEDS)) == 2
    assert await flush_all(world.sessions) == 1, "what is held for want of a mailbox stays held"


async def test_an_empty_digest_is_never_sent(world: World) -> None:
    await world.register(LEEDS)
    await world.arrives(state(band="digest", score=60.0))
    await world.arrives(state(material=2, status="withdrawn", band="digest"))
    world.later(days=15)
    await world.run()
    assert not world.mails()
    assert not await world.events()


async def test_feed_is_never_mailed(world: World) -> None:
    await world.register(LEEDS, CAMDEN)
    assert await world.arrives(state(band="feed", score=30.0)) == 0
    world.later(days=15)
    await world.run()
    assert not world.mails()


async def test_without_a_mailbox_news_is_held_and_sent_once_there_is_one(world: World) -> None:
    await world.register(LEEDS, mailbox=None)
    await world.arrives(state())
    world.later(days=1)
    await world.run()
    assert not world.mails()
    assert {(h.authority, h.why, h.intents) for h in await world.held()} == {
        (LEEDS, "no-mailbox", 1),
        (CAMDEN, "no-mailbox", 1),
    }

    await world.register(LEEDS)
    await world.run()
    assert len(world.mails(LEEDS)) == 1
    assert [h.authority for h in await world.held()] == [CAMDEN]


async def test_a_pause_holds_everything_back_until_its_end(world: World) -> None:
    await world.register(LEEDS, paused_until=(world.now + timedelta(days=3)).date())
    await world.arrives(state())
    world.later(days=1)
    await world.run()
    assert not world.mails(LEEDS)
    assert (LEEDS, "paused") in {(h.authority, h.why) for h in await world.held()}
    assert not await world.all_mails(), "no mail is begun only to be put off"
    world.later(days=2)
    await world.run()
    assert len(world.mails(LEEDS)) == 1


async def test_a_pause_ends_at_midnight_in_london(world: World) -> None:
    world.now = datetime(2027, 7, 1, 20, 0, tzinfo=UTC)
    await world.register(LEEDS, CAMDEN)
    await world.arrives(state())
    world.later(seconds=61)
    await world.gather()
    for code in (LEEDS, CAMDEN):
        await world.prefer(code, {"paused_until": date(2027, 7, 2)}, "")
    world.now = datetime(2027, 7, 1, 22, 59, tzinfo=UTC)
    await world.run()
    assert not world.mails()
    assert {h.why for h in await world.held()} == {"paused"}
    world.later(minutes=2)
    await world.run()
    assert len(world.mails()) == 2
    assert not await world.held()


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
async def test_what_is_not_wanted_at_the_moment_of_sending_is_not_sent(world: World, change: dict[str, object]) -> None:
    await world.register(LEEDS)
    await world.arrives(state())
    world.later(seconds=61)
    await world.gather()
    await world.prefer(LEEDS, change, state().opportunity_id)
    await world.run()
    world.later(days=15)
    await world.run()
    assert not world.mails(LEEDS)
    assert [intent.state for intent in await world.intents(LEEDS)] == ["cancelled"]


async def test_who_wants_digests_only_gets_urgent_news_in_the_digest(world: World) -> None:
    await world.register(LEEDS)
    await world.arrives(state())
    world.later(seconds=61)
    await world.gather()
    await world.register(LEEDS, immediate=False)
    await world.run()
    assert not world.mails(LEEDS)
    world.later(days=7)
    await world.run()
    (mail,) = world.mails(LEEDS)
    assert mail["Subject"].endswith("may buy it too")
