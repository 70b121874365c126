"""The pages on top of a matcher and a coalitions process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.local_stack.mail_sink import MailSink
from services.store.authorities import AuthorityUpdate, save
from services.store.database import make_engine, make_sessions, transaction
from tests.support.coalitions import ALL, AS_OF, CoalitionsHarness
from tests.support.matcher import make_matcher
from tests.support.web import WebHarness, web_client, web_settings


@asynccontextmanager
async def open_web(database_url: str, mailbox: MailSink) -> AsyncIterator[WebHarness]:
    """The pages, a matcher and a coalitions process on one database; each of four councils has a mailbox."""
    engine = make_engine(database_url)
    sessions = make_sessions(engine)
    settings = web_settings(as_of=AS_OF, smtp_url=mailbox.url)
    async with transaction(sessions) as session:
        for code in ALL:
            await save(session, AuthorityUpdate(code, {"mailbox": f"procurement@{code.lower()}.example"}))
    processes = CoalitionsHarness(await make_matcher(sessions, settings), sessions, settings)
    async with web_client(sessions, settings) as client:
        yield WebHarness(processes, client)
    await engine.dispose()
