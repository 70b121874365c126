"""The pages on top of a matcher and a coalitions process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from matching.encoders.loading import load_embedder
from matching.engine import Engine
from services.local_stack.mail_sink import MailSink
from services.matcher.app import adopt
from services.matcher.batch_handler import Matcher
from services.matcher.context import MatcherContext
from services.store.authorities import AuthorityUpdate, save
from services.store.database import make_engine, make_sessions, transaction
from tests.support.coalitions import ALL, AS_OF, CoalitionsHarness
from tests.support.web import WebHarness, web_client, web_settings


@cache
def _engine(model: str) -> Engine:
    """The engine, loaded once: it never changes."""
    return Engine.load(model=model)


@asynccontextmanager
async def open_web(database_url: str, mailbox: MailSink) -> AsyncIterator[WebHarness]:
    """The pages, a matcher and a coalitions process on one database; each of four councils has a mailbox."""
    engine = make_engine(database_url)
    sessions = make_sessions(engine)
    settings = web_settings(as_of=AS_OF, smtp_url=mailbox.url)
    embedder = load_embedder("hashing")
    context = MatcherContext(_engine(embedder.model), embedder, settings)
    await adopt(context, sessions)
    async with transaction(sessions) as session:
        for code in ALL:
            await save(session, AuthorityUpdate(code, {"mailbox": f"procurement@{code.lower()}.example"}))
    processes = CoalitionsHarness(Matcher(context, sessions, producer=None), sessions, settings)  # type: ignore[arg-type]
    async with web_client(sessions, settings) as client:
        yield WebHarness(processes, client)
    await engine.dispose()
