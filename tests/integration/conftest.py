"""What tests of the services on real parts share beside tests/conftest.py."""

from collections.abc import AsyncIterator, Iterator

import pytest

from services.local_stack.mail_sink import MailSink
from services.store.database import Sessions
from tests.support.command_line import CommandLine, command_line
from tests.support.filled_database import Publish, open_publisher
from tests.support.matcher import MatcherHarness, make_harness
from tests.support.notified_coalitions import Line, open_line
from tests.support.notifier import NotifierHarness


@pytest.fixture
async def harness(sessions: Sessions) -> MatcherHarness:
    """A matcher on this test's database. Modules about other processes have a `harness` of their own."""
    return await make_harness(sessions)


@pytest.fixture
def publish(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Hands plans to a matcher on this test's database, for commands to find."""
    with open_publisher(database_url, monkeypatch) as handle:
        yield handle


@pytest.fixture
def jointly(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """The command line on this test's database."""
    with command_line(database_url, monkeypatch) as run:
        yield run


@pytest.fixture
def notifier(sessions: Sessions, mailbox: MailSink) -> NotifierHarness:
    """A notifier on this test's database and mail server."""
    return NotifierHarness(sessions, mailbox)


@pytest.fixture
async def line(database_url: str, mailbox: MailSink) -> AsyncIterator[Line]:
    """A matcher, a coalitions process and a notifier, with four councils that are registered."""
    async with open_line(database_url, mailbox) as found:
        yield found
