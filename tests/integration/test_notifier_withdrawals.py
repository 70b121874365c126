"""Whoever was told is told when it no longer holds; whoever was not, is not."""

from collections.abc import AsyncIterator

import pytest

from services.local_stack.mail_sink import MailSink
from services.store.database import make_engine, make_sessions
from tests.unit.notifier.making import CAMDEN, LEEDS, state
from tests.unit.notifier.world import World, body

ENDED = state(material=2, status="withdrawn", reasons=("Camden has withdrawn its plan",))


@pytest.fixture
async def world(database_url: str, mailbox: MailSink) -> AsyncIterator[World]:
    engine = make_engine(database_url)
    found = World(make_sessions(engine), mailbox)
    await found.register(LEEDS)
    yield found
    await engine.dispose()


async def test_withdrawn_before_sending_nothing_is_sent(world: World) -> None:
    await world.arrives(state())
    world.later(seconds=30)
    assert await world.arrives(ENDED) == 0
    world.later(days=15)
    await world.run()
    assert not world.mails()
    assert {(intent.state, intent.reason) for intent in await world.intents()} == {("cancelled", "withdrawn")}


async def test_withdrawn_while_the_mail_is_waiting_nothing_is_sent(world: World) -> None:
    await world.arrives(state())
    world.later(seconds=61)
    assert await world.gather() == 1
    await world.arrives(ENDED)
    world.later(days=1)
    await world.run()
    assert not world.mails()
    assert [mail.state for mail in await world.all_mails()] == ["cancelled"]


async def test_withdrawn_in_the_database_nothing_is_sent_though_the_event_is_still_on_its_way(world: World) -> None:
    await world.arrives(state())
    await world.stands(ENDED)
    world.later(days=1)
    await world.run()
    assert not world.mails()
    await world.arrives(ENDED)
    world.later(days=1)
    await world.run()
    assert not world.mails(), "nothing was told, so there is nothing to correct"


async def test_withdrawn_after_sending_there_is_one_correction(world: World) -> None:
    await world.arrives(state())
    world.later(seconds=61)
    await world.run()
    await world.arrives(ENDED)
    await world.arrives(ENDED)
    world.later(seconds=6)
    await world.run()
    world.later(days=15)
    await world.run()

    first, correction = world.mails(LEEDS)
    assert correction["Subject"].endswith(": no match with Camden now")
    assert "Camden has withdrawn its plan" in body(correction)
    assert [event.purpose for event in await world.events()] == ["immediate", "correction"]
    assert first["Message-ID"] != correction["Message-ID"]
    assert first["In-Reply-To"] is None
    assert correction["In-Reply-To"] == correction["References"] == first["Message-ID"]
    assert first["List-Id"] == correction["List-Id"] == "Suggestions <suggestions.jointly.example>"


async def test_withdrawn_while_the_mail_is_being_sent_the_correction_follows(world: World) -> None:
    await world.arrives(state())
    world.later(seconds=61)
    channel = world.stopping_channel()
    sending = world.start(world.run(channel=channel))
    await channel.reached.wait()

    await world.arrives(ENDED)
    world.later(seconds=6)
    await world.run()
    assert not world.mails(), "whether the first one arrives decides about the correction"

    channel.go_on.set()
    await sending
    await world.run()
    assert [mail["Subject"][-7:] for mail in world.mails(LEEDS)] == ["oin you", "den now"]


async def test_withdrawn_while_a_mail_is_being_refused_there_is_nothing_to_correct(world: World) -> None:
    await world.arrives(state())
    world.later(seconds=61)
    channel = world.stopping_channel()
    sending = world.start(world.run(channel=channel))
    await channel.reached.wait()
    await world.arrives(ENDED)
    world.mailbox.answers.recipients["procurement@leeds.example"] = "550 5.1.1 No such mailbox"
    channel.go_on.set()
    await sending

    world.mailbox.answers.reset()
    world.later(days=1)
    await world.run()
    assert not world.mails()
    leeds = await world.intents(LEEDS)
    assert [(intent.change, intent.state, intent.reason) for intent in leeds] == [
        ("new", "failed", "smtp-550"),
        ("withdrawn", "cancelled", "never-told"),
    ]


async def test_what_ended_and_is_back_is_told_anew(world: World) -> None:
    await world.arrives(state())
    world.later(seconds=61)
    await world.run()
    await world.arrives(ENDED)
    world.later(seconds=61)
    await world.run()
    await world.arrives(state(material=3))
    world.later(seconds=61)
    await world.run()
    *_, last = world.mails(LEEDS)
    assert len(world.mails(LEEDS)) == 3
    assert "it is open again" in body(last)


async def test_a_higher_revision_overtakes_what_is_not_sent_yet(world: World) -> None:
    await world.arrives(state())
    world.later(seconds=61)
    await world.gather()
    await world.arrives(state(material=2, score=92.0))
    world.later(seconds=61)
    await world.run()
    (mail,) = world.mails(LEEDS)
    assert "92 out of 100" in body(mail)
    await world.arrives(state(material=1))
    world.later(seconds=61)
    await world.run()
    assert len(world.mails(LEEDS)) == 1, "a lower revision is old news"


async def test_what_has_moved_on_in_the_database_waits_for_its_own_event(world: World) -> None:
    await world.arrives(state())
    world.later(seconds=61)
    await world.gather()
    await world.stands(state(material=2, score=92.0))
    await world.run()
    assert not world.mails()
    await world.arrives(state(material=2, score=92.0))
    world.later(seconds=61)
    await world.run()
    assert len(world.mails(LEEDS)) == 1


async def test_an_event_that_the_database_has_moved_on_from_asks_for_nothing(world: World) -> None:
    await world.stands(state(material=2))
    before = len(await world.intents())
    assert await world.comes(state(material=1)) == []
    assert len(await world.intents()) == before


async def test_what_fell_to_feed_is_put_right_in_the_digest_for_who_was_told(world: World) -> None:
    await world.register(CAMDEN, mailbox=None)
    await world.arrives(state())
    world.later(seconds=61)
    await world.run()
    await world.arrives(state(material=2, band="feed", score=35.0))
    world.later(hours=1)
    await world.run()
    assert len(world.mails(LEEDS)) == 1
    world.later(days=7)
    await world.run()
    _, digest = world.mails(LEEDS)
    assert "weaker than when we last wrote" in body(digest)
    await world.register(CAMDEN)
    await world.run()
    assert not world.mails(CAMDEN), "never told that it was strong"
