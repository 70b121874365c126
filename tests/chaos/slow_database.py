"""A database that answers matchers late."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.proxy import Link, proxies
from tests.chaos.schedules import Run

MATCHERS = ("matcher-1", "matcher-2", "matcher-3")
LATE_SECONDS = 0.03


@contextmanager
def slow_database(made: Run) -> Iterator[tuple[Link, dict[str, str]]]:
    """A link to the database that is late by itself, and the settings of a process that uses it."""
    with proxies() as wires:
        link = wires.link(made.arena.database.port)
        link.late_seconds = LATE_SECONDS
        link.toxics["up"] = "latency"
        usual = made.arena.environment["JOINTLY_DATABASE_URL"]
        own = usual.replace(str(made.arena.links["database"].port), str(link.port))
        # A slow machine must not look like one that has gone: these batches are long, these members alive.
        try:
            yield link, {"JOINTLY_DATABASE_URL": own, "JOINTLY_KAFKA_SESSION_TIMEOUT_SECONDS": "20"}
        finally:
            for name in made.arena.crew.keys() & set(MATCHERS):
                made.arena.kill(name)
