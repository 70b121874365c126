"""Nobody fills others' mails: caps on what a mail tells of one plan and one authority, and on who hears at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from events.fields import Window
from events.opportunities import NearestMove
from services.domain.notification_caps import Caps
from services.local_stack.mail_sink import MailSink
from services.platform import metrics
from services.store import digests
from services.store.database import make_engine, make_sessions, transaction
from services.store.partner_plans import MAX_COUNTED
from tests.support.notifier import NotifierHarness, body
from tests.unit.notifier.making import CAMDEN, LEEDS, side, state

YORK = "E06000014"
CAPS = Caps(per_plan=2, per_authority=4, reach=3)


@pytest.fixture
async def notifier(database_url: str, mailbox: MailSink) -> AsyncIterator[NotifierHarness]:
    engine = make_engine(database_url)
    yield NotifierHarness(make_sessions(engine), mailbox, caps=CAPS)
    await engine.dispose()


def copies(count: int, *, of: str = CAMDEN, to: str = LEEDS, **fields: object) -> list:
    """One authority's plans, all of which match one plan; the first one is the strongest match."""
    return [
        state(side(to), side(of, plan_id=f"{of}:COPY-{n}", title=f"Copy number {n}."), score=95.0 - n / 2, **fields)
        for n in range(count)
    ]


def capped(cap: str) -> float:
    return metrics.INTENTS_CAPPED.labels(cap=cap)._value.get()


async def at_once(notifier: NotifierHarness) -> None:
    notifier.later(seconds=61)
    await notifier.run()


