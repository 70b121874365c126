"""Councils with plans that fit, and the pages on top of them."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.local_stack.mail_sink import MailSink
from tests.support.coalitions import BRADFORD, CALDERDALE, KIRKLEES, LEEDS, plan
from tests.support.web import WebHarness
from tests.web.browser import Site, site
from tests.web.harness import open_web


@pytest_asyncio.fixture
async def web(database_url: str, mailbox: MailSink) -> AsyncIterator[WebHarness]:
    """The pages, a matcher and a coalitions process on one database; each of four councils has a mailbox."""
    async with open_web(database_url, mailbox) as opened:
        yield opened


@pytest_asyncio.fixture
async def open_site(web: WebHarness) -> AsyncIterator[Site]:
    """The pages in a browser, with three councils that could go together, and a fourth that hides its plan."""
    supplier = {"current_contract": {"supplier": "Payroll Systems Limited", "end": "2027-12-31"}}
    hidden = plan(CALDERDALE, sharing="match_only")
    await web.processes.publish(*(plan(authority, **supplier) for authority in (LEEDS, BRADFORD, KIRKLEES)), hidden)
    async with site(web) as opened:
        yield opened
