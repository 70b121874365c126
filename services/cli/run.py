"""`jointly matcher|coalitions|notifier|relay|collect|web`: the long-running processes."""

import asyncio
import json
from typing import Annotated, Final

import typer

from services.platform.settings import Settings, settings

FEED_INCOMPLETE: Final = 3


def matcher() -> None:
    """Run a matcher: it reads plan events and writes opportunities. Run several to share the partitions."""
    using = _with_parts("matcher")
    from services.matcher.app import run

    run(using)


def coalitions() -> None:
    """Run a coalitions process: it reads opportunities and responses, and writes coalitions. Run several to share the
    partitions."""
    using = _with_parts("coalitions")
    from services.coalitions.app import run

    run(using)


def notifier() -> None:
    """Run a notifier: it reads opportunities and sends emails."""
    settings().need_smtp()
    using = _with_parts("notifier")
    from services.notifier.app import run

    run(using)


def relay() -> None:
    """Run a relay: it publishes the events that other processes have written to the outbox. Further relays share the
    shards."""
    using = _with_parts("relay")
    from services.relay.app import run

    run(using)


def collect(
    once: Annotated[bool, typer.Option("--once", help="Collect everything new, print the counts, and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: print one JSON line.")] = False,
) -> None:
    """Collect public notices from Find a Tender and Contracts Finder, and publish the plans that they announce.

    Exit code of --once: 0 all was collected; 3 a feed asked to come back later or could not be used.
    """
    using = _with_parts("collector")
    from services.collector import app

    if not once:
        app.run(using)
        return
    outcomes = asyncio.run(app.collect_once(using))
    if as_json:
        typer.echo(json.dumps({name: outcome.as_json() for name, outcome in outcomes.items()}))
    else:
        for name, outcome in outcomes.items():
            typer.echo(f"{name}: {outcome.sentence()}")
    if not all(outcome.complete for outcome in outcomes.values()):
        raise typer.Exit(FEED_INCOMPLETE)


def web() -> None:
    """Run the web pages for authorities. They need the database and the mail server, and no broker."""
    using = settings()
    using.need_link_secrets()
    using.need_smtp()
    _with_parts("web", broker=False)
    from services.web.process import run

    run(using)


def _with_parts(service: str, *, broker: bool = True) -> Settings:
    """Return the settings, once broker and database have answered and the tables fit this version.

    Raises SettingsError and the clients' errors; the supervisor then restarts the process. If the tables do not fit,
    the process stays up, not ready, and waits for them without taking work.
    """
    from services.platform import logs
    from services.platform.version import version

    using = settings()
    if broker:
        using.need_kafka()
    using.need_database()
    logs.setup(service, using.log_level)
    logs.get(__name__).info("process starts", version=version())
    asyncio.run(_reach(using, broker=broker))
    return using


async def _reach(using: Settings, *, broker: bool) -> None:
    from services.messaging.topic_admin import names
    from services.messaging.unready import wait_for_schema
    from services.store.database import open_sessions

    async with open_sessions(using.need_database(), pool=1) as sessions:
        await wait_for_schema(using, sessions)
    if broker:
        await names(using)