async def test_copies_fill_no_mail_and_the_strongest_are_told_first(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    before = capped("authority")
    real = state(side(LEEDS), side(YORK, title="The real one"), score=71.0)
    await notifier.arrives(*copies(7), real)
    with capture_logs() as logged:
        await at_once(notifier)
    (mail,) = notifier.mails(LEEDS)
    text = body(mail)
    assert [f"Copy number {n}." in text for n in range(7)] == [True] * 4 + [False] * 3
    assert "The real one" in text, "what others have found is not pushed out"
    for kind in ("plain", "html"):
        assert "And 3 more with London Borough of Camden" in body(mail, kind)
        assert "Later emails bring the others" in body(mail, kind)
    assert capped("authority") - before == 3
    (line,) = [line for line in logged if line["event"] == "told later, over a cap"]
    assert (line["cap"], line["authority"], line["partner"], line["intents"]) == ("authority", LEEDS, CAMDEN, 3)

    notifier.later(days=7)
    with capture_logs() as logged:
        await notifier.run()
    *_, digest = notifier.mails(LEEDS)
    assert digest["Subject"].endswith("may buy it too")
    assert [f"Copy number {n}." in body(digest) for n in range(7)] == [False] * 4 + [True] * 3
    assert "more with London" not in body(digest)
    assert capped("authority") - before == 3, "each is shown once"
    assert Counter(intent.state for intent in await notifier.intents(LEEDS)) == {"sent": 8}


async def versions(notifier: NotifierHarness) -> dict[int, tuple[str, str]]:
    """Of each intent the transactions that wrote it last and that held or replaced it last."""
    async with notifier.sessions() as session:
        rows = await session.execute(
            text("SELECT id, CAST(xmin AS text), CAST(xmax AS text) FROM notification_intents")
        )
        return {number: (written, held) for number, written, held in rows}


@pytest.mark.parametrize(("waiting", "said"), [(12, "4"), (150, f"at least {MAX_COUNTED}")])
async def test_a_digest_costs_what_it_tells_whatever_waits_besides(
    notifier: NotifierHarness, waiting: int, said: str
) -> None:
    """Neither making the digest due nor making and sending it touches a row that it does not tell."""
    await notifier.register(LEEDS)
    await notifier.arrives(*copies(waiting))
    await at_once(notifier)
    before = await versions(notifier)
    async with transaction(notifier.sessions) as session:
        flushed = await digests.flush_digests(session, notifier.now)
    assert await notifier.run() == 1
    after = await versions(notifier)
    assert flushed == CAPS.per_authority
    assert sum(after[number] != before[number] for number in before) == CAPS.per_authority
    assert Counter(intent.state for intent in await notifier.intents(LEEDS)) == {"sent": 8, "pending": waiting - 8}
    assert f"And {said} more with London Borough of Camden" in body(notifier.mails(LEEDS)[-1])


async def test_what_is_new_and_stronger_comes_before_what_was_spread(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS, immediate=False)
    await notifier.arrives(*copies(12))
    await at_once(notifier)
    notifier.later(days=7)
    await notifier.run()
    newer = [side(CAMDEN, plan_id=f"{CAMDEN}:NEWER-{n}", title=f"Newer number {n}.") for n in range(3)]
    await notifier.arrives(*(state(side(LEEDS), plan, score=99.0) for plan in newer))
    await at_once(notifier)
    for _ in range(3):
        notifier.later(days=7)
        await notifier.run()
    digests = [body(mail) for mail in notifier.mails(LEEDS)]
    assert [sum(f"Newer number {n}." in text for n in range(3)) for text in digests] == [0, 3, 0, 0]
    told = [[n for n in range(12) if f"Copy number {n}." in text] for text in digests]
    assert told == [[0, 1, 2, 3], [4], [5, 6, 7, 8], [9, 10, 11]]


async def test_one_plan_that_matches_everything_of_a_reader(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    before = capped("plan")
    one = side(CAMDEN, plan_id=f"{CAMDEN}:EVERYTHING")
    own = [side(LEEDS, plan_id=f"{LEEDS}:P-{n}", title=f"Own plan {n}.") for n in range(5)]
    await notifier.arrives(*(state(plan, one, score=90.0 - n) for n, plan in enumerate(own)))
    with capture_logs() as logged:
        await at_once(notifier)
    (mail,) = notifier.mails(LEEDS)
    assert [f"Own plan {n}." in body(mail) for n in range(5)] == [True] * 2 + [False] * 3
    assert "And 3 more with London Borough of Camden" in body(mail)
    assert capped("plan") - before == 3
    assert [line["plan_id"] for line in logged if line["event"] == "told later, over a cap"] == [one.plan_id]
    for _ in range(3):
        notifier.later(days=7)
        await notifier.run()
    told = [[n for n in range(5) if f"Own plan {n}." in body(mail)] for mail in notifier.mails(LEEDS)]
    assert told == [[0, 1], [2, 3], [4]], "week by week, each once, and no empty mail"


async def test_partners_over_the_cap_hear_of_a_plan_in_the_digest(notifier: NotifierHarness) -> None:
    readers = [f"E0600{number:04d}" for number in range(5)]
    await notifier.register(*readers)
    before = capped("reach")
    one = side(CAMDEN, plan_id=f"{CAMDEN}:EVERYTHING")
    await notifier.arrives(*(state(side(code), one) for code in readers))
    await at_once(notifier)
    assert len(notifier.mails()) == 3
    assert capped("reach") - before == 2
    notifier.later(days=2)
    late = state(side(LEEDS), one)
    await notifier.register(LEEDS)
    await notifier.arrives(late)
    await at_once(notifier)
    assert len(notifier.mails()) == 4, "another day"
    notifier.later(days=5)
    await notifier.run()
    assert Counter(str(mail["Subject"]).endswith("may buy it too") for mail in notifier.mails()) == {False: 4, True: 2}
    assert len({mail["To"] for mail in notifier.mails()}) == 6


async def test_two_at_once_let_one_more_hear_at_most(notifier: NotifierHarness) -> None:
    readers = [f"E0600{number:04d}" for number in range(8)]
    await notifier.register(*readers)
    one = side(CAMDEN, plan_id=f"{CAMDEN}:EVERYTHING")
    await notifier.arrives(*(state(side(code), one) for code in readers))
    notifier.later(seconds=61)
    await asyncio.gather(notifier.run(), notifier.run())
    assert CAPS.reach <= len(notifier.mails()) <= CAPS.reach + 1


async def test_a_match_withdrawn_while_it_waits_is_never_told(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    found = copies(6)
    await notifier.arrives(*found)
    await at_once(notifier)
    await notifier.arrives(*copies(6, material=2, status="withdrawn"))
    notifier.later(days=15)
    await notifier.run()
    _, correction = notifier.mails(LEEDS)
    assert correction["Subject"].endswith("now")
    assert "more with" not in body(correction)
    assert [f"Copy number {n}." in body(correction) for n in range(6)] == [True] * 4 + [False] * 2
    waited = [intent for intent in await notifier.intents(LEEDS) if intent.change == "new" and intent.state != "sent"]
    assert [(intent.state, intent.reason) for intent in waited] == [("cancelled", "withdrawn")] * 2


async def test_who_mutes_the_authority_hears_no_more_of_what_waited(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    await notifier.arrives(*copies(6))
    await at_once(notifier)
    await notifier.prefer(LEEDS, {"mute_partner": CAMDEN}, "")
    for _ in range(3):
        notifier.later(days=7)
        await notifier.run()
    assert len(notifier.mails(LEEDS)) == 1
    assert Counter(intent.state for intent in await notifier.intents(LEEDS)) == {"sent": 4, "cancelled": 2}


async def test_without_a_digest_the_rest_waits_for_the_week(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS, digest=False)
    await notifier.arrives(*copies(6))
    await at_once(notifier)
    assert "And 2 more with London Borough of Camden" in body(notifier.mails(LEEDS)[0])
    notifier.later(days=1)
    await notifier.run()
    _, second = notifier.mails(LEEDS)
    assert [f"Copy number {n}." in body(second) for n in range(6)] == [False] * 4 + [True] * 2
    assert "more with" not in body(second)


async def test_a_digest_tells_two_near_misses_of_a_plan(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    before = capped("near-miss")
    readers = ["E06000014", "E08000032", "E08000033"]
    window = Window(earliest=date(2027, 9, 1), latest=date(2027, 9, 30))
    move = NearestMove(authority=LEEDS, months=3, tender_window=window, common_window=window)
    apart = {"band": "digest", "common_window": None, "decide_by": None, "nearest_move": move}
    near = [
        state(side(LEEDS), side(code, title=f"Near number {n}."), score=60.0 - n, **apart)
        for n, code in enumerate(readers)
    ]
    met = state(side(LEEDS), side(CAMDEN, title="One that meets."), band="digest", score=40.0)
    await notifier.arrives(*near, met)
    for _ in range(2):
        notifier.later(days=7)
        with capture_logs() as logged:
            await notifier.run()
        assert "told later, over a cap" not in [line["event"] for line in logged]
    told = [[n for n in range(3) if f"Near number {n}." in body(mail)] for mail in notifier.mails(LEEDS)]
    assert told == [[0, 1], [2]]
    assert "One that meets." in body(notifier.mails(LEEDS)[0])
    said = [" ".join(body(mail).split()) for mail in notifier.mails(LEEDS)]
    assert "to buy this when you do, but the dates of York and Bradford do not meet yours." in said[0]
    assert "to buy this, but not when you do." in said[1]
    assert "If you waited, both could go to tender between 1 and 30 September 2027." in said[1]
    assert capped("near-miss") - before == 1


async def test_what_is_shared_as_a_match_only_is_in_no_count(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    closed = [
        state(side(LEEDS), side(CAMDEN, plan_id=f"{CAMDEN}:CLOSED-{n}", sharing="match_only"), score=50.0 - n)
        for n in range(3)
    ]
    await notifier.arrives(*copies(6), *closed)
    await at_once(notifier)
    (mail,) = notifier.mails(LEEDS)
    assert "And 2 more with London Borough of Camden" in body(mail)
