"""How long it takes from a plan's publication to the events of its opportunities, at a steady rate."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer

from events.cloudevents import decode
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from events.plans import PlanState
from events.topics import OPPORTUNITIES, PLANS
from services.ingest.event_publisher import message_of
from services.messaging.consumer import FETCH_WAIT_MS
from services.messaging.kafka import Record, connection, make_producer, send
from services.platform.settings import Settings

_QUIET_SECONDS = 15.0

Key = tuple[str, int]
Arrival = tuple[float, Record]
"""When an event came, and the event."""


def latencies(settings: Settings, plans: Sequence[PlanState], rate: float) -> dict[str, Any]:
    """Publishes plans at a rate a second and reads opportunity events; milliseconds from before a plan was handed to
    the producer to the arrival of each event that names that revision, by the later of the event's two plans."""
    return asyncio.run(_latencies(settings, plans, rate))


async def _latencies(settings: Settings, plans: Sequence[PlanState], rate: float) -> dict[str, Any]:
    sent: dict[Key, float] = {}
    arrived: list[Arrival] = []
    consumer = AIOKafkaConsumer(OPPORTUNITIES.name, **connection(settings), fetch_max_wait_ms=FETCH_WAIT_MS)
    await consumer.start()
    await _to_the_end(consumer)
    reading = asyncio.create_task(_read(consumer, arrived))
    try:
        late = await _publish(settings, plans, rate, sent)
        # All have arrived when none has for a good while.
        seen = -1
        while seen != len(arrived):
            seen = len(arrived)
            await asyncio.sleep(_QUIET_SECONDS)
    finally:
        reading.cancel()
        await consumer.stop()
    took = list(_latencies_of(arrived, sent))
    shares = (50, 90, 99, 100)
    found = np.percentile(took, shares) * 1000 if took else [float("nan")] * len(shares)
    return {
        "plans": len(plans),
        "opportunity_events": len(took),
        **{f"p{share}_ms": round(float(value), 1) for share, value in zip(shares, found, strict=True)},
        "publisher_late_ms": round(1000 * late, 1),
    }


async def _publish(settings: Settings, plans: Sequence[PlanState], rate: float, sent: dict[Key, float]) -> float:
    """The most by which the publisher itself fell behind its rate, in seconds."""
    producer = make_producer(settings, "jointly-bench")
    await producer.start()
    started, late = time.monotonic(), 0.0
    try:
        for number, plan in enumerate(plans):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            sent[plan.plan_id, plan.revision] = time.monotonic()
            late = max(late, time.monotonic() - due)
            await send(producer, PLANS.name, message_of(plan))  # type: ignore[arg-type]
    finally:
        await producer.stop()
    return late


async def _to_the_end(consumer: AIOKafkaConsumer) -> None:
    """What was told before is not read: it would take processor time from what is measured."""
    await consumer.seek_to_end()
    for partition in consumer.assignment():
        await consumer.position(partition)


async def _read(consumer: AIOKafkaConsumer, arrived: list[Arrival]) -> None:
    """Notes when each event came; what it says is read once all have come."""
    while True:
        record = await consumer.getone()
        arrived.append((time.monotonic(), record))


def _latencies_of(arrived: Sequence[Arrival], sent: Mapping[Key, float]) -> Iterator[float]:
    """Of the first event of each pair that a plan's publication brought about; what is said again later is not new."""
    told: set[tuple[str, Key]] = set()
    for moment, record in arrived:
        state = decode(record.headers, record.value, OPPORTUNITY_PAYLOADS).payload
        assert isinstance(state, OpportunityState)
        keys = [key for side in state.plans if (key := (side.plan_id, side.revision)) in sent]
        if keys and (told_of := (state.opportunity_id, max(keys, key=sent.__getitem__))) not in told:
            told.add(told_of)
            yield moment - sent[told_of[1]]
