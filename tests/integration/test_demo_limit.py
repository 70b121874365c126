"""The demo gives up where nothing moves any more, and says what is left and where to look."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.local_stack import demo_progress
from services.local_stack.demo_progress import StalledError, Watch
from services.local_stack.mail_sink import MailSink
from services.store.database import make_engine, make_sessions
from tests.support.notifier import NotifierHarness
from tests.unit.notifier.making import CAMDEN, LEEDS, state


async def test_the_demo_gives_up_where_nobody_sends_what_is_due(database_url: str, mailbox: MailSink) -> None:
    engine = make_engine(database_url)
    notifier = NotifierHarness(make_sessions(engine), mailbox)
    await notifier.register(LEEDS, CAMDEN)
    await notifier.arrives(state())
    shown: list[tuple[str, int, int]] = []
    watch = Watch(lambda *progress: shown.append(progress), stalled_seconds=0.3)
    stack = cast(Any, SimpleNamespace(check=lambda: None, folder=Path("here")))
    running = demo_progress.RunningDemo(stack, cast(Any, None), notifier.sessions, {}, watch)
    with pytest.raises(StalledError, match="Notifying authorities: 2 left and nothing moves; see here/logs"):
        await demo_progress.wait_until_emailed(running)
    assert set(shown) == {("Notifying authorities", 0, 2)}
    notifier.later(seconds=61)
    await notifier.run()
    await demo_progress.wait_until_emailed(running)
    assert shown[-1][1:] == (0, 0)
    await engine.dispose()
