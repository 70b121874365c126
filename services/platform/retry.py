"""The retry policy: which errors are transient, and how long a process retries them."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, TypeVar

import psycopg
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from structlog.stdlib import BoundLogger

from services.platform import logs, metrics

FIRST_BACKOFF_SECONDS: Final = 0.2
MAX_BACKOFF_SECONDS: Final = 15.0
MAX_LOST_RACES: Final = 8
"""The number of attempts of a command when others have locked the same rows: about ten seconds in all."""
_LOST_RACES: Final = frozenset({"40P01", "40001", "55P03"})
"""SQLSTATE: deadlock detected, serialization failure, lock not available."""

log: Final = logs.get(__name__)
Result = TypeVar("Result")


class TransientTimeoutError(Exception):
    """A transient error outlasted its retries."""


class HaltConsumerError(Exception):
    """The process can't go on with the state it found. It leaves its records to another process."""


def is_transient(error: BaseException) -> bool:
    """Return whether an error is transient: the network, the broker, the database, or a lost race."""
    if is_lost_race(error):
        return True
    if isinstance(error, DBAPIError):
        return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    if isinstance(error, KafkaError):
        return True
    if isinstance(error, psycopg.Error):
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return isinstance(error, PoolTimeoutError | ConnectionError | TimeoutError | OSError | TransientTimeoutError)


async def retry_transient(
    operation: Callable[[], Awaitable[Result]], budget: float, *, first_seconds: float = FIRST_BACKOFF_SECONDS
) -> Result:
    """Retry an idempotent operation on transient errors, for at most `budget` seconds of waiting.

    Waits grow from 0.2 to 15 seconds, with jitter so that processes do not retry in step. Raises TransientTimeoutError
    when the budget is spent, and any other error immediately.
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
            wait = backoff_seconds(attempt, first_seconds)
            metrics.TRANSIENT_ERRORS.labels(kind=type(error).__name__).inc()
            log.warning(
                "transient error, retrying", error=one_line(error), attempt=attempt, wait_seconds=round(wait, 2)
            )
            if time.monotonic() + wait > deadline:
                raise TransientTimeoutError(one_line(error)) from error
            await asyncio.sleep(wait)


async def retry_lost_races(
    operation: Callable[[], Awaitable[Result]], *, first_seconds: float = FIRST_BACKOFF_SECONDS
) -> Result:
    """Retry a command's idempotent operation if it lost a race for rows, up to `MAX_LOST_RACES` attempts.

    Raises any other error immediately, because a person is waiting.
    """
    for attempt in range(1, MAX_LOST_RACES):
        try:
            return await operation()
        except Exception as error:
            if not is_lost_race(error):
                raise
            metrics.TRANSIENT_ERRORS.labels(kind=type(error).__name__).inc()
            log.info("lost a race for rows, retrying", error=one_line(error), attempt=attempt)
            await asyncio.sleep(backoff_seconds(attempt, first_seconds))
    return await operation()


async def repeat(
    work: Callable[[], Awaitable[object]], every_seconds: float, failure: str, logger: BoundLogger
) -> NoReturn:
    """Do some work forever, with a pause after each round. A failed round is logged as `failure`; the next follows."""
    while True:
        try:
            await work()
        except Exception as error:
            logger.warning(failure, error=one_line(error))
        await asyncio.sleep(every_seconds)


def is_lost_race(error: BaseException) -> bool:
    """Return whether PostgreSQL aborted the transaction in favour of another: a deadlock, a serialization failure, or a
    lock timeout. A retry mostly succeeds."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in _LOST_RACES


def backoff_seconds(attempt: int, first_seconds: float = FIRST_BACKOFF_SECONDS) -> float:
    """Return the seconds to wait after the nth failure in a row: doubling, bounded, and half random."""
    longest: float = min(MAX_BACKOFF_SECONDS, first_seconds * 2.0 ** min(attempt - 1, 10))
    return longest * (0.5 + random.random() / 2)  # noqa: S311 (jitter, not a secret)


def one_line(error: BaseException) -> str:
    """Format an error as one line, without statements or parameters, which may hold plan texts."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:200]}"
