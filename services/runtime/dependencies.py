"""Whether the parts that a process needs answer it: asked every few seconds, and shown as a metric."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaProducer

from services.runtime import faults, metrics
from services.runtime.health import Check

EVERY_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 5.0
"""How long a part may take to answer."""


async def watch(checks: Mapping[str, Check]) -> None:
    """Asks each part again and again, and sets `jointly_dependency_up`. The keys are the metric's labels."""
    while True:
        await asyncio.gather(*(_ask(dependency, check) for dependency, check in checks.items()))
        await asyncio.sleep(EVERY_SECONDS)


async def _ask(dependency: str, check: Check) -> None:
    metrics.DEPENDENCY_UP.labels(dependency=dependency).set(await answer(check) is None)


async def answer(check: Check) -> str | None:
    """What the check says, within PATIENCE_SECONDS."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await check()
    except Exception as error:
        return f"no answer ({faults.describe(error)})"


def kafka(producer: AIOKafkaProducer) -> Check:
    """A broker answers a request on the producer's connections."""

    async def check() -> str | None:
        try:
            await producer.client.fetch_all_metadata()
        except Exception as error:
            return f"Kafka does not answer ({type(error).__name__})"
        return None

    return check
