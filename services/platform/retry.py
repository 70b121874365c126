"""The one policy for faults: which pass by themselves, and how long they are waited out."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import psycopg
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.platform import logs, metrics

FIRST_BACKOFF_SECONDS: Final = 0.2
MAX_BACKOFF_SECONDS: Final = 15.0
MAX_LOST_RACES: Final = 8
"""How often a command tries where others hold the same rows: for about ten seconds in all."""
_LOST_RACES: Final = frozenset({"40P01", "40001", "55P03"})
"""SQLSTATE: deadlock detected, serialization failure, lock not available."""

log: Final = logs.get(__name__)
Result = TypeVar("Result")


class TransientTimeoutError(Exception):
    """A fault that passes by itself has not passed within the time given to it."""


class HaltConsumerError(Exception):
    """This process must not go on with the state it finds; its records are left to one that may."""


def is_transient(error: BaseException) -> bool:
    """Whether an error is of the kind that goes away: the network, the broker, the database, a lost race."""
    if is_lost_race(error):
        return True
    if isinstance(error, DBAPIError):
        return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    if isinstance(error, KafkaError):
        return True
    if isinstance(error, psycopg.Error):
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return isinstance(error, PoolTimeoutError | ConnectionError | TimeoutError | OSError | TransientTimeoutError)


async def retry_transient(operation: Callable[[], Awaitable[Result]], budget: float) -> Result:
    """Runs a repeatable operation again while passing faults stop it, for at most `budget` seconds of waiting.

    Waits grow from 0.2 to 15 seconds, with jitter so that processes do not come back all at once. Raises
    Passing where the time is over, and any other error at once.
    """
    deadline = time.monotonic() + budget
    attempt = 0
    while True:
        try:
            return await operation()
        except Exception as error:
            if not is_transient(error):
                raise
            attempt += 1
            wait = backoff_seconds(attempt)
            metrics.TRANSIENT_ERRORS.labels(kind=type(error).__name__).inc()
            log.warning("fault, trying again", error=one_line(error), attempt=attempt, wait_seconds=round(wait, 2))
            if time.monotonic() + wait > deadline:
                raise TransientTimeoutError(one_line(error)) from error
            await asyncio.sleep(wait)


async def retry_lost_races(operation: Callable[[], Awaitable[Result]]) -> Result:
    """Runs a command's repeatable operation again where it lost a race for rows, `MOST_RACES` times at most.

    Raises any other error at once: a person waits, and is told.
    """
    for attempt in range(1, MAX_LOST_RACES):
        try:
            return await operation()
        except Exception as error:
            if not is_lost_race(error):
                raise
            metrics.TRANSIENT_ERRORS.labels(kind=type(error).__name__).inc()
            log.info("lost a race, trying again", error=one_line(error), attempt=attempt)
            await asyncio.sleep(backoff_seconds(attempt))
    return await operation()


def is_lost_race(error: BaseException) -> bool:
    """Whether PostgreSQL ended a transaction in favour of another one: a deadlock, a serialization failure, a lock that
    did not come in time. Done once more it will mostly succeed."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in _LOST_RACES


def backoff_seconds(attempt: int) -> float:
    """How many seconds to wait after the nth failure in a row: doubling, bounded, half of it by chance."""
    longest: float = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(attempt - 1, 10))
    return longest * (0.5 + random.random() / 2)  # noqa: S311 (jitter, not a secret)


def one_line(error: BaseException) -> str:
    """An error in one line, without statements or parameters: those may hold plan texts."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:200]}"
