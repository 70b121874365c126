"""Councils with plans that fit, and the pages on top of them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.local_stack.mail_sink import MailSink
from services.local_stack.postgres import Server
from services.store.authorities import AuthorityUpdate, save
from services.store.database import transaction
from tests.support.api import open_three_councils, three_councils
from tests.support.coalitions import ALL, AS_OF, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, plan
from tests.support.databases import DatabasePool
from tests.support.web import WebHarness, web_client, web_settings
from tests.web.browser import Site, site
from tests.web.harness import open_web


@pytest_asyncio.fixture
async def web(database_url: str, mailbox: MailSink) -> AsyncIterator[WebHarness]:
    """The pages, a matcher and a coalitions process on one database; each of four councils has a mailbox."""
    async with open_web(database_url, mailbox) as opened:
        yield opened


@pytest.fixture
def three_databases(postgres_server: Server) -> DatabasePool:
    """Databases with three councils in a suggested group."""
    return three_councils(postgres_server)


@pytest_asyncio.fixture
async def grouped(three_databases: DatabasePool, mailbox: MailSink) -> AsyncIterator[WebHarness]:
    """The pages on such a database, each of four councils with a mailbox. It starts in less time than `web`,
    because it has no matcher: `add_matcher` adds one."""
    async with open_three_councils(three_databases) as processes:
        processes.settings = web_settings(as_of=AS_OF, smtp_url=mailbox.url)
        async with transaction(processes.sessions) as session:
            for code in ALL:
                await save(session, AuthorityUpdate(code, {"mailbox": f"procurement@{code.lower()}.example"}))
        async with web_client(processes.sessions, processes.settings) as client:
            yield WebHarness(processes, client)


@pytest_asyncio.fixture
async def open_site(web: WebHarness) -> AsyncIterator[Site]:
    """The pages in a browser, with three councils that could go together, and a fourth that hides its plan."""
    supplier = {"current_contract": {"supplier": "Payroll Systems Limited", "end": "2027-12-31"}}
    hidden = plan(CALDERDALE, sharing="match_only")
    await web.processes.publish(*(plan(authority, **supplier) for authority in (LEEDS, BRADFORD, KIRKLEES)), hidden)
    async with site(web) as opened:
        yield opened
