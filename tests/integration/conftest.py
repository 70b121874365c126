"""What tests of the services on real parts share beside tests/conftest.py."""

from collections.abc import Iterator

import pytest

from services.store.database import Sessions
from tests.support.filled_database import Publish, open_publisher
from tests.support.matcher import MatcherHarness, make_harness


@pytest.fixture
async def harness(sessions: Sessions) -> MatcherHarness:
    """A matcher on this test's database. Modules about other processes have a `harness` of their own."""
    return await make_harness(sessions)


@pytest.fixture
def publish(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Hands plans to a matcher on this test's database, for commands to find."""
    with open_publisher(database_url, monkeypatch) as handle:
        yield handle
