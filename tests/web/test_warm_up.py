"""What a web process does before the first request, so that nobody waits for it."""

from services.local_stack.mail_sink import MailSink
from services.store.database import make_engine, make_sessions
from services.store.framework_index import FrameworkIndex
from services.web.parts import WebParts
from services.web.templating import environment
from services.web.warm_up import warm_up
from tests.support.coalitions import BRADFORD, KIRKLEES, LEEDS, plan, plan_id
from tests.support.web import WebHarness


async def test_no_page_compiles_a_template_after_the_warm_up(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(*(plan(authority) for authority in (LEEDS, BRADFORD, KIRKLEES)))
    settings = web.processes.settings
    environment.cache_clear()
    await warm_up(WebParts(web.processes.sessions, settings, FrameworkIndex(settings)))
    compiled = set(environment().cache or ())
    assert compiled
    link = await web.link(LEEDS)
    await web.sign_in(LEEDS, mailbox)
    for path in ("/", "/no-such-page", link, f"{link}/check?answer=interested", "/home", f"/p/{plan_id(LEEDS)}"):
        await web.client.get(path)
    assert set(environment().cache or ()) == compiled


async def test_a_web_process_warms_up_without_a_database(web: WebHarness) -> None:
    settings = web.processes.settings
    nowhere = make_sessions(make_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    await warm_up(WebParts(nowhere, settings, FrameworkIndex(settings)))
