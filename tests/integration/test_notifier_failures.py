"""What goes wrong on the way out: refused for now, refused for good, no answer, a sender that vanishes."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog
from structlog.testing import capture_logs

from events.notifications import NotificationFailed, NotificationSent
from services.application.authority_csv import read
from services.cli.authorities import save_all
from services.domain import notification_schedule
from services.notifier import channels
from services.notifier.dispatch import DispatchLoop
from services.platform.dependencies import Dependencies
from services.store.authorities import AuthorityUpdate
from services.store.database import make_engine, make_sessions
from tests.support.notifier import ADDRESS, NotifierHarness
from tests.unit.notifier.making import CAMDEN, LEEDS, side, state

MAILBOX = ADDRESS[LEEDS]


@pytest.fixture
async def notifier(notifier: NotifierHarness) -> NotifierHarness:
    """A notifier with one thing due to be told to Leeds."""
    await notifier.register(LEEDS)
    await notifier.arrives(state())
    notifier.later(seconds=61)
    return notifier


async def test_a_refused_mail_is_tried_again_under_its_message_id(notifier: NotifierHarness) -> None:
    notifier.mailbox.answers.recipients[MAILBOX] = "451 4.3.0 Later"
    assert await notifier.run() == 1
    assert await notifier.run() == 0, "not before its time"
    (mail,) = await notifier.all_mails()
    assert (mail.state, mail.reason, mail.attempts) == ("queued", "smtp-451", 1)
    assert not await notifier.events()

    notifier.mailbox.answers.reset()
    notifier.later(seconds=31)
    await notifier.run()
    (received,) = notifier.mails(LEEDS)
    assert received["Message-ID"] == mail.message_id
    (event,) = await notifier.events()
    assert isinstance(event, NotificationSent)
    assert event.attempts == 2


async def test_a_notifier_is_alive_while_its_database_is_away(
    notifier: NotifierHarness,
) -> None:
    away = make_engine("postgresql+psycopg://jointly@127.0.0.1:1/jointly")
    rounds = DispatchLoop(notifier.dispatch(sessions=make_sessions(away)))
    dependencies = Dependencies({})
    live = dependencies.rounds(lambda: rounds.last, 900, "no email has been looked for")
    looking = asyncio.create_task(rounds.run_for_ever())
    try:
        rounds.last -= 901
        dependencies.answering_since -= 901
        async with asyncio.timeout(30):
            while await live() is not None:
                await asyncio.sleep(0.01)
    finally:
        looking.cancel()
        await asyncio.wait([looking])
        await away.dispose()
    rounds.last -= 901
    assert str(await live()).startswith("no email has been looked for, for 90")


async def test_refused_for_good_it_is_given_up_and_visible(notifier: NotifierHarness) -> None:
    notifier.mailbox.answers.recipients[MAILBOX] = "550 5.1.1 No such mailbox"
    await notifier.run()
    notifier.mailbox.answers.reset()
    notifier.later(days=10)
    await notifier.run()
    assert not notifier.mails(LEEDS)
    (event,) = await notifier.events()
    assert isinstance(event, NotificationFailed)
    assert (event.failure, event.reason) == ("permanent", "smtp-550")
    assert [o.material_revision for o in event.opportunities] == [1]
    (mail,) = await notifier.all_mails()
    assert (mail.state, mail.failure) == ("failed", "permanent")


async def test_another_mailbox_gets_what_the_old_one_refused(notifier: NotifierHarness) -> None:
    notifier.mailbox.answers.recipients[MAILBOX] = "550 5.1.1 No such mailbox"
    await notifier.run()
    entries = list(read(f"authority,mailbox\n{LEEDS},new@leeds.example\n"))
    saved = await save_all(notifier.sessions, [e for e in entries if isinstance(e, AuthorityUpdate)], notifier.now)
    assert saved["due_again"] == 1
    notifier.later(days=1)
    await notifier.run()
    assert [mail["To"] for mail in notifier.mails()] == ["new@leeds.example"]
    refs = {event.recipient for event in await notifier.events()}
    assert len(refs) == 2, "another mailbox is another reference"


async def test_a_server_that_stays_away_is_given_up_after_three_days(notifier: NotifierHarness) -> None:
    nowhere = channels.smtp_from_url("smtp://127.0.0.1:9", timeout=2)
    attempts = 0
    while not await notifier.events():
        attempts += await notifier.run(channel=nowhere)
        notifier.later(minutes=61)
    assert attempts == (await notifier.all_mails())[0].attempts > 60
    (event,) = await notifier.events()
    assert isinstance(event, NotificationFailed)
    assert event.failure == "temporary"
    assert event.at - (await notifier.all_mails())[0].created_at >= notification_schedule.GIVE_UP_AFTER


async def test_no_answer_leaves_it_unknown_and_it_is_tried_once_more(notifier: NotifierHarness) -> None:
    notifier.mailbox.answers.hang.add(MAILBOX)
    impatient = channels.smtp_from_url(notifier.mailbox.url, timeout=0.5)
    await notifier.run(channel=impatient)
    (mail,) = await notifier.all_mails()
    assert (mail.state, mail.unknown_outcomes) == ("ambiguous", 1)
    assert [intent.state for intent in await notifier.intents(LEEDS)] == ["ambiguous"]

    notifier.later(hours=2)
    await notifier.run(channel=impatient)
    notifier.later(days=10)
    await notifier.run()
    first, second = notifier.mails(LEEDS)
    assert first["Message-ID"] == second["Message-ID"]
    (event,) = await notifier.events()
    assert isinstance(event, NotificationFailed)
    assert (event.failure, event.attempts) == ("ambiguous", 2)


async def test_a_mail_refused_after_it_may_have_arrived_is_unknown(notifier: NotifierHarness) -> None:
    """The first copy came: nobody may take the mail for one that certainly never did."""
    notifier.mailbox.answers.hang.add(MAILBOX)
    await notifier.run(channel=channels.smtp_from_url(notifier.mailbox.url, timeout=0.5))
    notifier.mailbox.answers.reset()
    notifier.mailbox.answers.recipients[MAILBOX] = "550 5.1.1 No such mailbox"
    notifier.later(hours=2)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1
    (mail,) = await notifier.all_mails()
    assert (mail.state, mail.failure, mail.reason) == ("failed", "ambiguous", "smtp-550")
    (event,) = await notifier.events()
    assert isinstance(event, NotificationFailed)
    assert (event.failure, event.reason) == ("ambiguous", "smtp-550")


async def test_what_may_have_arrived_is_corrected_when_it_ends(notifier: NotifierHarness) -> None:
    notifier.mailbox.answers.hang.add(MAILBOX)
    await notifier.run(channel=channels.smtp_from_url(notifier.mailbox.url, timeout=0.5))
    notifier.mailbox.answers.reset()
    await notifier.arrives(state(material=2, status="withdrawn"))
    notifier.later(hours=2)
    await notifier.run()
    _, correction = notifier.mails(LEEDS)
    assert correction["Subject"].endswith("now")


async def test_a_sender_that_vanished_while_sending_is_followed_once(notifier: NotifierHarness) -> None:
    for expected in ("ambiguous", "failed"):
        channel = notifier.stopping_channel()
        sending = notifier.start(notifier.run(channel=channel))
        await channel.reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert [mail.state for mail in await notifier.all_mails()] == ["sending"]
        assert await notifier.run() == 0, "its lease still runs"
        notifier.later(seconds=notification_schedule.LEASE.total_seconds() + 1)
        await notifier.forsaken()
        assert [mail.state for mail in await notifier.all_mails()] == [expected]
        notifier.later(minutes=5)
    (event,) = await notifier.events()
    assert isinstance(event, NotificationFailed)
    assert (event.failure, event.reason) == ("ambiguous", "sender-vanished")


async def test_a_claim_that_was_never_used_is_taken_over(notifier: NotifierHarness) -> None:
    await notifier.gather()
    assert await notifier.claim() is not None
    assert await notifier.run() == 0
    notifier.later(seconds=notification_schedule.LEASE.total_seconds() + 1)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1


async def test_a_late_word_of_success_counts(notifier: NotifierHarness) -> None:
    channel = notifier.stopping_channel()
    sending = notifier.start(notifier.run(channel=channel))
    await channel.reached.wait()
    notifier.later(seconds=notification_schedule.LEASE.total_seconds() + 1)
    await notifier.forsaken()
    channel.go_on.set()
    await sending
    notifier.later(days=1)
    await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1
    assert [intent.state for intent in await notifier.intents(LEEDS)] == ["sent"]


async def test_a_mail_that_cannot_be_composed_blocks_nobody(notifier: NotifierHarness) -> None:
    await notifier.register(CAMDEN)
    await notifier.spoil(state())
    await notifier.arrives(state(side(LEEDS), side("E06000001")), state(side(CAMDEN), side("E06000002")))
    await notifier.arrives(state(side("E06000003"), side("E06000004")))
    await notifier.register("E06000003")
    notifier.later(hours=1)
    await notifier.run()
    assert [mail["To"] for mail in notifier.mails()] == ["buying@e06000003.example"]
    events = await notifier.events()
    assert {(event.authority, getattr(event, "reason", None)) for event in events} == {
        (LEEDS, "not-composed"),
        (CAMDEN, "not-composed"),
        ("E06000003", None),
    }


@pytest.fixture
def every_line() -> Iterator[None]:
    """Logs of every level, whatever the other tests show."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("every_line")
