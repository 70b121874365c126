"""From an extension to received emails: its authority is told once of each thing, and of nothing that is decided."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from events.notifications import NotificationSent
from events.topics import NOTIFICATIONS
from services.coalitions.benchmark_requests import sweep_requests
from services.local_stack.mail_sink import MailSink
from services.platform.settings import Settings
from services.store.database import make_sessions
from tests.support.coalitions import AS_OF, LEEDS, CoalitionsHarness, award, plan_id
from tests.support.extensions import AFTER, decision, extension
from tests.support.matcher import make_matcher
from tests.support.notifier import NotifierHarness, body

pytestmark = pytest.mark.integration

REMINDER = date(2026, 12, 3)
"""Half time: five of the ten working days."""
PLAN = "Replacement of the HR\u2026"
FIRST = f"{PLAN}: compare prices before extending"
SECOND = f"{PLAN}: have you compared prices?"
LAST = f"{PLAN}: extended without benchmark"


@dataclass
class Scene:
    """Matcher, coalitions process and notifier, one after the other."""

    harness: CoalitionsHarness
    notifier: NotifierHarness

    async def pass_day(self, day: date) -> list[str]:
        """A day with its sweep and its emails; the subjects of all that came until then."""
        self.notifier.now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        await sweep_requests(self.harness.sessions, day, self.notifier.now)
        await self.notifier.run()
        return sorted(mail["Subject"] for mail in self.notifier.mails())


@pytest_asyncio.fixture
async def scene(database: AsyncEngine, mailbox: MailSink) -> AsyncIterator[Scene]:
    sessions, settings = make_sessions(database), Settings(as_of=AS_OF)
    harness = CoalitionsHarness(await make_matcher(sessions, settings), sessions, settings)
    notifier = NotifierHarness(sessions, mailbox)
    await notifier.register(LEEDS, name="Leeds", signed_on=date(2026, 4, 1))
    yield Scene(harness, notifier)


async def test_an_extension_of_another_category_is_not_the_charters(scene: Scene) -> None:
    await scene.harness.publish(extension(18, title="Winter gritting", cpv=["90620000"]))
    await scene.pass_day(AS_OF)
    (mail,) = scene.notifier.mails()
    for said in (body(mail), body(mail, "html")):
        assert "Please compare prices first." in said
        assert "Leeds takes part in Jointly" in said
        assert "Charter" not in said
        assert "Signatories" not in said


async def test_a_request_a_reminder_and_the_word_that_it_went_ahead(scene: Scene) -> None:
    await scene.harness.publish(extension(18))
    assert await scene.pass_day(AS_OF) == [FIRST]
    assert await scene.pass_day(AS_OF) == [FIRST]
    (mail,) = scene.notifier.mails()
    text = body(mail)
    assert "the extension takes it 18 months past the contract's first end, all extensions together." in text
    assert "There is no benchmark for the category yet. Jointly looks until 10 December 2026." in text
    assert f"To compare: jointly benchmark {plan_id(LEEDS)} --authority {LEEDS}" in text
    assert f" extend --authority {LEEDS} (or extend-shorter, tender, tender-jointly)" in text
    assert "Leeds signed the Charter on 1 April 2026" in text
    assert mail["Message-ID"].endswith("@jointly.example>")
    assert "<h1" in body(mail, "html")
    assert await scene.pass_day(REMINDER) == sorted([FIRST, SECOND])
    await scene.harness.publish(award(LEEDS, 2))
    for _ in range(2):
        assert await scene.pass_day(AFTER) == sorted([FIRST, SECOND, LAST])
    rows = await scene.harness.rows(f"SELECT value FROM outbox WHERE topic = '{NOTIFICATIONS.name}'")
    sent = [NotificationSent.model_validate_json(bytes(row.value)) for row in rows]
    assert [one.purpose for one in sent] == ["benchmark"] * 3


async def test_a_decision_ends_it(scene: Scene) -> None:
    await scene.harness.publish(extension(18))
    await scene.pass_day(AS_OF)
    await decision(scene.harness)
    await scene.pass_day(REMINDER)
    await scene.harness.publish(award(LEEDS, 2))
    assert await scene.pass_day(AFTER) == [FIRST]
    assert [mail.state for mail in await scene.notifier.all_mails()] == ["sent", "cancelled"]


async def test_an_authority_that_has_withdrawn_is_left_in_peace(scene: Scene) -> None:
    await scene.notifier.register(LEEDS, withdrawn_on=AS_OF)
    await scene.harness.publish(extension(18))
    assert await scene.pass_day(AS_OF) == []
