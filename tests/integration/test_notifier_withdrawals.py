"""Whoever was told is told when it no longer holds; whoever was not, is not."""

import pytest

from tests.support.notifier import NotifierHarness, body
from tests.unit.notifier.making import CAMDEN, LEEDS, state

ENDED = state(material=2, status="withdrawn", reasons=("Camden has withdrawn its plan",))


@pytest.fixture
async def notifier(notifier: NotifierHarness) -> NotifierHarness:
    await notifier.register(LEEDS)
    return notifier


async def test_withdrawn_before_sending_nothing_is_sent(notifier: NotifierHarness) -> None:
    await notifier.arrives(state())
    notifier.later(seconds=30)
    assert await notifier.arrives(ENDED) == 0
    notifier.later(days=15)
    await notifier.run()
    assert not notifier.mails()
    assert {(intent.state, intent.reason) for intent in await notifier.intents()} == {("cancelled", "withdrawn")}


async def test_withdrawn_while_the_mail_is_waiting_nothing_is_sent(notifier: NotifierHarness) -> None:
    await notifier.arrives(state())
    notifier.later(seconds=61)
    assert await notifier.gather() == 1
    await notifier.arrives(ENDED)
    notifier.later(days=1)
    await notifier.run()
    assert not notifier.mails()
    assert [mail.state for mail in await notifier.all_mails()] == ["cancelled"]


async def test_nothing_is_sent_once_the_database_has_the_withdrawal(
    notifier: NotifierHarness,
) -> None:
    await notifier.arrives(state())
    await notifier.stands(ENDED)
    notifier.later(days=1)
    await notifier.run()
    assert not notifier.mails()
    await notifier.arrives(ENDED)
    notifier.later(days=1)
    await notifier.run()
    assert not notifier.mails(), "nothing was told, so there is nothing to correct"


async def test_withdrawn_after_sending_there_is_one_correction(notifier: NotifierHarness) -> None:
    await notifier.arrives(state())
    notifier.later(seconds=61)
    await notifier.run()
    await notifier.arrives(ENDED)
    await notifier.arrives(ENDED)
    notifier.later(seconds=6)
    await notifier.run()
    notifier.later(days=15)
    await notifier.run()

    first, correction = notifier.mails(LEEDS)
    assert correction["Subject"].endswith(": no match with Camden now")
    assert "Camden has withdrawn its plan" in body(correction)
    assert [event.purpose for event in await notifier.events()] == ["immediate", "correction"]
    assert first["Message-ID"] != correction["Message-ID"]
    assert first["In-Reply-To"] is None
    assert correction["In-Reply-To"] == correction["References"] == first["Message-ID"]
    assert first["List-Id"] == correction["List-Id"] == "Suggestions <suggestions.jointly.example>"


async def test_a_match_withdrawn_during_sending_is_corrected(notifier: NotifierHarness) -> None:
    await notifier.arrives(state())
    notifier.later(seconds=61)
    channel = notifier.stopping_channel()
    sending = notifier.start(notifier.run(channel=channel))
    await channel.reached.wait()

    await notifier.arrives(ENDED)
    notifier.later(seconds=6)
    await notifier.run()
    assert not notifier.mails(), "whether the first one arrives decides about the correction"

    channel.go_on.set()
    await sending
    await notifier.run()
    assert [mail["Subject"][-7:] for mail in notifier.mails(LEEDS)] == ["oin you", "den now"]


async def test_a_refused_mail_needs_no_correction(notifier: NotifierHarness) -> None:
    await notifier.arrives(state())
    notifier.later(seconds=61)
    channel = notifier.stopping_channel()
    sending = notifier.start(notifier.run(channel=channel))
    await channel.reached.wait()
    await notifier.arrives(ENDED)
    notifier.mailbox.answers.recipients["procurement@leeds.example"] = "550 5.1.1 No such mailbox"
    channel.go_on.set()
    await sending

    notifier.mailbox.answers.reset()
    notifier.later(days=1)
    await notifier.run()
    assert not notifier.mails()
    leeds = await notifier.intents(LEEDS)
    assert [(intent.change, intent.state, intent.reason) for intent in leeds] == [
        ("new", "failed", "smtp-550"),
        ("withdrawn", "cancelled", "never-told"),
    ]


async def test_what_ended_and_is_back_is_told_anew(notifier: NotifierHarness) -> None:
    await notifier.arrives(state())
    notifier.later(seconds=61)
    await notifier.run()
    await notifier.arrives(ENDED)
    notifier.later(seconds=61)
    await notifier.run()
    await notifier.arrives(state(material=3))
    notifier.later(seconds=61)
    await notifier.run()
    *_, last = notifier.mails(LEEDS)
    assert len(notifier.mails(LEEDS)) == 3
    assert "it is open again" in body(last)


async def test_a_higher_revision_overtakes_what_is_not_sent_yet(notifier: NotifierHarness) -> None:
    await notifier.arrives(state())
    notifier.later(seconds=61)
    await notifier.gather()
    await notifier.arrives(state(material=2, score=92.0))
    notifier.later(seconds=61)
    await notifier.run()
    (mail,) = notifier.mails(LEEDS)
    assert "92 out of 100" in body(mail)
    await notifier.arrives(state(material=1))
    notifier.later(seconds=61)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1, "a lower revision is old news"


async def test_a_newer_row_waits_for_its_own_event(notifier: NotifierHarness) -> None:
    await notifier.arrives(state())
    notifier.later(seconds=61)
    await notifier.gather()
    await notifier.stands(state(material=2, score=92.0))
    await notifier.run()
    assert not notifier.mails()
    await notifier.arrives(state(material=2, score=92.0))
    notifier.later(seconds=61)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1


async def test_an_outdated_event_asks_for_nothing(notifier: NotifierHarness) -> None:
    await notifier.stands(state(material=2))
    before = len(await notifier.intents())
    assert await notifier.comes(state(material=1)) == []
    assert len(await notifier.intents()) == before


async def test_a_fall_to_feed_is_corrected_in_the_digest(notifier: NotifierHarness) -> None:
    await notifier.register(CAMDEN, mailbox=None)
    await notifier.arrives(state())
    notifier.later(seconds=61)
    await notifier.run()
    await notifier.arrives(state(material=2, band="feed", score=35.0))
    notifier.later(hours=1)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1
    notifier.later(days=7)
    await notifier.run()
    _, digest = notifier.mails(LEEDS)
    assert "weaker than when we last wrote" in body(digest)
    await notifier.register(CAMDEN)
    await notifier.run()
    assert not notifier.mails(CAMDEN), "never told that it was strong"
