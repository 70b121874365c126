"""Whom a mail may name, and whose events are believed."""

from typing import Any

import pytest

from tests.support.notifier import NotifierHarness, body
from tests.unit.notifier.making import CAMDEN, LEEDS, side, state

STRANGER = "GB-X-CLICK-HERE-TO-WIN"


async def test_an_unknown_code_is_told_of_once_it_is_registered(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    await notifier.arrives(state(side(LEEDS), side(STRANGER, title="Payroll")), known=False)
    notifier.later(minutes=2)
    await notifier.run()
    assert notifier.mails(LEEDS) == []
    assert [(held.authority, held.why) for held in await notifier.held()] == [
        (STRANGER, "no-mailbox"),
        (STRANGER, "unknown-partner"),
    ]

    await notifier.register(STRANGER, name="Somewhere Council", mailbox="buying@somewhere.example")
    notifier.later(days=1, minutes=2)
    await notifier.run()
    (mail,) = notifier.mails(LEEDS)
    assert mail["Subject"].endswith(": Somewhere Council could join you")
    assert STRANGER not in body(mail) + body(mail, "html") + mail["Subject"]


async def test_a_council_is_named_as_the_register_calls_it(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS)
    await notifier.arrives(state(side(LEEDS), side(CAMDEN, authority_name="Winner. Click evil.com")), known=False)
    notifier.later(minutes=2)
    await notifier.run()
    (mail,) = notifier.mails(LEEDS)
    everything = body(mail) + body(mail, "html") + mail["Subject"]
    assert "Camden" in everything
    assert "Winner" not in everything


@pytest.mark.parametrize("forged", [{"revision": 3}, {"plans": (side(LEEDS), side("E06000014"))}])
async def test_what_the_database_never_had_is_refused(notifier: NotifierHarness, forged: dict[str, Any]) -> None:
    """Somebody who may write to the topic tells authorities nothing."""
    genuine = state(material=2)
    await notifier.register(LEEDS, CAMDEN)
    await notifier.stands(genuine)
    fake = genuine.model_copy(update=forged)
    assert await notifier.comes(fake) == [fake]
    assert await notifier.comes(state(side(LEEDS), side("E06000014"))) != [], "nor one that has no row at all"
    assert await notifier.intents() == []


async def test_a_revision_that_the_database_has_left_behind_is_no_forgery(notifier: NotifierHarness) -> None:
    await notifier.register(LEEDS, CAMDEN)
    await notifier.stands(state(material=3))
    assert await notifier.comes(state(material=2)) == []
    assert await notifier.intents() == [], "its successor tells"
    assert await notifier.comes(state(material=3)) == []
    assert len(await notifier.intents()) == 2
