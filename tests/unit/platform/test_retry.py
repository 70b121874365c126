"""What is waited out, and for how long."""

import asyncio

import psycopg
import pytest
from aiokafka.errors import KafkaConnectionError
from sqlalchemy.exc import IntegrityError, OperationalError
from structlog.testing import capture_logs

from services.platform import retry

RACES = (
    psycopg.errors.DeadlockDetected(),
    psycopg.errors.SerializationFailure(),
    psycopg.errors.LockNotAvailable(),
)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OperationalError("SELECT", {}, Exception("server closed the connection")), True),
        *((race, True) for race in RACES),
        *((OperationalError("UPDATE", {}, race), True) for race in RACES),
        (psycopg.errors.QueryCanceled(), True),
        (KafkaConnectionError(), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (IntegrityError("INSERT", {}, Exception("duplicate key")), False),
        (ValueError("a mistake of ours"), False),
    ],
)
def test_which_faults_pass(error: Exception, passes: bool) -> None:
    assert retry.is_transient(error) is passes


async def test_tries_again_until_the_fault_has_passed() -> None:
    left = [TimeoutError(), ConnectionResetError()]

    async def operation() -> str:
        if left:
            raise left.pop()
        return "done"

    assert await retry.retry_transient(operation, budget=5, first_seconds=0.001) == "done"


async def test_gives_up_within_the_budget() -> None:
    async def operation() -> None:
        raise TimeoutError("still down")

    with pytest.raises(retry.TransientTimeoutError, match="still down"):
        await retry.retry_transient(operation, budget=0)


async def test_a_mistake_is_raised_at_once() -> None:
    calls = 0

    async def operation() -> None:
        nonlocal calls
        calls += 1
        raise ValueError("mistake")

    with pytest.raises(ValueError, match="mistake"):
        await asyncio.wait_for(retry.retry_transient(operation, budget=60), timeout=5)
    assert calls == 1


@pytest.mark.parametrize("race", RACES)
async def test_a_command_tries_again_where_it_lost_a_race(race: Exception) -> None:
    lost = [race, OperationalError("UPDATE", {}, race)]

    async def operation() -> str:
        if lost:
            raise lost.pop()
        return "done"

    assert await retry.retry_lost_races(operation, first_seconds=0.001) == "done"


@pytest.mark.parametrize(("error", "tries"), [(RACES[0], retry.MAX_LOST_RACES), (ConnectionResetError(), 1)])
async def test_a_command_says_what_it_can_not_wait_out(error: Exception, tries: int) -> None:
    calls = 0

    async def operation() -> None:
        nonlocal calls
        calls += 1
        raise error

    with pytest.raises(type(error)):
        await retry.retry_lost_races(operation, first_seconds=0.001)
    assert calls == tries


def test_waits_grow_and_stay_bounded() -> None:
    for attempt in range(1, 40):
        ceiling = min(retry.MAX_BACKOFF_SECONDS, retry.FIRST_BACKOFF_SECONDS * 2.0 ** (attempt - 1))
        assert ceiling / 2 <= retry.backoff_seconds(attempt) <= ceiling


def test_a_description_holds_no_statement_and_no_parameters() -> None:
    error = OperationalError("SELECT title FROM plans WHERE title = 'secret'", {"p": "secret"}, Exception("gone"))
    assert retry.one_line(error) == "Exception: gone"


async def test_a_round_that_fails_is_logged_and_the_next_one_follows() -> None:
    rounds: list[int] = []

    async def work() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise ValueError("not\nthis time")
        if len(rounds) == 3:
            raise asyncio.CancelledError

    with capture_logs() as said, pytest.raises(asyncio.CancelledError):
        await retry.repeat(work, 0, "round failed", retry.log)
    assert rounds == [0, 1, 2]
    assert [(line["event"], line["error"]) for line in said] == [("round failed", "ValueError: not this time")]