async def test_no_address_in_the_logs(notifier: NotifierHarness) -> None:
    with capture_logs() as lines:
        await notifier.arrives(state(side(LEEDS), side("E06000001")))
        notifier.mailbox.answers.recipients[MAILBOX] = f"451 4.3.0 <{MAILBOX}> is greylisted"
        await notifier.run()
        notifier.mailbox.answers.recipients[MAILBOX] = f"550 5.1.1 <{MAILBOX}> does not exist"
        notifier.later(hours=1)
        await notifier.run()
        notifier.mailbox.answers.reset()
        await notifier.register(CAMDEN)
        await notifier.run()
    printed = json.dumps(lines, default=str)
    assert all(part in printed for part in ("smtp-451", "smtp-550", '"intent"', '"sent"'))
    assert "@" not in printed
    assert "@" not in json.dumps([event.model_dump(mode="json") for event in await notifier.events()])


async def test_many_temporary_failures_wait_longer_and_longer(notifier: NotifierHarness) -> None:
    notifier.mailbox.answers.recipients[MAILBOX] = "451 4.3.0 Later"
    waits = []
    for _ in range(9):
        await notifier.run()
        (mail,) = await notifier.all_mails()
        waits.append(mail.next_attempt_at - notifier.now)
        notifier.now = mail.next_attempt_at
    assert waits[:3] == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    assert waits == sorted(waits)
    assert waits[-1] == notification_schedule.MAX_BACKOFF
