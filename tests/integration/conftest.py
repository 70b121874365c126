"""What tests of the services on real parts share beside tests/conftest.py."""

import pytest

from services.store.database import Sessions
from tests.support.matcher import MatcherHarness, make_harness


@pytest.fixture
async def harness(sessions: Sessions) -> MatcherHarness:
    """A matcher on this test's database. Modules about other processes have a `harness` of their own."""
    return await make_harness(sessions)
