"""`jointly matcher|coalitions|notifier|relay`: the long-running processes."""

import asyncio

from services.platform.settings import Settings, settings


def matcher() -> None:
    """Run a matcher: plan events in, opportunities out. Run several to share the partitions."""
    using = _with_parts("matcher")
    from services.matcher.app import run

    run(using)


def coalitions() -> None:
    """Run a coalitions process: opportunities and responses in, coalitions out. A second one shares the partitions."""
    using = _with_parts("coalitions")
    from services.coalitions.app import run

    run(using)


def notifier() -> None:
    """Run a notifier: opportunities in, mails out."""
    settings().need_smtp()
    using = _with_parts("notifier")
    from services.notifier.app import run

    run(using)


def relay() -> None:
    """Run a relay: publishes what the other processes have written. A second one stands by."""
    using = _with_parts("relay")
    from services.relay.app import run

    run(using)


def _with_parts(service: str) -> Settings:
    """The settings, once broker and database have answered and the tables are what this version needs.

    Raises SettingsError and what the clients raise: the supervisor starts again what ended for want of a part. Tables
    that do not fit end nothing: the process waits for them, unready, and takes no work.
    """
    from services.platform import logs
    from services.platform.version import version

    using = settings()
    using.need_kafka()
    using.need_database()
    logs.setup(service, using.log_level)
    logs.get(__name__).info("starting", version=version())
    asyncio.run(_reach(using))
    return using


async def _reach(using: Settings) -> None:
    from services.messaging.topic_admin import names
    from services.messaging.unready import wait_for_schema
    from services.store.database import make_engine, make_sessions

    engine = make_engine(using.need_database(), pool=1)
    try:
        await wait_for_schema(using, make_sessions(engine))
    finally:
        await engine.dispose()
    await names(using)
