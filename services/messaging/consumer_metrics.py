"""Measures a consumer's lag and the age of its oldest unhandled record."""

import asyncio
from contextlib import suppress
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from services.messaging.consumer import ConsumerState
from services.platform import logs, metrics, retry

MEASURE_SECONDS: Final = 5.0
"""The interval between two measurements of progress, and the limit for the broker's answer."""
POSITION_SECONDS: Final = 0.2

log: Final = logs.get(__name__)


async def measure_for_ever(state: ConsumerState, process: str, pause_seconds: float = MEASURE_SECONDS) -> None:
    """Measure the lag and the age of unhandled records forever, for health checks and as metrics."""
    topics: set[str] = set()

    async def measure_next() -> None:
        nonlocal topics
        try:
            await measure(state)
        finally:
            # Without an answer of the broker the ages keep growing: nothing is handled while it is away.
            topics = _export_progress(state, process, topics)

    await retry.repeat(measure_next, pause_seconds, "progress not measured", log)


def _export_progress(state: ConsumerState, process: str, before: set[str]) -> set[str]:
    """Set the metrics of lag and age, and drop those of topics `before`; return the topics with unhandled records.

    A consumer that is no member of its group can't know what waits: the age of its topics is then the time since.
    """
    away = state.unassigned_seconds()
    worst = dict.fromkeys(state.topics, away) if away else {}
    for partition, seconds in state.progress.waiting().items():
        worst[partition.topic] = max(seconds, worst.get(partition.topic, 0.0))
    for topic in before - worst.keys():
        metrics.OLDEST_UNHANDLED.remove(topic)
    for topic, seconds in worst.items():
        metrics.OLDEST_UNHANDLED.labels(topic=topic).set(seconds)
    metrics.LAG.labels(process=process).set(state.progress.lag())
    return set(worst)


async def measure(state: ConsumerState) -> None:
    """Ask the broker for the end offsets of the assigned partitions, independently of polls, which may hang.

    Commits positions past transaction markers, which no batch commits. Raises an error if the broker does not answer.
    """
    consumer = state.consumer()
    if consumer is None or not state.assigned:
        return
    partitions = sorted(consumer.assignment())
    async with asyncio.timeout(MEASURE_SECONDS):
        ends = await consumer.end_offsets(partitions)
    positions: dict[TopicPartition, int] = {}
    for partition in partitions:
        # The client waits for a position that it does not know: at the start, and when a partition is stuck.
        with suppress(TimeoutError, KafkaError):
            positions[partition] = await asyncio.wait_for(consumer.position(partition), POSITION_SECONDS)
    for partition, end in ends.items():
        # An open transaction holds back the records after it. They count as waiting, too.
        state.progress.observe(partition, max(end, consumer.highwater(partition) or 0), positions.get(partition))
    if not state.in_flight.locked():
        async with state.in_flight:
            passed = state.progress.passed(positions)
            if passed:
                await state.offsets.commit(consumer, passed)
                state.progress.handle(passed)
