"""What is waited out, and for how long."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from sqlalchemy.exc import IntegrityError, OperationalError

from services.runtime import faults


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OperationalError("SELECT", {}, Exception("server closed the connection")), True),
        (KafkaConnectionError(), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (IntegrityError("INSERT", {}, Exception("duplicate key")), False),
        (ValueError("a mistake of ours"), False),
    ],
)
def test_which_faults_pass(error: Exception, passes: bool) -> None:
    assert faults.passes(error) is passes


async def test_tries_again_until_the_fault_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "FIRST_WAIT_SECONDS", 0.001)
    left = [TimeoutError(), ConnectionResetError()]

    async def operation() -> str:
        if left:
            raise left.pop()
        return "done"

    assert await faults.patiently(operation, budget=5) == "done"


async def test_gives_up_within_the_budget() -> None:
    async def operation() -> None:
        raise TimeoutError("still down")

    with pytest.raises(faults.Passing, match="still down"):
        await faults.patiently(operation, budget=0)


async def test_a_mistake_is_raised_at_once() -> None:
    calls = 0

    async def operation() -> None:
        nonlocal calls
        calls += 1
        raise ValueError("mistake")

    with pytest.raises(ValueError, match="mistake"):
        await asyncio.wait_for(faults.patiently(operation, budget=60), timeout=5)
    assert calls == 1


def test_waits_grow_and_stay_bounded() -> None:
    for attempt in range(1, 40):
        ceiling = min(faults.LONGEST_WAIT_SECONDS, faults.FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1))
        assert ceiling / 2 <= faults.pause(attempt) <= ceiling


def test_a_description_holds_no_statement_and_no_parameters() -> None:
    error = OperationalError("SELECT title FROM plans WHERE title = 'secret'", {"p": "secret"}, Exception("gone"))
    assert faults.describe(error) == "Exception: gone"
